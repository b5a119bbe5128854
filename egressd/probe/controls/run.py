"""Running one control: what to send depends on its kind; the result is its trails."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from egressd.model.endpoint import Protocol
from egressd.model.observation import Observation
from egressd.model.plan import ControlKind, ControlPlan, Probe
from egressd.model.recording import Control, Trail
from egressd.model.settings import Family, Resolver
from egressd.net import resolve
from egressd.probe.budget import Deadline
from egressd.probe.candidates import DIRECT
from egressd.probe.context import RECORD_TYPES, ProbeContext
from egressd.probe.controls.client_hello import probe_client_hello
from egressd.probe.controls.hops import trace_hops
from egressd.probe.controls.revocation import fetch_url
from egressd.probe.conversation import Conversation, run_conversation
from egressd.probe.via_proxy import run_control_via_proxy

CONTROL_TIMEOUT = 4.0
"""Seconds for a control that only connects or queries."""
NEARBY_TIMEOUT = 1.5
"""Seconds for an address that only a device on the path can answer: the usual result is a timeout."""


async def run_control(control: ControlPlan, context: ProbeContext) -> Control:
    """Run one control and return its trails."""
    match control.kind:
        case (
            ControlKind.TESTNET_DNS
            | ControlKind.SIBLING_NAME
            | ControlKind.KNOWN_NAME
            | ControlKind.DNS_TCP
            | ControlKind.OTHER_RESOLVER
        ):
            trails = await _query_resolvers(control, context)
        case (
            ControlKind.TESTNET_TCP
            | ControlKind.PORT_CONTRAST
            | ControlKind.SNI_CONTRAST
            | ControlKind.ADDRESS_CONTRAST
            | ControlKind.SMALL_MSS
            | ControlKind.LOOK_INSIDE
            | ControlKind.REPEAT
            | ControlKind.CLOCK
        ):
            trails = await _run_conversation(control, context)
        case (
            ControlKind.LARGE_HELLO
            | ControlKind.SMALL_HELLO
            | ControlKind.SPLIT_HELLO
            | ControlKind.NO_SNI
            | ControlKind.SNI_LAST
        ):
            trails = await _send_client_hello(control, context)
        case ControlKind.HOPS:
            trails = await _trace_hops(control, context)
        case ControlKind.REVOCATION:
            trails = await fetch_url(control, context, seconds=CONTROL_TIMEOUT)
        case _:
            assert_never(control.kind)
    return Control(
        id=control.id,
        kind=control.kind,
        source=control.source,
        subject=control.subject,
        why=control.why,
        host=control.host,
        address=control.address,
        port=control.port,
        trails=trails,
        url=control.url,
    )


def _timeout(control: ControlPlan) -> float:
    nearby = control.kind in (ControlKind.TESTNET_TCP, ControlKind.TESTNET_DNS)
    return NEARBY_TIMEOUT if nearby else CONTROL_TIMEOUT


async def _query_resolvers(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Look the control's name up at its resolver, or at every resolver except getaddrinfo."""
    resolvers = _resolvers_of(control, context)
    source = context.source(control.source)
    timeout = min(_timeout(control), context.limits.dns_timeout)
    look_up = resolve.look_up_tcp if control.kind is ControlKind.DNS_TCP else resolve.look_up
    trails = []
    for resolver in resolvers:
        answer = await look_up(
            control.host, RECORD_TYPES[Family.IPV4], resolver=resolver, source=source, timeout=timeout
        )
        trails.append(_trail(control, None, (answer,), resolver=resolver.name))
    return tuple(trails)


def _resolvers_of(control: ControlPlan, context: ProbeContext) -> tuple[Resolver, ...]:
    if control.address is not None:
        name = control.resolver or f"{control.address}:{control.port}"
        return (Resolver(name=name, address=control.address, port=control.port),)
    by_message = tuple(resolver for resolver in context.resolvers if not resolver.is_system)
    return tuple(resolver for resolver in by_message if control.resolver in (None, resolver.name))


async def _run_conversation(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Connect to the control's address and run the phases of its protocol."""
    if control.address is None:
        return ()
    timeout = context.limits.deadline if control.kind is ControlKind.REPEAT else _timeout(control)
    conversation = Conversation(
        probe=_probe_of(control, context),
        context=context,
        deadline=Deadline.after(timeout),
        store=context.store.unverified if control.kind is ControlKind.LOOK_INSIDE else None,
    )
    if control.tunnel:
        path = await run_control_via_proxy(conversation, control)
        return (replace(_trail(control, control.address, tuple(conversation.seen)), path=path),)
    await run_conversation(conversation, control.address, control.port, max_segment=control.max_segment)
    return (_trail(control, control.address, tuple(conversation.seen)),)


async def _send_client_hello(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    if control.address is None:
        return ()
    seen = await probe_client_hello(control, control.address, context, seconds=CONTROL_TIMEOUT)
    return (_trail(control, control.address, seen),)


async def _trace_hops(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Return a trail for each hop limit."""
    if control.address is None:
        return ()
    found = await trace_hops(control, control.address, context)
    return tuple(_trail(control, control.address, seen) for seen in found)


def _probe_of(control: ControlPlan, context: ProbeContext) -> Probe:
    """Return the probe to run: the subject itself for a repeat, otherwise a bare one for the control's host.

    Inside a session that did not verify, `GET /` is sent and nothing secret.
    """
    if control.kind is ControlKind.REPEAT:
        subject = next(one for one in context.plan.probes if one.id == control.subject)
        return replace(subject, connect_to=None, siblings=())
    protocol = Protocol.TLS if control.protocol.encrypted else Protocol.TCP
    if control.kind is ControlKind.LOOK_INSIDE:
        protocol = Protocol.HTTPS
    if control.tunnel and protocol is Protocol.TCP:
        protocol = Protocol.TLS
    return Probe(
        id=control.id,
        host=control.host,
        port=control.port,
        protocol=protocol,
        source=control.source,
        targets=(),
    )


def _trail(
    control: ControlPlan, address: str | None, seen: tuple[Observation, ...], *, resolver: str = ""
) -> Trail:
    return Trail(
        source=control.source,
        family=Family.IPV6 if address and ":" in address else Family.IPV4,
        address=address,
        path=DIRECT,
        observations=seen,
        resolver=resolver,
    )
