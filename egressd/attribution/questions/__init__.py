"""Which controls to run before judging: only what an open question needs, and not many."""

from __future__ import annotations

from itertools import chain

from egressd.attribution.facts.whole import behold
from egressd.attribution.questions.failure import PER_PROBE, PER_SWEEP, about_failures
from egressd.attribution.questions.survey import about_hellos, about_revocation
from egressd.model.plan import ControlPlan
from egressd.model.recording import Recording

__all__ = ["PER_PROBE", "PER_SWEEP", "open_questions"]


def open_questions(recording: Recording) -> tuple[ControlPlan, ...]:
    """Return the controls that are worth running now; none of those that ran already."""
    whole = behold(recording)
    done = {one.id for one in recording.controls}
    asked = chain(about_failures(whole), about_hellos(whole), about_revocation(whole))
    return tuple({one.id: one for one in asked if one.id not in done}.values())
