"""ClientHellos of another size or form, sent to the address of a trail: did TLS answer?"""

from __future__ import annotations

from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import answered_tls
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Control

ONE_SEGMENT = 1200
"""Bytes of a ClientHello that fits one segment on any path; also the TCP_MAXSEG that splits a large one."""


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
        for trail, tls in observations(control.trails, TlsObservation)
        if _max_segment(trail.observations[0]) == max_segment
    ]
    return any(answers) if answers else None


def hello_rounds(context: TrailContext, kind: ControlKind, *, max_segment: int | None = None) -> int:
    """Return in how many rounds a ClientHello ended otherwise than the one that was sent in turn with it."""
    return sum(
        min(len(control.trails), len(control.subject_trails))
        for control in context.controls(kind)
        if control.trails and _max_segment(control.trails[0].observations[0]) == max_segment
    )


def _is_chance(control: Control, *, usual_works: bool) -> bool:
    """Whether the ClientHello to compare with did not end as it did before."""
    shown = observations(control.subject_trails, TlsObservation)
    return any(answered_tls(tls) is not usual_works for _, tls in shown)


def _max_segment(first: object) -> int | None:
    return first.max_segment if isinstance(first, TcpObservation) else None
