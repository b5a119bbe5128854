"""Rows with an Azure Arc gateway in use: which it forwards, which way they go, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint, Forwarding, Need, Protocol, Samples
from egressd.model.plan import Plan
from egressd.model.settings import ARC_ROUTE, ArcGateway, Override, ProbeRoute, Proxy, Settings
from egressd.planning import make_plan
from egressd.planning.path.gateway import gateway_use
from egressd.planning.render import render_plan

GATEWAY = "contoso.gw.arc.azure.com"
LISTENING = "http://127.0.0.1:40343"
SETTINGS = Settings(
    profiles=("bridge",), arc_gateway=ArcGateway(prefix="contoso"), values=(("arc_gateway", "contoso"),)
)
FORWARDED = (("bridge", Forwarding.FORWARDED),)
DIRECT = (("bridge", Forwarding.DIRECT),)
Make = Callable[..., Endpoint]
Planned = Callable[..., Plan]


@pytest.fixture
def planned(catalog: Catalog, row: Make) -> Planned:
    """Return a function that plans a forwarded, a direct and an undocumented row beside the gateway's own."""

    def made(settings: Settings = SETTINGS, listening: str | None = LISTENING, *more: Endpoint) -> Plan:
        rows = (
            row("f", "forwarded.example", gateway=FORWARDED),
            row("d", "direct.example", gateway=DIRECT),
            row("u", "unknown.example"),
            row(
                "gateway",
                "*.gw.arc.azure.com",
                need=Need.CONDITIONAL,
                condition="a gateway is used",
                samples=Samples(templated=("{arc_gateway}.gw.arc.azure.com",)),
            ),
            *more,
        )
        return make_plan(
            replace(catalog, endpoints=rows), settings, label="x", nameservers=(), arc_proxy=listening
        )

    return made


def paths(plan: Plan) -> dict[str, str]:
    """Return the path of each target's row."""
    by_id = {one.id: one.endpoint for one in plan.targets}
    return {by_id[target]: plan.path_of(one) for one in plan.probes for target in one.targets}


def test_what_is_forwarded_goes_through_the_arc_proxy(planned: Planned) -> None:
    """The rest as without a gateway, whose own URL is required now."""
    plan = planned()
    assert paths(plan) == {"f": LISTENING, "d": "direct", "u": "direct", "gateway": "direct"}
    assert [one.route for one in plan.targets] == [ARC_ROUTE, None, None, None]
    assert plan.arc_gateway == GATEWAY
    own = next(one for one in plan.targets if one.endpoint == "gateway")
    assert (own.host, own.need, own.condition, own.owned) == (GATEWAY, Need.REQUIRED, None, False)


def test_without_an_arc_proxy_the_gateway_stands_for_it(planned: Planned) -> None:
    """What it forwards is not probed on its own, which the plan says row by row; nothing else changes."""
    plan = planned(SETTINGS, None)
    assert paths(plan) == {"d": "direct", "u": "direct", "gateway": "direct"}
    (left,) = plan.unsampled
    assert (left.endpoint, left.need) == ("f", Need.REQUIRED)
    assert left.why == (
        f"forwarded (documented for bridge): {GATEWAY} stands for it, as no Arc proxy listens here"
    )
    assert any("no Arc proxy listens on this host (port 40343)" in note for note in plan.notes)


def test_the_rest_goes_by_the_configured_proxy(planned: Planned) -> None:
    """It stands before the gateway, and what must be reached without the gateway goes through it alone."""
    given = replace(SETTINGS, proxy=Proxy(url="http://proxy.example:3128", bypass=("forwarded.example",)))
    assert paths(planned(given)) == {
        "f": LISTENING,
        "d": "http://proxy.example:3128",
        "u": "http://proxy.example:3128",
        "gateway": "http://proxy.example:3128",
    }


@pytest.mark.parametrize(
    ("settings", "listening", "path"),
    [
        (
            replace(SETTINGS, arc_gateway=ArcGateway(prefix="contoso", proxy="http://10.0.0.9:40343")),
            LISTENING,
            "http://10.0.0.9:40343",
        ),
        (replace(SETTINGS, proxy=Proxy(url="http://10.0.0.8:40343")), None, "http://10.0.0.8:40343"),
        (replace(SETTINGS, proxy=Proxy(url="http://10.0.0.8:3128")), LISTENING, LISTENING),
    ],
    ids=["named", "configured-at-its-port", "listens-here"],
)
def test_which_arc_proxy(planned: Planned, settings: Settings, listening: str | None, path: str) -> None:
    """The one that is named, a configured proxy at its port, or the one on this host."""
    assert paths(planned(settings, listening))["f"] == path


def test_no_gateway_changes_nothing(planned: Planned) -> None:
    """Without the key, annotations have no effect, whatever listens here."""
    plan = planned(replace(SETTINGS, arc_gateway=None))
    assert set(paths(plan).values()) == {"direct"}
    assert (plan.arc_gateway, plan.routes) == (None, ())
    assert {one.gateway for one in plan.targets} == {None}
    own = next(one for one in plan.targets if one.endpoint == "gateway")
    assert own.need is Need.CONDITIONAL


