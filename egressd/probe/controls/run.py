"""One control: which conversation its kind calls for, and the trails it leaves."""

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
from egressd.probe.context import TYPES, ProbeContext
from egressd.probe.controls.client_hello import probe_client_hello
from egressd.probe.controls.hops import trace_hops
from egressd.probe.controls.revocation import fetch_url
from egressd.probe.conversation import Conversation, run_conversation
from egressd.probe.via_proxy import run_control_via_proxy

CONTROL_TIMEOUT = 4.0
"""Seconds for a control that only dials or asks."""
NEARBY_TIMEOUT = 1.5
"""Seconds for what only a device on the way could answer: silence is the rule, and holds no sweep up."""


async def run_control(control: ControlPlan, context: ProbeContext) -> Control:
    """Run one control and return the trails it left."""
    match control.kind:
        case (
            ControlKind.TESTNET_DNS
            | ControlKind.SIBLING_NAME
            | ControlKind.KNOWN_NAME
            | ControlKind.DNS_TCP
            | ControlKind.OTHER_RESOLVER
        ):
            trails = await _ask(control, context)
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
            trails = await _dial(control, context)
        case (
            ControlKind.LARGE_HELLO
            | ControlKind.SMALL_HELLO
            | ControlKind.SPLIT_HELLO
            | ControlKind.NO_SNI
            | ControlKind.SNI_LAST
        ):
            trails = await _greet(control, context)
        case ControlKind.HOPS:
            trails = await _hops(control, context)
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


def _patience(control: ControlPlan) -> float:
    nearby = control.kind in (ControlKind.TESTNET_TCP, ControlKind.TESTNET_DNS)
    return NEARBY_TIMEOUT if nearby else CONTROL_TIMEOUT


async def _ask(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Ask the control's name of its resolver, or of every resolver that answers by message."""
    resolvers = _resolvers(control, context)
    source = context.source(control.source)
    timeout = min(_patience(control), context.limits.dns_timeout)
    ask = resolve.look_up_tcp if control.kind is ControlKind.DNS_TCP else resolve.look_up
    trails = []
    for resolver in resolvers:
        answer = await ask(
            control.host, TYPES[Family.IPV4], resolver=resolver, source=source, timeout=timeout
        )
        trails.append(_trail(control, None, (answer,), resolver=resolver.name))
    return tuple(trails)


def _resolvers(control: ControlPlan, context: ProbeContext) -> tuple[Resolver, ...]:
    if control.address is not None:
        name = control.resolver or f"{control.address}:{control.port}"
        return (Resolver(name=name, address=control.address, port=control.port),)
    spoken = tuple(resolver for resolver in context.resolvers if not resolver.is_system)
    return tuple(resolver for resolver in spoken if control.resolver in (None, resolver.name))


async def _dial(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Dial the control's address and speak its protocol."""
    if control.address is None:
        return ()
    timeout = context.limits.deadline if control.kind is ControlKind.REPEAT else _patience(control)
    conversation = Conversation(
        probe=_probe(control, context),
        context=context,
        deadline=Deadline.after(timeout),
        seen=[],
        store=context.store.unverified if control.kind is ControlKind.LOOK_INSIDE else context.store,
    )
    if control.tunnel:
        path = await run_control_via_proxy(conversation, control)
        return (replace(_trail(control, control.address, tuple(conversation.seen)), path=path),)
    await run_conversation(conversation, control.address, control.port, max_segment=control.max_segment)
    return (_trail(control, control.address, tuple(conversation.seen)),)


async def _greet(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    if control.address is None:
        return ()
    seen = await probe_client_hello(control, control.address, context, seconds=CONTROL_TIMEOUT)
    return (_trail(control, control.address, seen),)


async def _hops(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Leave a trail for each hop limit."""
    if control.address is None:
        return ()
    found = await trace_hops(control, control.address, context)
    return tuple(_trail(control, control.address, seen) for seen in found)


def _probe(control: ControlPlan, context: ProbeContext) -> Probe:
    """Return the probe to hold: the subject's own for a repeat, a bare one for the rest.

    Looking inside a forged session sends `GET /` and nothing that could be secret.
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
