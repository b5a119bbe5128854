"""When a target began to fail: the first result that found it blocked or down, with no success since."""

from __future__ import annotations

from egressd.model.observation import Timestamp
from egressd.model.standing import Belief, Standing
from egressd.model.verdict import Outcome

FAILURES = frozenset({Outcome.BLOCKED, Outcome.DOWN})


def failing_since(before: Standing | None, failed: Belief, *, now: Timestamp) -> Timestamp | None:
    """Return when the failures began that a result without success goes on with; None: none is known.

    A result that is unknown neither begins nor ends them.
    """
    known = None if before is None else before.failing_since or _onset_in_0_1_0(before)
    return known or (now if failed.outcome in FAILURES else None)


def _onset_in_0_1_0(before: Standing) -> Timestamp | None:
    """Return the earliest failure that a standing of 0.1.0 knows, if its last result was one."""
    if before.last_outcome not in FAILURES:
        return None
    return before.since if before.belief.outcome in FAILURES else before.pending_since
