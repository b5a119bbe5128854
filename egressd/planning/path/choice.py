"""Which proxy carries a conversation: that of its route, or the configured one."""

from __future__ import annotations

from collections.abc import Iterable

from egressd.model.endpoint import Protocol
from egressd.model.settings import ProbeRoute, Proxy, Settings, proxy_for
from egressd.planning.path.bypass import bypass_entry

PROXIED = (Protocol.HTTPS, Protocol.HTTP, Protocol.WSS, Protocol.TLS)
"""Protocols that programs send through a proxy."""


def proxy_on_path(protocol: Protocol, settings: Settings, *, route: str | None = None) -> Proxy | None:
    """Return the proxy that carries a protocol, by a route or as configured; None: direct."""
    if protocol not in PROXIED:
        return None
    if route is None:
        return proxy_for(protocol, settings.plain_proxy, settings.proxy)
    return proxy_for(protocol, route_named(route, settings.routes).proxy)


def goes_through_proxy(
    host: str, port: int, protocol: Protocol, settings: Settings, *, route: str | None = None
) -> bool:
    """Return whether the programs that will run there would send it to a proxy."""
    proxy = proxy_on_path(protocol, settings, route=route)
    return proxy is not None and not bypass_entry(host, port, proxy.bypass)


def route_named(name: str, routes: Iterable[ProbeRoute]) -> ProbeRoute:
    """Return a route by its name."""
    found = next((one for one in routes if one.name == name), None)
    if found is None:
        raise RuntimeError(f"no route is called {name}")
    return found
