"""Controls for failures: only those that tell the possible explanations apart, and not many.

Silence is repeated; a handshake without an answer is compared with another name and with smaller segments;
a silent port with another port; a missing name with a sibling label; a dead resolver with a name that must
exist. What is known of an address from another probe is not tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from egressd.attribution.control_results.client_hello import ONE_SEGMENT, hello_answered
from egressd.attribution.control_results.contrast import (
    Contrast,
    always_fails,
    mss_contrast,
    port_contrast,
    segments_tried,
    sni_contrast,
    tries,
)
from egressd.attribution.facts.proxy import inspected_answer
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext, probe_contexts
from egressd.attribution.followups.control import control_for, hello_control, is_forged, other_host
from egressd.attribution.followups.proxy import proxy_controls
from egressd.attribution.trail_judgement import TrailJudgement, judge_trail
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, Phase, TlsObservation
from egressd.model.plan import ControlKind, ControlPlan, Probe

WRONG_SERVER = frozenset({18, 62})
"""Verify codes of a server that is not the one dialled: self-signed, or another name."""
PER_PROBE = 3
PER_SWEEP = 40
LOOKS_PER_SWEEP = 12
"""A device that inspects a dozen names inspects all of them, and other controls need room too."""
SEGMENTS = (1200, 536)
"""TCP_MAXSEG to try, one after the other."""
KNOWN_NAME = "management.azure.com"
"""Looked up at a resolver that answered nothing, where the plan has no other name."""
SIBLING_LABEL = "egressd-control"
RESOLVER_CODES = frozenset(
    {"dns_resolver_unreachable", "dns_refused_client", "dns_servfail", "dns_no_listener"}
)
SELF_EXPLAINING = frozenset({"tls_plaintext_block_page", "tls_not_tls"})
"""Codes that a comparison with another name adds nothing to."""
SILENT_CODES = frozenset(
    {"tcp_ip_blocked_silent", "tcp_port_blocked", "tcp_egress_all_blocked", "tls_stall_after_hello"}
)


def failure_controls(index: SweepIndex) -> Iterator[ControlPlan]:
    """Yield the controls that would tell the remaining explanations apart, in the plan's order.

    What ran already is left out, and what its result calls for follows.
    """
    done = {one.id for one in index.recording.controls}
    planned: set[tuple[str, ...]] = set()
    looks = 0
    for probe in index.recording.plan.probes:
        per_probe = 0
        for control in _for_probe(probe, index):
            looks += control.kind is ControlKind.LOOK_INSIDE
            if len(planned) >= PER_SWEEP or per_probe >= PER_PROBE:
                break
            if (
                control.id in done
                or _key(control) in planned
                or (control.kind is ControlKind.LOOK_INSIDE and looks > LOOKS_PER_SWEEP)
            ):
                continue
            planned.add(_key(control))
            per_probe += 1
            yield control


def _key(control: ControlPlan) -> tuple[str, ...]:
    """Return what two controls share that would show the same."""
    host = "" if control.kind in _ABOUT_ADDRESS else control.host
    endpoint = (control.address or "", str(control.port), control.tunnel)
    return (control.kind, control.source, *endpoint, host, str(control.max_segment or ""))


_ABOUT_ADDRESS = frozenset(
    {ControlKind.SNI_CONTRAST, ControlKind.SMALL_MSS, ControlKind.PORT_CONTRAST, ControlKind.KNOWN_NAME}
)


def _for_probe(probe: Probe, index: SweepIndex) -> Iterator[ControlPlan]:
    """Yield the controls one probe calls for: none where it works, or where it decides nothing."""
    if probe.contrast:
        return iter(())
    found: list[TrailJudgement] = []
    for one in map(judge_trail, probe_contexts(index, probe)):
        if one.works and not one.causes:
            return iter(())  # most of a sweep ends here; no other trail needs to be read
        found.append(one)
    failed = sorted((one for one in found if one.causes), key=lambda one: one.rank)
    return chain.from_iterable(_for_trail(one) for one in failed)


def _for_trail(one: TrailJudgement) -> Iterable[ControlPlan]:
    context, code = one.context, one.causes[0].code
    if context.proxied:
        return proxy_controls(one)
    match context.failed_in:
        case Phase.DNS:
            return _for_lookup(context, code)
        case Phase.TCP:
            return _for_dial(context, code)
        case Phase.TLS:
            return chain(_for_wrong_server(context), _for_forged_chain(context), _for_hello(context, code))
        case _:
            return ()


def _for_lookup(context: TrailContext, code: str) -> Iterator[ControlPlan]:
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
        yield from _sibling(context, own.name, "a sibling label tells a filtered name from a filtered zone")
    elif code == "dns_dropped_name":
        yield from _sibling(
            context, own.name, "a sibling label tells a dropped name from a zone out of reach"
        )


def _sibling(context: TrailContext, name: str, why: str) -> Iterator[ControlPlan]:
    _, _, zone = name.rstrip(".").partition(".")
    if zone:
        yield control_for(context, ControlKind.SIBLING_NAME, host=f"{SIBLING_LABEL}.{zone}", why=why)


def _for_dial(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    if context.tcp is not None and context.tcp.failure is Failure.REFUSED and context.icmp is None:
        yield from _for_refusal(context)
    if context.tcp is None or context.tcp.failure is not Failure.TIMEOUT or code not in SILENT_CODES:
        return
    yield _repeat(context)
    if port_contrast(context) is Contrast.NONE and not context.trail.redirected:
        other = 443 if context.dialled[1] != 443 else 80
        yield control_for(
            context,
            ControlKind.PORT_CONTRAST,
            port=other,
            why=f"port {other} of the same address tells a port rule from an address rule",
        )


def _for_refusal(context: TrailContext) -> Iterator[ControlPlan]:
    """Where that is allowed, find the hop where a lasting refusal begins, and that of an open port."""
    if not context.index.recording.plan.limits.ttl_sweep or context.trail.redirected:
        return
    yield _repeat(context)
    if tries(context) < 2 or not always_fails(context):
        return
    yield _hops(context, port=context.dialled[1])
    if (port := _open_port(context)) is not None:
        yield _hops(context, port=port)


def _hops(context: TrailContext, *, port: int, host: str = "") -> ControlPlan:
    plan = control_for(
        context,
        ControlKind.HOPS,
        port=port,
        host=host,
        why="the hop at which it begins tells a device on the way from the far end",
    )
    return replace(plan, id=f"{plan.id}:{port}")


def _open_port(context: TrailContext) -> int | None:
    """Return another port of the same address that was connected to."""
    address, port = context.dialled
    known = sorted(context.index.connected(context.source))
    return next((other for one, other in known if one == address and other != port), None)


def _for_forged_chain(context: TrailContext) -> Iterator[ControlPlan]:
    """Send `GET /`, and nothing secret, inside a session whose chain a device may have signed."""
    tls = context.tls
    if tls is not None and is_forged(context) and inspected_answer(context) is None:
        yield control_for(
            context,
            ControlKind.LOOK_INSIDE,
            host=tls.sni,
            protocol=Protocol.TLS,
            why="a look inside the forged session tells a deny page from mere inspection",
        )


def _for_wrong_server(context: TrailContext) -> Iterator[ControlPlan]:
    """Look up a name that can't exist: does it lead to the same wrong server?"""
    tls, own = context.tls, context.dns
    if tls is None or own is None or context.uses_system_resolver or context.random:
        return
    wrong = tls.failure is Failure.VERIFY and tls.verify_code in WRONG_SERVER
    if wrong or tls.failure is Failure.NOT_TLS:
        yield from _sibling(
            context, own.name, "a label that can't exist tells a rewritten answer from a true one"
        )


