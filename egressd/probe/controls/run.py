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
from egressd.probe.controls.hello import greet_at
from egressd.probe.controls.hops import sweep_hops
from egressd.probe.controls.revocation import fetch_url
from egressd.probe.conversation import Conversation, converse
from egressd.probe.edge import TYPES, Edge
from egressd.probe.names import DIRECT
from egressd.probe.proxied import control_through_proxy

CONTROL_TIMEOUT = 4.0
"""Seconds for a control that only dials or asks."""
NEARBY_TIMEOUT = 1.5
"""Seconds for what only a device on the way could answer: silence is the rule, and holds no sweep up."""


async def run_control(control: ControlPlan, edge: Edge) -> Control:
    """Run one control and return the trails it left."""
    match control.kind:
        case (
            ControlKind.TESTNET_DNS
            | ControlKind.SIBLING_NAME
            | ControlKind.KNOWN_NAME
            | ControlKind.DNS_TCP
            | ControlKind.OTHER_RESOLVER
        ):
            trails = await _ask(control, edge)
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
            trails = await _dial(control, edge)
        case (
            ControlKind.LARGE_HELLO
            | ControlKind.SMALL_HELLO
            | ControlKind.SPLIT_HELLO
            | ControlKind.NO_SNI
            | ControlKind.SNI_LAST
        ):
            trails = await _greet(control, edge)
        case ControlKind.HOPS:
            trails = await _hops(control, edge)
        case ControlKind.REVOCATION:
            trails = await fetch_url(control, edge, seconds=CONTROL_TIMEOUT)
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


async def _ask(control: ControlPlan, edge: Edge) -> tuple[Trail, ...]:
    """Ask the control's name of its resolver, or of every voice that answers by message."""
    voices = _voices(control, edge)
    source = edge.source(control.source)
    timeout = min(_patience(control), edge.limits.dns_timeout)
    ask = resolve.look_up_tcp if control.kind is ControlKind.DNS_TCP else resolve.look_up
    trails = []
    for voice in voices:
        answer = await ask(control.host, TYPES[Family.IPV4], voice=voice, source=source, timeout=timeout)
        trails.append(_trail(control, None, (answer,), resolver=voice.name))
    return tuple(trails)


def _voices(control: ControlPlan, edge: Edge) -> tuple[Resolver, ...]:
    if control.address is not None:
        name = control.resolver or f"{control.address}:{control.port}"
        return (Resolver(name=name, address=control.address, port=control.port),)
    spoken = tuple(voice for voice in edge.voices if not voice.is_system)
    return tuple(voice for voice in spoken if control.resolver in (None, voice.name))


async def _dial(control: ControlPlan, edge: Edge) -> tuple[Trail, ...]:
    """Dial the control's address and speak its protocol."""
    if control.address is None:
        return ()
    timeout = edge.limits.deadline if control.kind is ControlKind.REPEAT else _patience(control)
    conversation = Conversation(
        probe=_probe(control, edge),
        edge=edge,
        deadline=Deadline.after(timeout),
        seen=[],
        store=edge.store.unverified if control.kind is ControlKind.LOOK_INSIDE else edge.store,
    )
    if control.tunnel:
        path = await control_through_proxy(conversation, control)
        return (replace(_trail(control, control.address, tuple(conversation.seen)), path=path),)
    await converse(conversation, control.address, control.port, max_segment=control.max_segment)
    return (_trail(control, control.address, tuple(conversation.seen)),)


async def _greet(control: ControlPlan, edge: Edge) -> tuple[Trail, ...]:
    if control.address is None:
        return ()
    seen = await greet_at(control, control.address, edge, seconds=CONTROL_TIMEOUT)
    return (_trail(control, control.address, seen),)


async def _hops(control: ControlPlan, edge: Edge) -> tuple[Trail, ...]:
    """Leave a trail for each hop limit."""
    if control.address is None:
        return ()
    found = await sweep_hops(control, control.address, edge)
    return tuple(_trail(control, control.address, seen) for seen in found)


def _probe(control: ControlPlan, edge: Edge) -> Probe:
    """Return the probe to hold: the subject's own for a repeat, a bare one for the rest.

    Looking inside a forged session sends `GET /` and nothing that could be secret.
    """
    if control.kind is ControlKind.REPEAT:
        subject = next(one for one in edge.plan.probes if one.id == control.subject)
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
