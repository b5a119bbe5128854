"""Running one control: what to send depends on its kind; the result is its trails."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from egressd.model.endpoint import Protocol
from egressd.model.observation import Observation
from egressd.model.plan import ControlKind, ControlPlan, Probe
from egressd.model.recording import Control, Trail
from egressd.model.settings import Family, Resolver
from egressd.net import resolve
from egressd.probe.budget import Deadline
from egressd.probe.candidates import DIRECT, PATIENCE
from egressd.probe.context import RECORD_TYPES, ProbeContext
from egressd.probe.controls.client_hello import SHAPES, probe_client_hello
from egressd.probe.controls.hops import trace_hops
from egressd.probe.controls.redirect import follow_redirect
from egressd.probe.controls.revocation import as_probe, fetch_url
from egressd.probe.controls.rounds import GAP_SECONDS, Converse, repeat, take_turns
from egressd.probe.conversation import ALPN, ALPN_HTTP1, Conversation, run_conversation
from egressd.probe.run import run_probe
from egressd.probe.via_proxy import proxy_of, run_control_via_proxy
from egressd.wording import host_port

CONTROL_TIMEOUT = 4.0
"""Seconds for a control that only connects or queries, and for each try of several."""
NEARBY_TIMEOUT = 1.5
"""Seconds for an address that only a device on the path can answer: the usual result is a timeout."""
USUAL_SHAPE = {
    ControlKind.LARGE_HELLO: ControlKind.SMALL_HELLO,
    ControlKind.SPLIT_HELLO: ControlKind.SMALL_HELLO,
    ControlKind.NO_SNI: ControlKind.SMALL_HELLO,
    ControlKind.SNI_LAST: ControlKind.LARGE_HELLO,
}
"""The ClientHello that differs in one thing from that of a control, and may work where it fails."""


async def run_control(control: ControlPlan, context: ProbeContext, *, gap: float = GAP_SECONDS) -> Control:
    """Run one control and return its trails; its tries start `gap` seconds apart."""
    subject_trails: tuple[Trail, ...] = ()
    match control.kind:
        case (
            ControlKind.TESTNET_DNS
            | ControlKind.SIBLING_NAME
            | ControlKind.KNOWN_NAME
            | ControlKind.DNS_TCP
            | ControlKind.OTHER_RESOLVER
            | ControlKind.DNS_REPEAT
            | ControlKind.OTHER_FAMILY
        ):
            trails = await _query_resolvers(control, context)
        case (
            ControlKind.TESTNET_TCP
            | ControlKind.ADDRESS_CONTRAST
            | ControlKind.LOOK_INSIDE
            | ControlKind.CLOCK
        ):
            trails = (await _converse(control, context),)
        case ControlKind.KNOWN_GOOD:
            trails = (await run_probe(as_probe(control), context)).trails
        case ControlKind.REPEAT:
            trails = await _repeat(control, context, gap=gap)
        case (
            ControlKind.PORT_CONTRAST
            | ControlKind.HTTP1
            | ControlKind.SNI_CONTRAST
            | ControlKind.SMALL_MSS
            | ControlKind.LARGE_HELLO
            | ControlKind.SMALL_HELLO
            | ControlKind.SPLIT_HELLO
            | ControlKind.NO_SNI
            | ControlKind.SNI_LAST
        ):
            trails, subject_trails = await _contrast(control, context, gap=gap)
        case ControlKind.HOPS:
            trails = await _trace_hops(control, context)
        case ControlKind.REVOCATION:
            trails = await fetch_url(control, context, seconds=CONTROL_TIMEOUT)
        case ControlKind.REDIRECT:
            trails = await follow_redirect(control, context, seconds=CONTROL_TIMEOUT)
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
        subject_trails=subject_trails,
    )


def _timeout(control: ControlPlan) -> float:
    nearby = control.kind in (ControlKind.TESTNET_TCP, ControlKind.TESTNET_DNS)
    return NEARBY_TIMEOUT if nearby else CONTROL_TIMEOUT


async def _query_resolvers(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Look the control's name up at its resolver, or at every resolver except getaddrinfo."""
    resolvers = _resolvers_of(control, context)
    source = context.source(control.source)
    timeout = min(_timeout(control), context.limits.dns_timeout)
    if control.kind is ControlKind.DNS_REPEAT:
        timeout = PATIENCE * context.limits.dns_timeout
    look_up = resolve.look_up_tcp if control.kind is ControlKind.DNS_TCP else resolve.look_up
    trails = []
    for resolver in resolvers:
        answer = await look_up(
            control.host, RECORD_TYPES[control.family], resolver=resolver, source=source, timeout=timeout
        )
        trails.append(_trail(control, None, (answer,), resolver=resolver.name))
    return tuple(trails)


