"""What comes before the first packet: the plan of a sweep, and sources that this host has."""

from __future__ import annotations

import platform
import secrets

from msgspec.structs import replace

from egressd.errors import AbsentSourceError
from egressd.model.catalog import Catalog, Discovery
from egressd.model.plan import Plan
from egressd.model.settings import ARC_PROXY_PORT, ARC_ROUTE, Settings
from egressd.net.resolve import system_nameservers
from egressd.net.sockets.listening import loopback_listener
from egressd.net.vantage import local_addresses, local_interfaces, unusable_sources
from egressd.planning import make_plan
from egressd.wording import host_port

MAX_SHOWN = 12
"""Addresses, or interfaces, listed in the error about one that does not exist."""


def plan_sweep(
    settings: Settings,
    catalog: Catalog,
    *,
    label: str = "",
    discoveries: tuple[Discovery, ...] = (),
    before: Plan | None = None,
) -> Plan:
    """Plan a sweep; this host's resolver files and list of sockets are read, nothing is sent.

    `label` is the random label of wildcard samples; empty: a new one. `before` is the plan that this one
    takes the place of: an Arc proxy that was found for it is still tried, so that its end is seen.

    Raises:
        UsageError: the settings name a profile that does not exist, or nothing at all.
    """
    nameservers = system_nameservers() if any(one.is_system for one in settings.resolvers) else ()
    return make_plan(
        catalog,
        replace(settings, site=settings.chosen_site or platform.node()),
        discoveries=discoveries,
        label=label or f"egressd-probe-{secrets.token_hex(4)}",
        nameservers=nameservers,
        arc_proxy=_listening_arc_proxy() or _known_arc_proxy(before) if settings.arc_gateway else None,
    )


def _listening_arc_proxy() -> str | None:
    """Return the URL of the Arc proxy on this host, by the kernel's list of sockets; None: there is none."""
    address = loopback_listener(ARC_PROXY_PORT)
    return f"http://{host_port(address, ARC_PROXY_PORT)}" if address else None


def _known_arc_proxy(before: Plan | None) -> str | None:
    routes = before.routes if before is not None else ()
    return next((one.proxy.url for one in routes if one.name == ARC_ROUTE and one.proxy is not None), None)


def refuse_absent_sources(settings: Settings) -> None:
    """Check that probes can leave from the configured sources.

    Raises:
        AbsentSourceError: an address or interface is not on this host.
    """
    problems = unusable_sources(settings.sources)
    if problems:
        addresses = ", ".join(local_addresses()[:MAX_SHOWN]) or "none that can be read"
        interfaces = ", ".join(local_interfaces()[:MAX_SHOWN])
        known = f"the addresses of this host are {addresses}; its interfaces {interfaces}"
        raise AbsentSourceError(tuple(f"sources: {one}; {known}" for one in problems))
