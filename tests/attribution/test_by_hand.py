"""Checks by hand are filled in, take the trail's path, and can be pasted whatever a report holds."""

from __future__ import annotations

import re
import shlex

import pytest
from msgspec.structs import replace

from egressd.attribution.by_hand import check_by_hand
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.isolation import index_recording
from egressd.attribution.reasons import REASONS, Reason
from egressd.errors import Part, raise_bug
from egressd.model.endpoint import Protocol, SampleKind
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind
from tests.attribution.recordings import Site, connect, dns, good, http, tcp, tls, trail

PROXY = "http://[2001:db8::8]:3128"
HOSTILE = (
    "$(reboot)",
    "`id`",
    "a;reboot",
    "a b",
    "a|b",
    "x'y",
    'x"y',
    "-oProxyCommand=x",
    "a\nb",
    "a&b",
    ">f",
)


def context(site: Site, number: int = 0) -> TrailContext:
    """Return the first trail of a probe."""
    recording = site.recording()
    index = index_recording(recording, part=Part.JUDGEMENT, on_bug=raise_bug)
    probe, record = recording.plan.probes[number], recording.records[number]
    return TrailContext(
        trail=record.trails[0], probe=probe, target=index.targets[probe.targets[0]], index=index
    )


def reset(host: str = "mcr.microsoft.com", **place: str) -> Site:
    """Return a site where the ClientHello with one name is reset, and a second name works."""
    site = Site(resolvers=("10.0.0.53:53", "10.0.0.54:5353"))
    address = place.get("address", "203.0.113.9")
    seen = (dns(address, name=host), tcp(address=address), tls(Failure.RESET, sni=host))
    site.add(trail(*seen), host=host)
    site.add(good("graph.microsoft.com"), host="graph.microsoft.com")
    return site


def through_proxy(*seen: object, host: str = "mcr.microsoft.com", proxy: str = PROXY) -> TrailContext:
    site = Site()
    dial = tcp(address="2001:db8::8", port=3128)
    site.add(trail(dial, connect(), *seen, path=proxy), host=host, via_proxy=True)  # type: ignore[arg-type]
    return context(site)


def check(code: str, one: TrailContext) -> str:
    return check_by_hand(REASONS[code], one)


def test_a_check_names_the_connection() -> None:
    """Both the name that fails and one that works, at the address that was dialled."""
    assert check("tls_sni_reset", context(reset())).splitlines() == [
        "$ openssl s_client -connect 203.0.113.9:443 -servername mcr.microsoft.com </dev/null",
        "$ openssl s_client -connect 203.0.113.9:443 -servername graph.microsoft.com </dev/null",
        "Only the first ends in a reset.",
    ]


def test_the_name_that_was_compared_is_compared_again() -> None:
    """That of the control comes before any other that works."""
    site = reset()
    site.control(ControlKind.SNI_CONTRAST, tcp(), tls(sni="other.example"), host="other.example")

    assert "-servername other.example " in check("tls_sni_reset", context(site))


def test_an_ipv6_address_is_one_word_of_a_shell() -> None:
    """Brackets stand for a choice of characters in a shell."""
    text = check("tls_sni_reset", context(reset(address="2001:db8::9")))

    assert "-connect '[2001:db8::9]:443' -servername" in text
    assert shlex.split(text.splitlines()[0])[3:5] == ["-connect", "[2001:db8::9]:443"]


def test_a_resolver_has_its_port_as_dig_takes_it() -> None:
    """Also another one of the sweep; 53 is not said."""
    site = Site(resolvers=("10.0.0.53:53", "[2001:db8::53]:5353"))
    site.add(trail(dns(failure=Failure.NXDOMAIN, name="mcr.microsoft.com")), host="mcr.microsoft.com")
    usual = check("dns_nxdomain_filtered", context(site)).splitlines()

    assert usual[0] == "$ dig @10.0.0.53 mcr.microsoft.com A +tries=1 +time=3"
    assert usual[1] == "$ dig @2001:db8::53 -p 5353 mcr.microsoft.com A +tries=1 +time=3"


def test_a_resolver_that_is_the_target_is_asked_for_the_name() -> None:
    """Not for its own address."""
    site = Site()
    denied = dns(failure=Failure.NXDOMAIN, name="time.windows.com", resolver="10.0.0.53:53")
    site.add(trail(denied), host="10.0.0.53", port=53, protocol=Protocol.DNS)

    assert check("dns_nxdomain_filtered", context(site)).startswith("$ dig @10.0.0.53 time.windows.com A ")


