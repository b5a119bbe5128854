"""ClientHellos of another size or form, sent to the place of a trail: did TLS answer?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from egressd.attribution.facts.stats import answered_tls
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, Trail

ONE_SEGMENT = 1200
"""Bytes of a ClientHello that fits one segment on any path; also the TCP_MAXSEG that splits a large one."""
NEEDED_ROUNDS = 2
"""How often a ClientHello must be lost, in turn with others that are not: one loss may be chance."""


EXPECTED_TO_WORK = frozenset(
    {ControlKind.LARGE_HELLO, ControlKind.SPLIT_HELLO, ControlKind.NO_SNI, ControlKind.SNI_LAST}
)
"""Controls of a ClientHello that may fail where the usual one, sent in turn with it, works."""


def hello_answered(
    context: TrailContext, kind: ControlKind, *, max_segment: int | None = None
) -> bool | None:
    """Whether TLS answered a ClientHello; None where it was not sent, the dial failed, or chance answered."""
    answers = [
        answered_tls(tls)
        for control in context.controls(kind)
        if not _is_chance(control, usual_works=kind in EXPECTED_TO_WORK and max_segment is None)
        if _max_segment(control) == max_segment
        for tls in _sent(control.trails)
    ]
    return any(answers) if answers else None


def hello_rounds(context: TrailContext, kind: ControlKind, *, max_segment: int | None = None) -> int:
    """Return in how many rounds a ClientHello ended otherwise than the one that was sent in turn with it."""
    return sum(
        min(len(control.trails), len(control.subject_trails))
        for control in context.controls(kind)
        if _max_segment(control) == max_segment
    )


def hello_lost(context: TrailContext, kind: ControlKind) -> bool:
    """Whether a ClientHello is lost each time, in turn with others that are answered each time."""
    return hello_answered(context, kind) is False and hello_rounds(context, kind) >= NEEDED_ROUNDS


def _is_chance(control: Control, *, usual_works: bool) -> bool:
    """Whether the ClientHello to compare with did not end as it did before."""
    return any(answered_tls(tls) is not usual_works for tls in _sent(control.subject_trails))


def _sent(trails: Iterable[Trail]) -> Iterator[TlsObservation]:
    """Yield the handshakes with the target; one with a proxy is none of them."""
    for trail in trails:
        yield from trail.handshakes


def _max_segment(control: Control) -> int | None:
    first = next((one for trail in control.trails for one in trail.observations), None)
    return first.max_segment if isinstance(first, TcpObservation) else None
