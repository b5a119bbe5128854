"""Controls about names: is it the name, the resolver, its slowness, the family, or somebody on the way?"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import control_for, other_host
from egressd.model.endpoint import Protocol
from egressd.model.observation import DnsObservation, Failure
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.settings import Family

KNOWN_NAME = "management.azure.com"
"""Looked up at a resolver that answered nothing, where the plan has no other name."""
SIBLING_LABEL = "egressd-control"
UNRELATED_ZONE = "example.com"
"""A zone that belongs to no product and has no wildcard (RFC 2606)."""
RESOLVER_CODES = frozenset(
    {"dns_resolver_unreachable", "dns_refused_client", "dns_servfail", "dns_no_listener"}
)
SILENT_CODES = frozenset({"dns_dropped_name", "dns_aaaa_broken", "dns_slow"})
DENIED_CODES = frozenset({"dns_name_absent", "dns_nxdomain_filtered", "dns_nodata_filtered"})
WRONG_ADDRESS_CODES = frozenset(
    {"dns_null_answer", "dns_bogon_answer", "dns_synthetic_address", "dns_unexpected_address"}
)


def lookup_controls(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    """Yield the controls that a lookup without an address calls for; `code` is its reason."""
    own = context.dns
    if context.uses_system_resolver or context.probe.protocol is Protocol.DNS or own is None:
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
    yield from patience_controls(context, code)
    if own.failure is Failure.NODATA:  # NXDOMAIN holds for every type (RFC 8020)
        yield from _other_family(context, own)
    if code in DENIED_CODES:
        yield from _injection(context, own)


def patience_controls(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    """Ask a question that got no answer in time again, later: a resolver may only be slow."""
    own = context.dns
    if own is None or code not in SILENT_CODES or context.uses_system_resolver:
        return
    if own.failure is Failure.TIMEOUT:
        plan = control_for(
            context,
            ControlKind.DNS_REPEAT,
            host=own.name,
            why="the same question, later and with more patience, tells a slow resolver from a filter",
        )
        yield replace(plan, family=context.trail.family, id=f"{plan.id}:{own.type}")


def answer_controls(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    """Yield the controls that an address calls for which can't be the server's."""
    own = context.dns
    if own is None or context.proxied or context.trail.redirected or context.uses_system_resolver:
        return
    if code in WRONG_ADDRESS_CODES:
        yield from _injection(context, own)


def sibling_control(context: TrailContext, name: str, why: str) -> Iterator[ControlPlan]:
    """Yield a lookup of a label that can't exist in the zone of a name.

    Where it has the address of the name, a label of an unrelated zone follows: a zone may have a wildcard.
    """
    _, _, zone = name.rstrip(".").partition(".")
    if not zone:
        return
    plan = control_for(context, ControlKind.SIBLING_NAME, host=f"{SIBLING_LABEL}.{zone}", why=why)
    yield plan
    same = any(
        context.address in one.answers
        for one in context.control_results(ControlKind.SIBLING_NAME, DnsObservation)
    )
    if context.address and same and domain_of(zone) != UNRELATED_ZONE:
        why = "a label of an unrelated zone tells a resolver that rewrites from a zone with a wildcard"
        yield replace(
            plan, id=f"{plan.id}:{UNRELATED_ZONE}", host=f"{SIBLING_LABEL}.{UNRELATED_ZONE}", why=why
        )


def _other_family(context: TrailContext, own: DnsObservation) -> Iterator[ControlPlan]:
    """Ask for the other family where nobody did: the name may have addresses of that one only."""
    asked = {one.type for _, one in observations(context.probe_trails, DnsObservation)}
    if len(asked) > 1:
        return
    other = Family.IPV4 if context.trail.family is Family.IPV6 else Family.IPV6
    why = "addresses of the other family tell a name without one from a name that does not exist"
    plan = control_for(context, ControlKind.OTHER_FAMILY, host=own.name, why=why)
    yield replace(plan, family=other)


def _injection(context: TrailContext, own: DnsObservation) -> Iterator[ControlPlan]:
    """Ask an address that runs no DNS for the name: an answer is made up by a device on the way."""
    base = next(
        (
            one
            for one in context.index.recording.plan.controls
            if one.kind is ControlKind.TESTNET_DNS and one.source == context.source
        ),
        None,
    )
    if base is not None and context.source not in context.index.dns_intercepted:
        yield replace(
            base,
            id=f"{base.id}|{own.name.lower()}",
            subject=context.probe.id,
            host=own.name,
            family=context.trail.family,
            why="no server has this address: an answer for this name alone is injected on the way",
        )