@pytest.mark.parametrize(
    ("resolvers", "asked"), [(("system (10.1.1.1, 10.1.1.2)",), "@10.1.1.1 "), (("system",), "")]
)
def test_the_systems_resolver_is_named_where_it_is_known(resolvers: tuple[str, ...], asked: str) -> None:
    """Else dig takes the host's own."""
    site = Site(resolvers=resolvers)
    site.add(trail(dns(failure=Failure.NXDOMAIN, name="a.example", resolver="system")), host="a.example")

    first, second, *_, last = check("dns_nxdomain_filtered", context(site)).splitlines()
    assert first == f"$ dig {asked}a.example A +tries=1 +time=3"
    assert "@OTHER-RESOLVER" in second
    assert last == "OTHER-RESOLVER: one outside of this network."


@pytest.mark.parametrize(
    "code", ["tls_sni_reset", "tls_cert_expired", "http_block_page", "site_suffix_rule_missing"]
)
def test_a_tunnel_is_checked_through_the_proxy(code: str) -> None:
    """No command goes around it, and the proxy's parts are filled in."""
    one = through_proxy(tls(Failure.RESET, sni="mcr.microsoft.com"))
    commands = [line for line in check(code, one).splitlines() if line.startswith("$ ")]

    assert commands
    for line in commands:
        assert "-x 'http://[2001:db8::8]:3128' " in line or "-proxy '[2001:db8::8]:3128' " in line
        assert "PROXY" not in line


def test_the_way_to_a_proxy_is_checked_there() -> None:
    """Where the proxy itself does not answer, its address is dialled."""
    site = Site()
    site.add(
        trail(tcp(Failure.TIMEOUT, address="10.0.0.8", port=3128), path="http://10.0.0.8:3128"),
        host="mcr.microsoft.com",
        via_proxy=True,
    )
    assert check("tcp_ip_blocked_silent", context(site)).startswith("$ nc -vz -w 8 10.0.0.8 ")
    assert check("proxy_unreachable", context(site)).startswith("$ nc -vz -w 8 10.0.0.8 3128")


def test_a_random_label_is_asked_for_by_its_pattern() -> None:
    """The label is another one in the next hour."""
    site = Site()
    site.add(
        trail(dns(name="egressd-probe-1.blob.core.windows.net"), tcp(), tls(), http(failure=Failure.RESET)),
        host="egressd-probe-1.blob.core.windows.net",
        pattern="*.blob.core.windows.net",
        sample=SampleKind.RANDOM,
    )
    assert "$ egressd --once --only '*.blob.core.windows.net'" in check("http_unknown", context(site))
    wildcard = check("site_wildcard_rule_incomplete", context(site))
    assert "-servername check-1a2b3c.blob.core.windows.net " in wildcard


@pytest.mark.parametrize(
    ("protocol", "url"),
    [(Protocol.HTTPS, "https://a.example:443/"), (Protocol.HTTP, "http://a.example:443/")],
)
def test_a_command_speaks_the_protocol_of_the_probe(protocol: Protocol, url: str) -> None:
    """A block page in TLS is not found by plain HTTP."""
    site = Site()
    site.add(good("a.example"), host="a.example", protocol=protocol)

    assert url in check("http_azure_firewall_denied", context(site))


def test_a_place_of_a_finding_is_checked_instead() -> None:
    """A revocation server is none of the targets."""
    text = check_by_hand(REASONS["pki_revocation_unreachable"], context(reset()), place="crl.example:80")

    assert text.splitlines()[0] == "$ curl -sv -o /dev/null http://crl.example/"
    assert "-connect 203.0.113.9:443 -servername mcr.microsoft.com" in text  # whose certificate names it


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda one: one.code)
def test_nothing_that_a_reader_must_fill_in_is_unexplained(reason: Reason) -> None:
    """Names in capitals stand only for what the sweep can't know, and say what to put there."""
    tunnel = through_proxy(tls(Failure.RESET, sni="mcr.microsoft.com"))
    for one in (tunnel,) if reason.code.startswith("proxy_") else (tunnel, context(reset())):
        text = check_by_hand(reason, one)
        commands = [line for line in text.splitlines() if line.startswith(("$ ", "  "))]
        left = re.findall(r"\b[A-Z]{3,}-[A-Z]{2,}(?:-[A-Z]+)*\b", " ".join(commands))
        assert all(f"{name}: " in text for name in left)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_never_reaches_a_command(value: str) -> None:
    """Whatever a report says a host, a resolver, an address or a proxy is called."""
    site = reset(host=value)
    direct = context(site)
    resolver = replace(direct, trail=replace(direct.trail, resolver=f"{value}:53"))
    tunnel = through_proxy(tls(Failure.RESET, sni=value), host=value, proxy=f"http://{value}:3128")
    for reason in REASONS.values():
        for one in (direct, resolver, tunnel):
            lines = [
                line for line in check_by_hand(reason, one).splitlines() if line.startswith(("$ ", "  "))
            ]
            words = [word for line in lines for word in line.split()]
            assert not any(word.startswith(value) for word in words)
            assert value.startswith("-") or not any(value in line for line in lines)
