"""Something changed: past tense, append-only; and what happened in a stretch of time."""

from __future__ import annotations

from dataclasses import dataclass, field

from egressd.model.alert import AlertName, NoticeKind, Resolution
from egressd.model.notification import Severity
from egressd.model.observation import Timestamp
from egressd.model.standing import Belief
from egressd.model.verdict import Blame, Confidence, OutcomeCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChanged:
    """What we believe of a target from a source is confirmed to be something else."""

    at: Timestamp
    """When it was confirmed."""
    since: Timestamp
    """When it was first seen."""
    target: str
    source: str
    before: Belief | None = None
    """None: nothing was known. A target that is well at first sight is no event."""
    before_since: Timestamp | None = None
    after: Belief


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRemoved:
    """A target that was not well is looked at no more from a source: nobody asks for it since then."""

    at: Timestamp
    target: str
    source: str
    before: Belief
    """What was believed last. A target that was well when it left is no event."""
    before_since: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingOpened:
    """One cause over many targets is confirmed."""

    at: Timestamp
    since: Timestamp
    finding: str
    reason: str
    blame: Blame
    confidence: Confidence
    title: str
    targets: tuple[str, ...]
    evidence: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingClosed:
    """A cause that was confirmed is seen no more."""

    at: Timestamp
    since: Timestamp
    finding: str
    reason: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFinished:
    """A whole sweep was made and judged."""

    at: Timestamp
    recording: str
    started: Timestamp
    seconds: float
    tally: OutcomeCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOverran:
    """A sweep was not done when the next was due; that one was left out, never run beside it."""

    at: Timestamp
    seconds: float
    """How long the sweep took."""
    missed: int
    """How many starts it cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded:
    """A configuration was read again and holds from the next sweep on."""

    at: Timestamp
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRejected:
    """A configuration was read again and is bad; the old one stays."""

    at: Timestamp
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStarted:
    """The daemon was started; nobody was looking before."""

    at: Timestamp
    egressd: str
    """The version."""
    config_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStopped:
    """The daemon was asked to stop, and did; without it, it was killed."""

    at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePosted:
    """Something was said of an alert: a notice is on its way to receivers, which may be none."""

    at: Timestamp
    notice: str
    """Its id, as receivers get it."""
    said: NoticeKind
    alert: str
    """The id of the alert."""
    alertname: AlertName = field(metadata={"alias": "fault"})
    severity: Severity
    summary: str
    since: Timestamp
    reason: str | None = None
    resolution: Resolution | None = None
    change: str = ""
    targets: tuple[str, ...] = ()
    """What it is about, by id: the first of them, where they are many."""
    receivers: tuple[str, ...] = ()
    """Whom it is for, by name."""


TargetEvent = TargetChanged | TargetRemoved | FindingOpened | FindingClosed
"""What `advance` tells."""
Event = (
    TargetEvent
    | SweepFinished
    | SweepOverran
    | ConfigReloaded
    | ConfigRejected
    | DaemonStarted
    | DaemonStopped
    | NoticePosted
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepActivity:
    """How well somebody looked meanwhile."""

    sweeps: int
    """Sweeps that were completed in that time, as far as they are still kept."""
    first: Timestamp | None = None
    last: Timestamp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Events in the order they were written, and what was so already when the time began."""

    since: Timestamp
    until: Timestamp
    already: tuple[FindingOpened | TargetChanged, ...]
    """The causes that were open before `since`, and the last change of each target that was not ok then."""
    events: tuple[Event, ...]
    """Without sweeps."""
    watch: SweepActivity
    cut: bool = False
    """Whether there was more than is shown; the oldest events are left out then."""