def _for_hello(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    tls = context.tls
    if tls is None or tls.failure is Failure.VERIFY or tls.server_hello:
        return
    silent = tls.failure is Failure.TIMEOUT
    other = other_host(context)
    if sni_contrast(context) is Contrast.NONE and other and code not in SELF_EXPLAINING:
        yield control_for(
            context,
            ControlKind.SNI_CONTRAST,
            host=other,
            protocol=Protocol.TLS,
            why="another server name at the same address tells a name rule from the address",
        )
    yield from _for_size(context, tls, silent=silent)
    if silent or tls.failure in (Failure.RESET, Failure.CLOSED):
        yield _repeat(context)
        yield from _for_name_rule(context, tls)
        yield from _for_address_rule(context)


def _for_size(context: TrailContext, tls: TlsObservation, *, silent: bool) -> Iterator[ControlPlan]:
    """Try smaller segments, one size after the other, and a ClientHello that is small itself."""
    large = tls.hello_bytes > ONE_SEGMENT
    if large and hello_answered(context, ControlKind.SMALL_HELLO) is None:
        yield hello_control(context, ControlKind.SMALL_HELLO, "a small hello tells its size from its name")
    if not silent or (context.hello_acked is False and not large) or mss_contrast(context) is Contrast.FLIP:
        return
    size = next((one for one in SEGMENTS if one not in segments_tried(context)), None)
    if size is not None:
        yield control_for(
            context,
            ControlKind.SMALL_MSS,
            host=tls.sni,
            protocol=Protocol.TLS,
            max_segment=size,
            why="smaller segments tell a lost full-size packet from a rule",
        )


def _for_name_rule(context: TrailContext, tls: TlsObservation) -> Iterator[ControlPlan]:
    """Once another name is known to pass: does a ClientHello without one, and where is the device?"""
    if sni_contrast(context) not in (Contrast.PASSED, Contrast.FLIP):
        return
    yield hello_control(
        context, ControlKind.NO_SNI, "a ClientHello without a name shows what the rule does with it"
    )
    allowed = context.index.recording.plan.limits.ttl_sweep and not context.trail.redirected
    if allowed and tries(context) > 1 and always_fails(context):
        yield _hops(context, port=context.dialled[1], host=tls.sni)


def _for_address_rule(context: TrailContext) -> Iterator[ControlPlan]:
    """Where no name is answered at an address: is this one answered at an address that works?"""
    if sni_contrast(context) is not Contrast.FAILED or context.trail.redirected:
        return
    own, port = context.dialled
    destinations = sorted(context.index.answered_sni)
    known = (at for source, at, on in destinations if source == context.source and at != own and on == port)
    if (address := next(known, None)) is not None:
        why = "the same name at an address that works tells an address rule from a name rule"
        plan = control_for(
            context, ControlKind.ADDRESS_CONTRAST, host=context.probe.host, protocol=Protocol.TLS, why=why
        )
        yield replace(plan, address=address)


def _repeat(context: TrailContext) -> ControlPlan:
    return control_for(
        context,
        ControlKind.REPEAT,
        host=context.probe.host,
        protocol=context.probe.protocol,
        why="one silence or closed connection may be chance; two are a rule",
    )
