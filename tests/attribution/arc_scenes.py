"""Recordings of rows that an Azure Arc gateway forwards: what the Arc proxy answers, and the gateway."""

from __future__ import annotations

from collections.abc import Callable

from egressd.model.observation import Failure, Observation
from egressd.model.recording import Trail
from egressd.model.settings import ARC_ROUTE, ProbeRoute, Proxy
from tests.attribution.recordings import (
    ADDRESS,
    Site,
    certificate,
    connect,
    dns,
    facts,
    good,
    http,
    tcp,
    tls,
    trail,
)

ARC_PROXY = "http://127.0.0.1:40343"
GATEWAY = "contoso.gw.arc.azure.com"
FORWARDED = "agentserviceapi.guestconfiguration.azure.com"
GATEWAY_REACHED = good(GATEWAY)
GATEWAY_SILENT = trail(dns(ADDRESS, name=GATEWAY), tcp(Failure.TIMEOUT))
GATEWAY_UNKNOWN = trail(dns(name=GATEWAY, failure=Failure.NXDOMAIN, rcode="NXDOMAIN"))
GATEWAY_INSPECTED = trail(
    dns(ADDRESS, name=GATEWAY),
    tcp(),
    tls(
        sni=GATEWAY,
        chain=(certificate(issuer="CN=Corp Inspection CA", aia=()),),
        about=facts(public=False, stored=True),
    ),
    http(),
)


def by_arc_proxy(
    *seen: Observation, gateway: Trail | None = None, beside: bool = False
) -> Callable[[], Site]:
    """One forwarded name through the Arc proxy, the gateway's own URL, and another name that gets through."""

    def build() -> Site:
        site = Site()
        site.arc_gateway = GATEWAY
        site.routes = (
            ProbeRoute(name=ARC_ROUTE, proxy=Proxy(url=ARC_PROXY), why=f"the Arc proxy of {GATEWAY}"),
        )
        dial = tcp(port=40343, address="127.0.0.1")
        site.add(
            trail(dial, *seen, path=ARC_PROXY, address="127.0.0.1") if seen else _refused(),
            host=FORWARDED,
            via_proxy=True,
            route=ARC_ROUTE,
        )
        if gateway is not None:
            site.add(gateway, host=GATEWAY)
        if beside:
            other = "other.guestconfiguration.azure.com"
            through = trail(dial, connect(), tls(sni=other), http(), path=ARC_PROXY, address="127.0.0.1")
            site.add(through, host=other, via_proxy=True, route=ARC_ROUTE)
        return site

    return build


def _refused() -> Trail:
    """Nothing listens at the Arc proxy's port any more."""
    refused = tcp(Failure.REFUSED, port=40343, address="127.0.0.1")
    return trail(refused, path=ARC_PROXY, address="127.0.0.1")
