"""Standings: what is confirmed of each target and finding, between sweeps.

A *result* is one verdict about a target from one source. A belief changes only after enough consecutive
results of the same kind; until then the target is suspect (or recovering) and is probed again soon.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from egressd.model.observation import Phase, Timestamp
from egressd.model.verdict import Blame, Confidence, Outcome, Suspect


class Lifecycle(StrEnum):
    """The state of a target; transitions are a table in `egressd.standing.lifecycle`."""

    OK = "ok"
    """Believed reachable, and the last result agrees."""
    SUSPECT = "suspect"
    """The last result is a failure that is not confirmed yet."""
    FAILING = "failing"
    """Believed unreachable, and the last result agrees."""
    RECOVERING = "recovering"
    """Believed unreachable, but the last result is a success."""
    FLAPPING = "flapping"
    """Changes too often for either to be confirmed."""
    SILENCED = "maintenance"
    """Covered by a silence, and probed as ever. The value is that of 0.1.0, on disk and in JSON."""


class Belief(Struct, frozen=True, kw_only=True):
    """What is confirmed of a target from a source, with its evidence."""

    outcome: Outcome
    phase: Phase | None = None
    reason: str | None = None
    blame: Blame | None = None
    confidence: Confidence = Confidence.CONFIRMED
    evidence: tuple[str, ...] = ()
    """Lines a firewall engineer can search a log for; bounded."""
    advice: str = ""
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] | None = None
    """Whom the facts leave, the most likely first; None: nobody is blamed, or 0.1.0 wrote it."""

    @property
    def key(self) -> tuple[Outcome, Phase | None, str | None]:
        """Identifies a belief; blame, confidence and evidence may change under it."""
        return (self.outcome, self.phase, self.reason)


NOTHING = Belief(outcome=Outcome.UNKNOWN)
"""The belief of a new target whose failure is not confirmed yet."""


class Standing(Struct, frozen=True, kw_only=True):
    """The standing of one target from one source."""

    target: str
    source: str
    state: Lifecycle
    belief: Belief
    since: Timestamp
    """When the belief began: at the first result that led to it."""
    last_changed: Timestamp
    """When it was confirmed."""
    last_success: Timestamp | None = None
    """The last result that found the target reachable."""
    failing_since: Timestamp | None = None
    """The first result that found it blocked or down, with no success since, whatever the reason; None: none
    did, or 0.1.0 wrote it."""
    streak: int = 1
    """How many consecutive results agree with the last one."""
    pending: Belief | None = None
    """What the last results say instead, while it is not confirmed."""
    pending_since: Timestamp | None = None
    ending: str | None = None
    """How the last result ended that agreed with the belief, as `tls/reset`; None: 0.1.0 wrote it."""
    results: str = field(default="", name="looks")
    """The last results, the newest last: `1` reachable, `0` not. Stored under the alias."""

    @property
    def key(self) -> tuple[str, str]:
        """The target and the source."""
        return (self.target, self.source)

    @property
    def up(self) -> bool:
        """Whether the target is believed reachable."""
        return self.belief.outcome.reachable

    @property
    def unknown(self) -> bool:
        """Whether nothing was confirmed yet."""
        return self.belief == NOTHING

    @property
    def last_outcome(self) -> Outcome:
        """What the last result found."""
        return (self.pending or self.belief).outcome

    @property
    def settled(self) -> bool:
        """Whether the last result agrees with the belief."""
        return self.pending is None

    @property
    def recovering(self) -> bool:
        """Whether the last result was better than what is believed, which it has not changed yet."""
        last = self.pending
        return (
            last is not None
            and last.outcome.reachable
            and last.outcome.severity < self.belief.outcome.severity
        )


class FindingStanding(Struct, frozen=True, kw_only=True):
    """The standing of a finding over sweeps."""

    id: str
    reason: str
    blame: Blame
    confidence: Confidence
    title: str
    targets: tuple[str, ...]
    """Those that fail for it, as far as the last results show."""
    evidence: tuple[str, ...]
    advice: str
    since: Timestamp
    """The first sweep that showed it."""
    opened: bool
    """Whether it is confirmed, and `FindingOpened` was recorded."""
    streak: int = 1
    """Consecutive sweeps that showed it, or, while `clearing`, that did not."""
    clearing: bool = field(default=False, name="fading")
    """Stored under the alias."""
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] | None = None
    """Whom the facts leave, the most likely first; None: nobody is blamed, or 0.1.0 wrote it."""
    recovering: tuple[str, ...] | None = None
    """Targets that failed for it and have answered since, not confirmed yet; None: there are none."""
    repaired_at: Timestamp | None = None
    """When a target was last confirmed to work again that had failed for it; None: none was."""

    @property
    def explained(self) -> tuple[str, ...]:
        """All targets whose failure it explains: those that fail, then those that are recovering."""
        return tuple(dict.fromkeys((*self.targets, *(self.recovering or ()))))


class Standings(Struct, frozen=True, kw_only=True):
    """All standings. Changed by `egressd.standing.advance` only."""

    targets: tuple[Standing, ...] = ()
    """Sorted by target and source."""
    findings: tuple[FindingStanding, ...] = ()
    """Sorted by id."""
    recording: str = ""
    """The id of the last recording applied: applying it again changes nothing."""

    def of(self, target: str, source: str) -> Standing | None:
        """Return a standing; None: nothing is known yet."""
        return next((one for one in self.targets if one.key == (target, source)), None)