def test_the_gateway_is_probed_whatever_is_selected(catalog: Catalog, row: Make) -> None:
    """Where no selected product has its row, it has one of its own."""
    rows = (row("f", "forwarded.example", gateway=FORWARDED),)
    plan = make_plan(replace(catalog, endpoints=rows), SETTINGS, label="x", nameservers=())
    (target,) = plan.targets
    assert (target.endpoint, target.host, target.need) == ("arc-gateway", GATEWAY, Need.REQUIRED)


def test_an_override_still_wins(planned: Planned) -> None:
    """The operator may know that the gateway is not needed here."""
    given = replace(SETTINGS, overrides=(Override(match="gateway", need=Need.OPTIONAL),))
    own = next(one for one in planned(given).targets if one.endpoint == "gateway")
    assert own.need is Need.OPTIONAL


def test_an_endpoint_of_the_operators_own_is_left_alone(planned: Planned, row: Make) -> None:
    """No document speaks of it, and it is not counted among those that are not documented."""
    given = replace(SETTINGS, endpoints=(row("mine", "vmm.corp.example", profile=""),))
    plan = planned(given)
    assert paths(plan)["mine"] == "direct"
    assert next(one for one in plan.targets if one.endpoint == "mine").gateway is None
    assert not any("mine" in note for note in plan.notes)


def test_a_row_with_a_route_keeps_it(planned: Planned, row: Make) -> None:
    """Another program's way is not the agent's."""
    given = replace(SETTINGS, routes=(ProbeRoute(name="apt", proxy=None, why="apt uses no proxy"),))
    plan = planned(given, LISTENING, row("a", "packages.example", gateway=FORWARDED, route="apt"))
    assert paths(plan)["a"] == "direct"


@pytest.mark.parametrize(
    ("gateway", "asking", "word"),
    [
        (FORWARDED, ("bridge",), Forwarding.FORWARDED),
        (FORWARDED, ("vmm",), Forwarding.FORWARDED),  # the row's own product is what vmm includes
        ((("vmm", Forwarding.DIRECT),), ("bridge",), None),
        ((("vmm", Forwarding.DIRECT),), ("vmm",), Forwarding.DIRECT),
        ((("vmm", Forwarding.DIRECT), *FORWARDED), ("bridge", "vmm"), Forwarding.DIRECT),
        (
            (("vmm", Forwarding.FORWARDED), ("other", Forwarding.FORWARDED)),
            ("vmm", "other"),
            Forwarding.FORWARDED,
        ),
        ((("vmm", Forwarding.FORWARDED),), ("vmm", "other"), None),
        ((), ("bridge",), None),
    ],
)
def test_it_is_a_property_of_the_product(
    row: Make,
    gateway: tuple[tuple[str, Forwarding], ...],
    asking: tuple[str, ...],
    word: Forwarding | None,
) -> None:
    """Forwarded for all that ask, or not at all; silence of one is no permission."""
    assert gateway_use(row("a", "a.example", gateway=gateway), asking).word is word


@pytest.mark.parametrize(
    ("pattern", "protocol", "word"),
    [
        ("a.example", Protocol.HTTP, Forwarding.DIRECT),
        ("www.microsoft.com", Protocol.HTTP, Forwarding.FORWARDED),
        ("*.update.microsoft.com", Protocol.HTTP, Forwarding.FORWARDED),
        ("fe2.update.microsoft.com", Protocol.HTTP, Forwarding.FORWARDED),
        ("update.microsoft.com", Protocol.HTTP, Forwarding.DIRECT),
        ("time.windows.com", Protocol.NTP, Forwarding.DIRECT),
        ("a.example", Protocol.TCP, Forwarding.DIRECT),
        ("a.example", Protocol.WSS, Forwarding.FORWARDED),
        (GATEWAY, Protocol.HTTPS, Forwarding.DIRECT),
    ],
)
def test_only_what_a_tunnel_carries(row: Make, pattern: str, protocol: Protocol, word: Forwarding) -> None:
    """Of plain HTTP the gateway forwards two names, and of anything else nothing, whatever a row says."""
    assert gateway_use(row("a", pattern, protocol=protocol, gateway=FORWARDED), ("bridge",)).word is word


def test_the_operators_own_network_needs_no_gateway(row: Make) -> None:
    """Whatever the product's other rows say."""
    use = gateway_use(row("a", "vmm.corp.example", internal=True, gateway=FORWARDED), ("bridge",))
    assert (use.word, use.why) == (Forwarding.DIRECT, "it is on your own network")


def test_the_plan_says_which_and_why(planned: Planned) -> None:
    """Row by row, with the way in the heading and what is not documented in the notes."""
    text = render_plan(planned(), width=200)
    assert f"Azure Arc gateway: {GATEWAY}" in text
    assert f"arc-gateway: through {LISTENING}: the Arc proxy, which goes to {GATEWAY}" in text
    assert "f: Service of f (required); gateway: forwarded, documented for bridge" in text
    assert "d: Service of d (required); gateway: direct, bridge must reach this without it" in text
    assert "u: Service of u (required); gateway: not documented" in text
    assert "gateway: Service of gateway (required); gateway: direct, it is the gateway" in text
    assert "probed by the configured path: u" in text
