"""The path of each target, why, and both paths where they are compared."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint, Protocol
from egressd.model.plan import Plan
from egressd.model.settings import ConnectTo, Proxy, Settings, Traffic
from egressd.planning import make_plan
from egressd.planning.render import render_plan

PROXY = Proxy(url="http://proxy.example:3128", bypass=(".corp.example",))
SETTINGS = Settings(profiles=("bridge",), proxy=PROXY)
Make = Callable[..., Endpoint]


@pytest.fixture
def plan(catalog: Catalog, row: Make) -> Callable[..., Plan]:
    """Return a function that plans one https and one http endpoint of a host."""

    def made(settings: Settings, host: str = "a.example") -> Plan:
        rows = (row("s", host), row("p", host, protocol=Protocol.HTTP, port=80))
        return make_plan(replace(catalog, endpoints=rows), settings, label="x", nameservers=())

    return made


def test_the_deciding_entry_is_kept_and_shown(plan: Callable[..., Plan]) -> None:
    """The plan shows which entry of the bypass list exempts a target from the proxy."""
    made = plan(SETTINGS, "a.corp.example")
    assert [(one.via_proxy, one.bypassed_by) for one in made.probes] == [(False, ".corp.example")] * 2
    assert "default direct (.corp.example)" in render_plan(made)
    other = plan(SETTINGS)
    assert [(one.via_proxy, one.bypassed_by) for one in other.probes] == [(True, "")] * 2
    assert "default via proxy\n" in render_plan(other)


@pytest.mark.parametrize(
    ("settings", "paths", "shown"),
    [
        (SETTINGS, [PROXY.url] * 2, "Path: through http://proxy.example:3128 unless bypassed\n"),
        (
            replace(SETTINGS, proxy=replace(PROXY, carries=(Traffic.TUNNELS,), origin="HTTPS_PROXY")),
            [PROXY.url, "direct"],
            "Path: TLS through http://proxy.example:3128 (HTTPS_PROXY) unless bypassed, the rest direct\n",
        ),
        (
            replace(
                SETTINGS,
                proxy=replace(PROXY, carries=(Traffic.TUNNELS,)),
                plain_proxy=Proxy(url="http://other.example:80", carries=(Traffic.PLAIN,)),
            ),
            [PROXY.url, "http://other.example:80"],
            (
                "Path: TLS through http://proxy.example:3128 unless bypassed, plain HTTP through "
                "http://other.example:80 unless bypassed\n"
            ),
        ),
    ],
    ids=["one", "tunnels-only", "two"],
)
def test_what_a_proxy_carries(
    plan: Callable[..., Plan], settings: Settings, paths: list[str], shown: str
) -> None:
    """The environment may name a proxy for one kind of traffic only, or two proxies."""
    made = plan(settings)
    assert [made.path_of(one) for one in made.probes] == paths
    assert shown in render_plan(made, width=200)


def test_both_paths_of_each_target(plan: Callable[..., Plan]) -> None:
    """The path that is not taken is probed beside the other, decides nothing, and is shown as such."""
    made = plan(replace(SETTINGS, compare_paths=True))
    seen = [(one.port, made.path_of(one), one.contrast, one.targets) for one in made.probes]
    assert seen == [
        (443, PROXY.url, False, ("s/a.example:443",)),
        (443, "direct", True, ("s/a.example:443",)),
        (80, PROXY.url, False, ("p/a.example:80",)),
        (80, "direct", True, ("p/a.example:80",)),
    ]
    assert len({one.id for one in made.probes}) == len(made.probes)
    assert "default via proxy, default direct to compare" in render_plan(made)


def test_a_bypassed_target_is_compared_with_the_proxy(plan: Callable[..., Plan]) -> None:
    """There the direct path decides."""
    made = plan(replace(SETTINGS, compare_paths=True), "a.corp.example")
    assert [(made.path_of(one), one.contrast) for one in made.probes][:2] == [
        ("direct", False),
        (PROXY.url, True),
    ]


def test_what_no_proxy_carries_is_not_compared(catalog: Catalog, row: Make) -> None:
    """Nor is a random label: it has no host to reach."""
    rows = (row("t", "a.example", protocol=Protocol.TCP, port=22),)
    given = replace(SETTINGS, compare_paths=True)
    made = make_plan(replace(catalog, endpoints=rows), given, label="x", nameservers=())
    assert [(one.via_proxy, one.contrast) for one in made.probes] == [(False, False)]
    whole = make_plan(catalog, given, label="x", nameservers=())
    assert not [one for one in whole.probes if one.siblings and one.contrast]


def test_only_direct_connections_are_redirected(plan: Callable[..., Plan]) -> None:
    """The proxy connects to the target; `connect_to` is for our own connections."""
    to = ConnectTo(match="a.example:443", address="127.0.0.1", port=10443)
    made = plan(replace(SETTINGS, compare_paths=True, connect_to=(to,)))
    assert [one.connect_to for one in made.probes[:2]] == [None, to]