def _resolvers_of(control: ControlPlan, context: ProbeContext) -> tuple[Resolver, ...]:
    if control.address is not None:
        name = control.resolver or f"{control.address}:{control.port}"
        return (Resolver(name=name, address=control.address, port=control.port),)
    by_message = tuple(resolver for resolver in context.resolvers if not resolver.is_system)
    return tuple(resolver for resolver in by_message if control.resolver in (None, resolver.name))


async def _repeat(control: ControlPlan, context: ProbeContext, *, gap: float) -> tuple[Trail, ...]:
    """Hold the conversation of the subject again, until it works or was tried often enough."""
    return await repeat(lambda: _converse(control, context), tries=control.tries, gap=gap)


async def _contrast(
    control: ControlPlan, context: ProbeContext, *, gap: float
) -> tuple[tuple[Trail, ...], tuple[Trail, ...]]:
    """Run a control in turn with what it is compared with; return the trails of both.

    The one that is said to fail goes first, and comes again in each round.
    """

    def of(one: ControlPlan) -> Converse:
        run = _send_client_hello if one.kind in SHAPES else _converse
        return lambda: run(one, context)

    if control.tries == 1:
        return (await of(control)(),), ()
    compared = _compared_with(control, context)
    if control.kind in USUAL_SHAPE and control.max_segment is None:
        return await take_turns(of(control), of(compared), rounds=control.tries, gap=gap)
    subject_trails, trails = await take_turns(of(compared), of(control), rounds=control.tries, gap=gap)
    return trails, subject_trails


def _compared_with(control: ControlPlan, context: ProbeContext) -> ControlPlan:
    """Return the conversation that differs from a control in one thing."""
    subject = _subject(control, context)
    if control.max_segment is not None:
        return replace(control, max_segment=None)
    match control.kind:
        case ControlKind.PORT_CONTRAST:
            tunnel = host_port(control.host, subject.port) if control.tunnel else ""
            return replace(control, port=subject.port, tunnel=tunnel)
        case ControlKind.SNI_CONTRAST:
            return replace(control, host=subject.host)
        case ControlKind.HTTP1:
            return replace(control, kind=ControlKind.REPEAT)
        case ControlKind.SMALL_HELLO:
            return replace(control, kind=ControlKind.SNI_CONTRAST)
        case kind:
            return replace(control, kind=USUAL_SHAPE[kind])


def _subject(control: ControlPlan, context: ProbeContext) -> Probe:
    return next(one for one in context.plan.probes if one.id == control.subject)


async def _converse(control: ControlPlan, context: ProbeContext) -> Trail:
    """Connect to the control's address and run the phases of its protocol."""
    address = _address(control)
    conversation = Conversation(
        probe=_probe_of(control, context),
        context=context,
        deadline=Deadline.after(_timeout(control)),
        store=context.store.unverified if control.kind is ControlKind.LOOK_INSIDE else None,
        first_alpn=ALPN_HTTP1 if control.kind is ControlKind.HTTP1 else ALPN,
    )
    if control.tunnel:
        path = await run_control_via_proxy(conversation, control)
        return replace(_trail(control, address, tuple(conversation.seen)), path=path)
    await run_conversation(conversation, address, control.port, max_segment=control.max_segment)
    return _trail(control, address, tuple(conversation.seen))


def _address(control: ControlPlan) -> str:
    if control.address is None:
        raise RuntimeError(f"control {control.id} does not say where to connect to")
    return control.address


async def _send_client_hello(control: ControlPlan, context: ProbeContext) -> Trail:
    """Connect to the control's address, or by a tunnel, and send its ClientHello."""
    probe, address = _probe_of(control, context), _address(control)
    conversation = Conversation(probe=probe, context=context, deadline=Deadline.after(CONTROL_TIMEOUT))
    seen = await probe_client_hello(conversation, control, address=address)
    path = proxy_of(probe, context).url if control.tunnel else DIRECT
    return replace(_trail(control, address, seen), path=path)


async def _trace_hops(control: ControlPlan, context: ProbeContext) -> tuple[Trail, ...]:
    """Return a trail for each hop limit."""
    found = await trace_hops(control, _address(control), context)
    return tuple(_trail(control, control.address, seen) for seen in found)


def _probe_of(control: ControlPlan, context: ProbeContext) -> Probe:
    """Return the probe to run: the subject itself for a repeat, otherwise a bare one for the control's host.

    Inside a session that did not verify, `GET /` is sent and nothing secret.
    """
    if control.kind in (ControlKind.REPEAT, ControlKind.HTTP1):
        return replace(_subject(control, context), connect_to=None, siblings=())
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
        route=control.route,
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
