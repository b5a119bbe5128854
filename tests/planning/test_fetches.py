"""Certificate URLs are fetched on the path that programs would use, and never outside of a lab."""

from __future__ import annotations

from egressd.model.endpoint import Protocol
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe
from egressd.model.settings import ConnectTo, Limits, Proxy, Resolver, Settings, Source, Trust
from egressd.planning.probes import route_fetches

FETCH = ControlPlan(
    id="revocation:x",
    kind=ControlKind.REVOCATION,
    source="here",
    why="",
    host="crl.pki.example",
    port=80,
    protocol=Protocol.HTTP,
    url="/a.crl",
)
REPEAT = ControlPlan(id="repeat:x", kind=ControlKind.REPEAT, source="here", why="")


def plan_of(host: str) -> Plan:
    probe = Probe(id="p", host=host, port=443, protocol=Protocol.HTTPS, source="here", targets=())
    return Plan(
        region=None,
        cloud="public",
        catalog_revision="",
        catalog_digest="",
        config_digest="",
        targets=(),
        probes=(probe,),
        controls=(),
        sources=(Source(name="here"),),
        resolvers=(),
        trust=Trust(),
        limits=Limits(),
    )


def routed(settings: Settings, host: str = "a.example") -> ControlPlan:
    fetch, repeat = route_fetches((FETCH, REPEAT), settings, plan_of(host))
    assert repeat == REPEAT
    return fetch


def test_direct_without_a_proxy() -> None:
    """Without a proxy the URL is fetched directly."""
    assert routed(Settings()) == FETCH


def test_through_the_proxy_of_plain_http() -> None:
    """Programs use the proxy for port 80 as well, except for bypassed hosts."""
    proxy = Proxy(url="http://proxy.example:3128")
    assert routed(Settings(proxy=proxy)).via_proxy
    spared = Proxy(url="http://proxy.example:3128", bypass=(".pki.example",))
    assert not routed(Settings(proxy=spared)).via_proxy


def test_connect_to_redirects_fetches() -> None:
    """A `connect_to` entry for port 80 redirects fetches as well."""
    to = ConnectTo(match="*:80", address="127.0.0.1", port=8080)
    assert routed(Settings(connect_to=(to,))).connect_to == to


def test_fetches_do_not_leave_a_lab_on_loopback() -> None:
    """In a lab without an entry for the URL, it is not fetched."""
    settings = Settings(resolvers=(Resolver(name="lab", address="127.0.0.1", port=5353),))
    assert route_fetches((FETCH, REPEAT), settings, plan_of("127.0.0.1")) == (REPEAT,)
