"""Controls for failures: only those that tell the possible explanations apart, and not many.

What fails is repeated first. A handshake without an answer is compared with another name and with smaller
segments; a silent port with another port; a missing name with a sibling label; a dead resolver with a name
that must exist. Comparisons are made in rounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from msgspec.structs import replace

from egressd.attribution.control_results.client_hello import ONE_SEGMENT
from egressd.attribution.control_results.contrast import (
    ROUNDS,
    Contrast,
    mss_contrast,
    segments_tried,
    sni_contrast,
)
from egressd.attribution.control_results.tries import always_fails, tries, works_sometimes
from egressd.attribution.facts.proxy import inspected_answer
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import (
    control_for,
    hello_control,
    is_forged,
    other_host,
    probe_contexts,
)
from egressd.attribution.followups.http import exchange_controls
from egressd.attribution.followups.lookup import (
    answer_controls,
    lookup_controls,
    patience_controls,
    sibling_control,
)
from egressd.attribution.followups.proxy import proxy_controls
from egressd.attribution.followups.repeats import Repeats, is_outage, is_silent, repeats_ran
from egressd.attribution.trail_judgement import TrailJudgement, judge_trail
from egressd.errors import OnBug, Part, isolate_each, raise_bug
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, Phase, TlsObservation
from egressd.model.plan import ControlKind, ControlPlan, Probe

WRONG_SERVER = frozenset({18, 62})
"""Verify codes of a server that is not the one dialled: self-signed, or another name."""
PER_PROBE = 6
"""Comparisons, whatever the number of its addresses; repeats come on top."""
PER_SWEEP = 40
REPEATS_PER_SWEEP = 80
"""Conversations that are repeated."""
OUTAGES_PER_SWEEP = 5
"""Of them, those of a family in which nothing ever connected."""
LOOKS_PER_SWEEP = 12
"""A device that inspects a dozen names inspects all of them, and other controls need room too."""
MOST_OF_A_KIND = {
    ControlKind.LOOK_INSIDE: LOOKS_PER_SWEEP,
    ControlKind.DNS_REPEAT: 12,
    ControlKind.TESTNET_DNS: 12,
    ControlKind.OTHER_FAMILY: 12,
}
SAMPLED_KINDS = frozenset({ControlKind.LARGE_HELLO, ControlKind.SNI_LAST, ControlKind.REVOCATION})
"""Controls that are run where nothing failed."""
SEGMENTS = (1200, 536)
"""TCP_MAXSEG to try, one after the other."""
SELF_EXPLAINING = frozenset({"tls_plaintext_block_page", "tls_not_tls"})
"""Codes that a comparison with another name adds nothing to."""
SILENT_CODES = frozenset(
    {"tcp_ip_blocked_silent", "tcp_port_blocked", "tcp_egress_all_blocked", "tls_stall_after_hello"}
)


def failure_controls(index: SweepIndex, *, on_bug: OnBug = raise_bug) -> Iterator[ControlPlan]:
    """Yield the controls that would tell the remaining explanations apart, in the plan's order.

    What ran already is left out, and what its result calls for follows. A bug ends those of one probe.
    """
    budget = _Budget(index)
    for probe in index.recording.plan.probes:
        for control in isolate_each(Part.FOLLOWUPS, on_bug, _for_probe(probe, index, budget)):
            if budget.takes(control):
                yield control


class _Budget:
    """What a sweep may still ask for; controls that ran count."""

    def __init__(self, index: SweepIndex) -> None:
        self.repeats = Repeats(index)
        self._done = {one.id for one in index.recording.controls}
        self._known: set[tuple[str, ...]] = set()
        self._kinds: Counter[ControlKind] = Counter()
        self._subjects: Counter[str] = Counter()
        self._outages = 0
        for one in index.recording.controls:
            if one.subject and one.kind not in SAMPLED_KINDS:
                self._count(one.kind, one.subject)

    def takes(self, control: ControlPlan) -> bool:
        """Whether a control is new, and there is room for it."""
        if control.id in self._done or _key(control) in self._known or not self._has_room(control):
            return False
        self._known.add(_key(control))
        self._count(control.kind, control.subject)
        return True

    def takes_outage(self) -> bool:
        """Whether one more of many conversations that nothing answers is worth repeating."""
        self._outages += 1
        return self._outages <= OUTAGES_PER_SWEEP

    def _has_room(self, control: ControlPlan) -> bool:
        if control.kind is ControlKind.REPEAT:
            return self._kinds[ControlKind.REPEAT] < REPEATS_PER_SWEEP
        if self._kinds[control.kind] >= MOST_OF_A_KIND.get(control.kind, PER_SWEEP):
            return False
        compared = self._kinds.total() - self._kinds[ControlKind.REPEAT]
        return compared < PER_SWEEP and self._subjects[control.subject] < PER_PROBE

    def _count(self, kind: ControlKind, subject: str) -> None:
        self._kinds[kind] += 1
        self._subjects[subject] += kind is not ControlKind.REPEAT


def _key(control: ControlPlan) -> tuple[str, ...]:
    """Return what two controls share that would show the same."""
    host = "" if control.kind in _ABOUT_ADDRESS else control.host
    endpoint = (control.address or "", str(control.port), control.tunnel)
    again = control.id if control.kind is ControlKind.REPEAT else ""
    return (control.kind, control.source, *endpoint, host, str(control.max_segment or ""), again)


_ABOUT_ADDRESS = frozenset({ControlKind.SMALL_MSS, ControlKind.PORT_CONTRAST, ControlKind.KNOWN_NAME})


def _for_probe(probe: Probe, index: SweepIndex, budget: _Budget) -> Iterator[ControlPlan]:
    """Yield the controls one probe calls for: for every address that fails, whatever works beside it."""
    if probe.contrast or probe.host.lower() in index.derived_hosts:
        return  # it decides nothing
    contexts = probe_contexts(index, probe)
    failing = [one for one in contexts if one.failing is not None]
    if not failing:
        return  # most of a sweep ends here
    judged = [judge_trail(one) for one in failing if not _is_usual(one)]
    failed = sorted((one for one in judged if one.causes and not one.works), key=lambda one: one.rank)
    reached = any(one.works for one in map(judge_trail, contexts)) if failed else False
    for one in failed:
        if reached and one.context.failed_in is Phase.DNS:
            yield from patience_controls(one.context, one.causes[0].code)
        else:
            yield from _for_trail(one, budget)


def _is_usual(context: TrailContext) -> bool:
    """Whether a host without the family of an address could not but fail."""
    return not context.proxied and context.index.lacks_family(context.source, context.trail.family)


def _for_trail(one: TrailJudgement, budget: _Budget) -> Iterator[ControlPlan]:
    context, code = one.context, one.causes[0].code
    if context.proxied:
        yield from proxy_controls(one, tries=budget.repeats.tries_of(context))
        return
    if context.failed_in is Phase.DNS:
        yield from lookup_controls(context, code)
        return
    yield from answer_controls(context, code)
    again = budget.repeats.next_for(context)
    if again is not None and (not is_outage(context) or budget.takes_outage()):
        yield again
    if works_sometimes(context) or not (is_silent(context) or repeats_ran(context)):
        return
    if context.failed_in is Phase.TCP:
        yield from _for_dial(context, code, rounds=budget.repeats.rounds_of_dials)
    elif context.failed_in is Phase.TLS:
        yield from chain(_for_wrong_server(context), _for_forged_chain(context), _for_hello(context, code))
    elif context.failed_in is Phase.HTTP:
        yield from map(_in_rounds, exchange_controls(context))


def _for_dial(context: TrailContext, code: str, *, rounds: int) -> Iterator[ControlPlan]:
    if context.tcp is not None and context.tcp.failure is Failure.REFUSED and context.icmp is None:
        yield from _for_refusal(context)
    if code in SILENT_CODES and is_silent(context) and not context.trail.redirected:
        other = 443 if context.dialled[1] != 443 else 80
        plan = control_for(
            context,
            ControlKind.PORT_CONTRAST,
            port=other,
            why=f"port {other} of the same address tells a port rule from an address rule",
        )
        yield replace(plan, tries=rounds)


def _in_rounds(control: ControlPlan) -> ControlPlan:
    return replace(control, tries=ROUNDS)


def _for_refusal(context: TrailContext) -> Iterator[ControlPlan]:
    """Where that is allowed, find the hop where a lasting refusal begins, and that of an open port."""
    allowed = context.index.recording.plan.limits.ttl_sweep and not context.trail.redirected
    if not allowed or tries(context) < 2 or not always_fails(context):
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
        yield from sibling_control(
            context, own.name, "a label that can't exist tells a rewritten answer from a true one"
        )


def _for_hello(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    tls = context.tls
    if tls is None or tls.failure is Failure.VERIFY or tls.server_hello:
        return
    silent = tls.failure is Failure.TIMEOUT
    other = other_host(context)
    if other and code not in SELF_EXPLAINING:
        yield _in_rounds(
            control_for(
                context,
                ControlKind.SNI_CONTRAST,
                host=other,
                protocol=Protocol.TLS,
                why="another server name at the same address tells a name rule from the address",
            )
        )
    yield from _for_size(context, tls, silent=silent)
    if silent or tls.failure in (Failure.RESET, Failure.CLOSED):
        yield from _for_name_rule(context, tls)
        yield from _for_address_rule(context)


def _for_size(context: TrailContext, tls: TlsObservation, *, silent: bool) -> Iterator[ControlPlan]:
    """Try smaller segments, one size after the other, and a ClientHello that is small itself."""
    large = tls.hello_bytes > ONE_SEGMENT
    if large:
        small = hello_control(context, ControlKind.SMALL_HELLO, "a small hello tells its size from its name")
        yield _in_rounds(small)
    if not silent or (context.hello_acked is False and not large) or mss_contrast(context).separates:
        return
    size = next((one for one in SEGMENTS if one not in segments_tried(context)), None)
    if size is not None:
        smaller = control_for(
            context,
            ControlKind.SMALL_MSS,
            host=tls.sni,
            protocol=Protocol.TLS,
            max_segment=size,
            why="smaller segments tell a lost full-size packet from a rule",
        )
        yield _in_rounds(smaller)


def _for_name_rule(context: TrailContext, tls: TlsObservation) -> Iterator[ControlPlan]:
    """Once another name is known to pass: does a ClientHello without one, and where is the device?"""
    if not sni_contrast(context).separates:
        return
    yield hello_control(
        context, ControlKind.NO_SNI, "a ClientHello without a name shows what the rule does with it"
    )
    allowed = context.index.recording.plan.limits.ttl_sweep and not context.trail.redirected
    if allowed and tries(context) > 1 and always_fails(context):
        yield _hops(context, port=context.dialled[1], host=tls.sni)


def _for_address_rule(context: TrailContext) -> Iterator[ControlPlan]:
    """Where no name is answered at an address: is this one answered at an address that works?"""
    if sni_contrast(context) not in (Contrast.FAILED, Contrast.OTHERWISE) or context.trail.redirected:
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
