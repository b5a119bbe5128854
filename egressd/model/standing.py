"""What we believe of each target between sweeps.

A *look* is one verdict about a target from one source. A belief changes only when enough looks in a row
say the same kind of thing; until then the target is a suspect (or recovering) and is looked at again soon.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from egressd.model.observation import Phase, Timestamp
from egressd.model.verdict import Blame, Confidence, Outcome


class Lifecycle(StrEnum):
    """Where a target stands. The moves are a table: `egressd.standing.lifecycle`."""

    OK = "ok"
    """Believed reachable, and the last look agreed."""
    SUSPECT = "suspect"
    """Not believed unreachable yet, but the last look failed."""
    FAILING = "failing"
    """Believed unreachable, and the last look agreed."""
    RECOVERING = "recovering"
    """Believed unreachable, but the last look succeeded."""
    FLAPPING = "flapping"
    """Comes and goes too often for either belief to be told."""
    MAINTENANCE = "maintenance"
    """Looked at as ever, while a maintenance window keeps it quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What we hold to be so of a target from a source, with the evidence it rests on."""

    outcome: Outcome
    phase: Phase | None = None
    reason: str | None = None
    blame: Blame | None = None
    confidence: Confidence = Confidence.CONFIRMED
    evidence: tuple[str, ...] = ()
    """Lines a firewall engineer can search a log for; bounded."""
    advice: str = ""

    @property
    def key(self) -> tuple[Outcome, Phase | None, str | None]:
        """What makes it another belief; blame, confidence and evidence may be refined under it."""
        return (self.outcome, self.phase, self.reason)


NOTHING = Belief(outcome=Outcome.UNKNOWN)
"""What is held of a target that failed when it was first looked at, until that is confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One target from one source."""

    target: str
    source: str
    state: Lifecycle
    belief: Belief
    since: Timestamp
    """When what is believed began: the first of the looks that led to it."""
    last_changed: Timestamp
    """When it was confirmed."""
    last_success: Timestamp | None = None
    """The last look that found the target reachable."""
    streak: int = 1
    """How many looks in a row agree with the last one."""
    pending: Belief | None = None
    """What the last looks say instead, while that is not confirmed."""
    pending_since: Timestamp | None = None
    looks: str = ""
    """The last looks, the newest last: `1` reachable, `0` not."""

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
        """Whether nothing was ever confirmed."""
        return self.belief == NOTHING

    @property
    def settled(self) -> bool:
        """Whether nothing waits to be confirmed."""
        return self.pending is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingStanding:
    """A cause over many targets, as it was seen over sweeps."""

    id: str
    reason: str
    blame: Blame
    confidence: Confidence
    title: str
    targets: tuple[str, ...]
    evidence: tuple[str, ...]
    advice: str
    since: Timestamp
    """The first look that showed it."""
    opened: bool
    """Whether it was confirmed (and `FindingOpened` told)."""
    streak: int = 1
    """Looks in a row that showed it, or, where `fading`, that did not."""
    fading: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """All of them. Changes only through `egressd.standing.advance`."""

    targets: tuple[Standing, ...] = ()
    """By target and source, sorted."""
    findings: tuple[FindingStanding, ...] = ()
    """By id, sorted."""
    recording: str = ""
    """The id of the last recording that was taken in: taking it in again changes nothing."""

    def of(self, target: str, source: str) -> Standing | None:
        """Return a standing, or None where nothing is known yet."""
        return next((one for one in self.targets if one.key == (target, source)), None)
