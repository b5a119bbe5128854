"""ClientHellos of another size or form, sent to the address of a trail: did TLS answer?"""

from __future__ import annotations

from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import answered_tls
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import TcpObservation, TlsObservation
from egressd.model.plan import ControlKind

ONE_SEGMENT = 1200
"""Bytes of a ClientHello that fits one segment on any path; also the TCP_MAXSEG that splits a large one."""


def hello_answered(
    context: TrailContext, kind: ControlKind, *, max_segment: int | None = None
) -> bool | None:
    """Whether TLS answered a ClientHello; None where it was not sent, or the dial failed."""
    answers = [
        answered_tls(tls)
        for control in context.controls(kind)
        for trail, tls in observations(control.trails, TlsObservation)
        if _max_segment(trail.observations[0]) == max_segment
    ]
    return any(answers) if answers else None


def _max_segment(first: object) -> int | None:
    return first.max_segment if isinstance(first, TcpObservation) else None
