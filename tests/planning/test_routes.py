"""Rows that take another way than the rest: their proxies, their probes, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint, Protocol
from egressd.model.plan import ControlKind, ControlPlan, Plan
from egressd.model.settings import ConnectTo, ProbeRoute, Proxy, Settings, Traffic
from egressd.planning import make_plan
from egressd.planning.probes import route_fetches
from egressd.planning.render import render_plan

OWN = Proxy(url="http://packages.example:8080", bypass=("near.example",), password="hunter2")
ROUTES = (
    ProbeRoute(name="packages", proxy=OWN, why="as the package manager is configured"),
    ProbeRoute(name="straight", proxy=None, why="the package manager uses no proxy"),
    ProbeRoute(name="unused", proxy=Proxy(url="http://unused.example:1"), why="nobody's"),
)
CONFIGURED = Proxy(url="http://proxy.example:3128")
SETTINGS = Settings(profiles=("bridge",), proxy=CONFIGURED, routes=ROUTES)
Make = Callable[..., Endpoint]
Planned = Callable[..., Plan]


@pytest.fixture
def planned(catalog: Catalog, row: Make) -> Planned:
    """Return a function that plans the same host by the configured path, a proxy of its own, and directly."""

    def made(settings: Settings = SETTINGS, host: str = "a.example", **changes: object) -> Plan:
        ways = {"usual": None, "own": "packages", "none": "straight"}
        rows = tuple(row(name, host, route=route, **changes) for name, route in ways.items())
        return make_plan(replace(catalog, endpoints=rows), settings, label="x", nameservers=())

    return made


def paths(plan: Plan) -> list[tuple[str, str | None, bool]]:
    """Return path, route and whether a proxy carries it, of each probe."""
    return [(plan.path_of(one), one.route, one.via_proxy) for one in plan.probes]


def test_the_same_host_by_three_ways_is_three_probes(planned: Planned) -> None:
    """Each decides the target of its own row, and only the ways that are taken are part of the plan."""
    plan = planned()
    assert paths(plan) == [
        (CONFIGURED.url, None, True),
        (OWN.url, "packages", True),
        ("direct", "straight", False),
    ]
    assert [one.targets for one in plan.probes] == [
        ("usual/a.example:443",),
        ("own/a.example:443",),
        ("none/a.example:443",),
    ]
    assert len({one.id for one in plan.probes}) == 3
    assert [one.name for one in plan.routes] == ["packages", "straight"]


def test_rows_of_one_route_share_a_probe(catalog: Catalog, row: Make) -> None:
    """As rows of the configured path do."""
    rows = tuple(row(name, "a.example", route="packages") for name in "ab")
    plan = make_plan(replace(catalog, endpoints=rows), SETTINGS, label="x", nameservers=())
    assert [one.targets for one in plan.probes] == [("a/a.example:443", "b/a.example:443")]


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        (replace(SETTINGS, proxy=None), (OWN.url, "packages", True)),
        (
            replace(
                SETTINGS,
                routes=(replace(ROUTES[0], proxy=replace(OWN, carries=(Traffic.PLAIN,))), *ROUTES[1:]),
            ),
            ("direct", "packages", False),
        ),
    ],
    ids=["no-proxy-configured", "carries-plain-http-only"],
)
def test_a_route_does_not_depend_on_the_configured_proxy(
    planned: Planned, settings: Settings, own: tuple[str, str, bool]
) -> None:
    """Nor does what its proxy does not carry fall back to it."""
    assert paths(planned(settings))[1] == own


def test_a_route_has_a_bypass_list_of_its_own(planned: Planned) -> None:
    """The configured list does not count for it."""
    given = replace(SETTINGS, proxy=replace(CONFIGURED, bypass=("a.example",)))
    assert paths(planned(given))[:2] == [("direct", None, False), (OWN.url, "packages", True)]
    near = planned(host="near.example")
    assert paths(near)[1] == ("direct", "packages", False)
    assert "default by packages, direct (near.example)" in render_plan(near)


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.NTP])
def test_what_no_proxy_carries_goes_directly(planned: Planned, protocol: Protocol) -> None:
    """Whatever route its row names."""
    assert {one[0] for one in paths(planned(protocol=protocol, port=123))} == {"direct"}


def test_redirections_are_for_connections_of_our_own(planned: Planned) -> None:
    """A row that goes directly by its route is redirected where the proxied one is not."""
    to = ConnectTo(match="a.example:443", address="127.0.0.1", port=10443)
    plan = planned(replace(SETTINGS, connect_to=(to,)))
    assert [one.connect_to for one in plan.probes] == [None, None, to]


def test_only_the_configured_path_is_compared(planned: Planned) -> None:
    """Comparing is about the configured proxy; a row with a route does not ask it."""
    plan = planned(replace(SETTINGS, compare_paths=True))
    assert [(one.route, one.contrast) for one in plan.probes] == [
        (None, False),
        (None, True),
        ("packages", False),
        ("straight", False),
    ]


def test_redirects_follow_the_route(planned: Planned) -> None:
    """A program follows a redirect the way it came; revocation is asked for as the host is configured."""
    fetch = ControlPlan(
        id="f", kind=ControlKind.REDIRECT, source="default", why="", host="b.example", protocol=Protocol.HTTPS
    )
    some = (replace(fetch, route="packages"), replace(fetch, route="straight"), fetch)
    routed = route_fetches(some, SETTINGS, planned())
    assert [one.via_proxy for one in routed] == [True, False, True]


def test_the_plan_says_which_way_and_why(planned: Planned) -> None:
    """Without the password of the route's proxy."""
    text = render_plan(planned())
    assert "packages: through http://packages.example:8080: as the package manager is configured" in text
    assert "straight: direct: the package manager uses no proxy" in text
    assert "default by packages\n" in text
    assert "unused" not in text
    assert "hunter2" not in text + repr(planned())
