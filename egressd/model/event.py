"""Events, in the past tense and append-only; and the history of a period."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from egressd.model.alert import AlertName, NoticeKind, Resolution
from egressd.model.notification import Severity
from egressd.model.observation import Timestamp
from egressd.model.standing import Belief
from egressd.model.verdict import Blame, Confidence, OutcomeCounts, Suspect


class EventKind(StrEnum):
    """What an event is about."""

    TARGET = "target"
    CAUSE = "cause"
    ALERT = "alert"
    EGRESSD = "egressd"


class TargetChanged(Struct, frozen=True, kw_only=True):
    """The belief about a target from a source changed."""

    at: Timestamp
    """When it was confirmed."""
    since: Timestamp
    """When it was first seen."""
    target: str
    source: str
    before: Belief | None = None
    """None: nothing was known. A target that is ok from the start is no event."""
    before_since: Timestamp | None = None
    after: Belief


class TargetRemoved(Struct, frozen=True, kw_only=True):
    """A target that was not ok left the plan, from a source."""

    at: Timestamp
    target: str
    source: str
    before: Belief
    """The last belief. A target that was ok when it left is no event."""
    before_since: Timestamp


class FindingOpened(Struct, frozen=True, kw_only=True):
    """A finding was confirmed."""

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
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] | None = None
    """Whom the facts leave, the most likely first; None: nobody is blamed, or 0.1.0 wrote it."""


class FindingClosed(Struct, frozen=True, kw_only=True):
    """A confirmed finding is not seen any more."""

    at: Timestamp
    since: Timestamp
    finding: str
    reason: str
    title: str


class SweepFinished(Struct, frozen=True, kw_only=True):
    """A complete sweep was judged."""

    at: Timestamp
    recording: str
    started: Timestamp
    seconds: float
    tally: OutcomeCounts


class SweepOverran(Struct, frozen=True, kw_only=True):
    """A sweep was not done when the next was due, which was skipped: sweeps never overlap."""

    at: Timestamp
    seconds: float
    """How long the sweep took."""
    missed: int
    """How many sweeps were skipped."""


class ConfigReloaded(Struct, frozen=True, kw_only=True):
    """A configuration was reloaded, in force from the next sweep on."""

    at: Timestamp
    digest: str
    site: str | None = None
    """As in `DaemonStarted`."""


class ConfigRejected(Struct, frozen=True, kw_only=True):
    """A bad configuration was rejected; the old one stays."""

    at: Timestamp
    problems: tuple[str, ...]


class DaemonStarted(Struct, frozen=True, kw_only=True):
    """The daemon was started; nothing was probed before."""

    at: Timestamp
    egressd: str
    """The version."""
    config_digest: str
    site: str | None = None
    """The host's place in a fleet from then on; None: an older version wrote it."""


class DaemonStopped(Struct, frozen=True, kw_only=True):
    """The daemon stopped on request; without this event it was killed."""

    at: Timestamp


class NoticePosted(Struct, frozen=True, kw_only=True):
    """A notice was queued for its receivers, which may be none."""

    at: Timestamp
    notice: str
    """Its id, as receivers get it."""
    notice_kind: NoticeKind = field(name="said")
    alert: str
    """The id of the alert."""
    alertname: AlertName = field(name="fault")
    severity: Severity
    summary: str
    since: Timestamp
    reason: str | None = None
    resolution: Resolution | None = None
    change: str = ""
    targets: tuple[str, ...] = ()
    """Ids of the first targets concerned."""
    receivers: tuple[str, ...] = ()
    """Names of the receivers."""


TargetEvent = TargetChanged | TargetRemoved | FindingOpened | FindingClosed
"""Events of `egressd.standing.advance`."""
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


class SweepActivity(Struct, frozen=True, kw_only=True):
    """The sweeps of a period."""

    sweeps: int
    """Number of completed sweeps, as far as they are still kept."""
    first: Timestamp | None = None
    last: Timestamp | None = None


class History(Struct, frozen=True, kw_only=True):
    """The events of a period in order, and what was not ok when it began."""

    since: Timestamp
    until: Timestamp
    already: tuple[FindingOpened | TargetChanged, ...]
    """Findings open at `since`, and the last change of each target that was not ok then."""
    events: tuple[Event, ...]
    """Without sweeps."""
    watch: SweepActivity
    sites: tuple[str, ...] = ()
    """The places in a fleet that the host had in that time, in their order; empty: none is on record."""
    cut: bool = False
    """Whether the oldest events were left out, because there are too many."""
    unreadable: int = 0
    """Events that are damaged, and left out."""
