"""Hellos of another size or form, sent to the place a case is about: were they answered?"""

from __future__ import annotations

from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import answered_tls
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import TcpObservation, TlsObservation
from egressd.model.plan import ControlKind

ONE_SEGMENT = 1200
"""Bytes of a hello that fits one segment on any path."""


def hello_answered(
    context: TrailContext, kind: ControlKind, *, max_segment: int | None = None
) -> bool | None:
    """Whether a hello was answered by TLS; None where it was not sent, or no connection came about."""
    answers = [
        answered_tls(tls)
        for control in context.controls(kind)
        for trail, tls in observations(control.trails, TlsObservation)
        if _segment(trail.observations[0]) == max_segment
    ]
    return any(answers) if answers else None


def _segment(dialled: object) -> int | None:
    return dialled.max_segment if isinstance(dialled, TcpObservation) else None
