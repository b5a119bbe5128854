"""The way to what an Azure Arc gateway forwards: the Arc proxy of this host, or the gateway's URL instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from msgspec.structs import replace

from egressd.model.endpoint import Forwarding
from egressd.model.settings import ARC_PROXY_PORT, ARC_ROUTE, ArcGateway, ProbeRoute, Proxy, Settings
from egressd.planning.select import SelectedRow


def route_by_gateway(
    rows: Iterable[SelectedRow], settings: Settings, *, listening: str | None
) -> tuple[tuple[SelectedRow, ...], Settings]:
    """Send what the gateway forwards through the Arc proxy; without one, the gateway's URL stands for it.

    `listening` is the URL of the Arc proxy on this host. The settings come back with the route.
    """
    gateway = settings.arc_gateway
    if gateway is None:
        return tuple(rows), settings
    proxy = _arc_proxy(gateway, settings.proxy, listening=listening)
    if proxy is None:
        return tuple(_stood_for(row, gateway) for row in rows), settings
    route = ProbeRoute(name=ARC_ROUTE, proxy=proxy, why=f"the Arc proxy, which goes to {gateway.host}")
    return tuple(map(_routed, rows)), replace(settings, routes=(*settings.routes, route))


def _arc_proxy(gateway: ArcGateway, configured: Proxy | None, *, listening: str | None) -> Proxy | None:
    """Return the Arc proxy: the one that is named, a configured proxy at its port, or the one on this host.

    Its bypass list is empty: the agent has none where a gateway is used.
    """
    if gateway.proxy is not None:
        return Proxy(url=gateway.proxy)
    if configured is not None and urlsplit(configured.url).port == ARC_PROXY_PORT:
        return replace(configured, bypass=())
    return Proxy(url=listening) if listening is not None else None


def _routed(row: SelectedRow) -> SelectedRow:
    return replace(row, endpoint=replace(row.endpoint, route=ARC_ROUTE)) if is_forwarded(row) else row


def _stood_for(row: SelectedRow, gateway: ArcGateway) -> SelectedRow:
    if row.gateway is None or not is_forwarded(row):
        return row
    return replace(
        row,
        stand_in=f"forwarded ({row.gateway.why}): {gateway.host} stands for it, as no Arc proxy listens here",
    )


def gateway_notes(rows: Iterable[SelectedRow], settings: Settings) -> Iterator[str]:
    """Yield what the reader of a plan should know of the gateway in use."""
    gateway, rows = settings.arc_gateway, tuple(rows)
    if gateway is None:
        return
    if waiting := [row.endpoint.id for row in rows if row.stand_in]:
        yield (
            f"no Arc proxy listens on this host (port {ARC_PROXY_PORT}): {gateway.host} stands for what it "
            f"forwards: {', '.join(waiting)}"
        )
    if unknown := [row.endpoint.id for row in rows if row.gateway and row.gateway.word is None]:
        yield (
            "no document says whether the Arc gateway forwards them, so they are probed by the configured "
            f"path: {', '.join(unknown)}"
        )


def is_forwarded(row: SelectedRow) -> bool:
    """Return whether the gateway in use forwards a row, which has no route of its own."""
    forwarded = row.gateway is not None and row.gateway.word is Forwarding.FORWARDED
    return forwarded and row.endpoint.route is None
