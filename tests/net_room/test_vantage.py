"""The facts about this host."""

from __future__ import annotations

import platform
import socket
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.model.plan import Plan
from egressd.model.settings import Family, Limits, Resolver, Source, Trust
from egressd.net.vantage import (
    local_addresses,
    proxy_variables,
    read_vantage,
    unusable_sources,
    usable_families,
)


def test_addresses_of_this_host() -> None:
    """Loopback is one of them, once."""
    addresses = local_addresses()
    assert addresses.count("127.0.0.1") == 1
    assert all(":" in one or one.count(".") == 3 for one in addresses)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (("127.0.0.1", "10.0.0.5", "::1", "fe80::1"), (Family.IPV4,)),
        (("127.0.0.1", "10.0.0.5", "2001:db8::5"), (Family.IPV4, Family.IPV6)),
        (("127.0.0.1", "2001:db8::5"), (Family.IPV6,)),
        (("127.0.0.1", "::1"), (Family.IPV4, Family.IPV6)),
        ((), (Family.IPV4, Family.IPV6)),
    ],
)
def test_usable_families(addresses: tuple[str, ...], expected: tuple[Family, ...]) -> None:
    """Loopback and link-local do not count, unless there is nothing else."""
    assert usable_families(addresses) == expected


def test_proxy_variables() -> None:
    """Names only, in any case; an empty variable does not count."""
    known = {
        "HTTPS_PROXY": "http://user:s3cret@proxy.example:3128",
        "http_proxy": "http://proxy.example:3128",
        "ALL_PROXY": "",
        "NO_PROXY": ".example",
        "PATH": "/bin",
    }
    assert proxy_variables(known) == ("HTTPS_PROXY", "http_proxy")


def test_absent_sources() -> None:
    """Each is named, with the kernel's error."""
    problems = unusable_sources(
        (
            Source(name="fine", address="127.0.0.1"),
            Source(name="any"),
            Source(name="foreign", address="198.51.100.7"),
            Source(name="gone", interface="nope0"),
            Source(name="typo", address="10.0.0.300"),
        )
    )
    assert len(problems) == 3
    assert "foreign" in problems[0]
    assert "nope0" in problems[1]
    assert "10.0.0.300" in problems[2]


def test_vantage(pki: Any) -> None:
    """It has host, sources, resolvers, roots and Python version."""
    plan = Plan(
        region=None,
        cloud="public",
        catalog_revision="",
        catalog_digest="",
        config_digest="",
        targets=(),
        probes=(),
        controls=(),
        sources=(Source(name="here", address="127.0.0.1"),),
        resolvers=(Resolver(name="r", address="::1", port=5353), Resolver(name="system")),
        trust=Trust(),
        limits=Limits(),
    )
    seen = read_vantage(plan, pki.store(pki.root))
    assert (seen.host, seen.python) == (socket.gethostname(), platform.python_version())
    assert seen.site == seen.host
    assert read_vantage(replace(plan, site="oslo-1"), pki.store(pki.root)).site == "oslo-1"
    assert [one.name for one in seen.sources] == ["here"]
    assert seen.resolvers[0] == "[::1]:5353"
    assert seen.resolvers[1].startswith("system")
    assert "openssl" in dict(seen.trust)
    assert seen.clock_offset_seconds is None
