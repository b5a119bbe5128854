"""Controls for a failed lookup: a name that must exist, or a sibling label in the zone of the missing one."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import control_for, other_host
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind, ControlPlan

KNOWN_NAME = "management.azure.com"
"""Looked up at a resolver that answered nothing, where the plan has no other name."""
SIBLING_LABEL = "egressd-control"
RESOLVER_CODES = frozenset(
    {"dns_resolver_unreachable", "dns_refused_client", "dns_servfail", "dns_no_listener"}
)


def lookup_controls(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    """Yield the controls that a lookup without an address calls for; `code` is its reason."""
    if context.uses_system_resolver or context.probe.protocol is Protocol.DNS:
        return
    own = context.dns
    if own is None:
        return
    if code in RESOLVER_CODES and not context.resolver_stats.answered:
        yield control_for(
            context,
            ControlKind.KNOWN_NAME,
            host=other_host(context) or KNOWN_NAME,
            why="a name that must exist tells a dead resolver from a filtered name",
        )
    elif own.failure is Failure.NXDOMAIN and code == "dns_nxdomain_filtered":
        yield from sibling_control(
            context, own.name, "a sibling label tells a filtered name from a filtered zone"
        )
    elif code == "dns_dropped_name":
        yield from sibling_control(
            context, own.name, "a sibling label tells a dropped name from a zone out of reach"
        )


def sibling_control(context: TrailContext, name: str, why: str) -> Iterator[ControlPlan]:
    """Yield a lookup of a label that can't exist in the zone of a name."""
    _, _, zone = name.rstrip(".").partition(".")
    if zone:
        yield control_for(context, ControlKind.SIBLING_NAME, host=f"{SIBLING_LABEL}.{zone}", why=why)
