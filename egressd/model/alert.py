"""Alerts, the notices about them, the queue of notices, and silences.

An alert's `id` never changes. Its labels, by which Prometheus and Alertmanager identify it, change with its
reason and severity. A field that has another name on disk has it as its `alias`.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from egressd.model.notification import Labels, Scope, Severity
from egressd.model.observation import Phase, Timestamp
from egressd.model.verdict import Blame, Confidence, Suspect

SILENCE_PREFIX = "maintenance/"
"""In `Alert.suppressed_by`, a silence is this and its name. Stored, and in the JSON of the API."""
SUSPECTED = "suspected"
"""In `Alert.suppressed_by`: a cause that is not confirmed yet; the next probes decide."""


class AlertName(StrEnum):
    """The names of alerts, shared with the Prometheus rules; each has a heading in the runbooks."""

    CAUSE = "EgressCause"
    UNREACHABLE = "EgressTargetUnreachable"
    UNKNOWN = "EgressTargetUnknown"
    DEGRADED = "EgressTargetDegraded"
    FLAPPING = "EgressTargetFlapping"
    INTERCEPTED = "EgressTlsIntercepted"
    EXPIRING = "EgressCertificateExpiring"
    CLOCK = "EgressClockSkew"
    OFFLINE_HALF = "EgressProfileOfflineHalf"
    OFFLINE_NEAR_LIMIT = "EgressProfileOfflineNearLimit"
    RELOAD_FAILED = "EgressdConfigReloadFailed"
    NOTIFICATIONS_FAILING = "EgressdNotificationsFailing"
    STATE_NOT_KEPT = "EgressdStateNotKept"
    TEST = "EgressdTest"
    """A test notification; no Prometheus rule has this name."""


class Condition(Struct, frozen=True, kw_only=True):
    """An alert instance: something that is wrong now, whether or not its alert fires."""

    id: str
    """The alert name, and the cause, target and source, profile or receiver."""
    alertname: AlertName = field(name="fault")
    severity: Severity
    labels: Labels
    """The labels in Prometheus, without `alertname` and `severity`."""
    summary: str
    """One line: what is wrong, where."""
    since: Timestamp
    """When it began, as far as is known."""
    reason: str | None = None
    blame: Blame | None = None
    phase: Phase | None = None
    confidence: Confidence | None = None
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] | None = None
    """Whom the facts leave, the most likely first; None: nobody is blamed, or 0.1.0 wrote it."""
    evidence: tuple[str, ...] = ()
    """Lines a firewall engineer can search a log for."""
    advice: str = ""
    """What to ask for, and of whom."""
    targets: tuple[str, ...] = ()
    """Ids of all targets concerned."""
    sources: tuple[str, ...] = ()
    """Sources it was seen from."""
    profiles: tuple[str, ...] = ()
    """Profiles that need one of the targets."""


class AlertState(StrEnum):
    """The state of an alert; transitions are a table in `egressd.alerting.lifecycle`.

    The values are those on disk and in JSON, where two have kept their older words.
    """

    PENDING = "pending"
    """Its condition holds, not notified yet: not for long enough, or suppressed from the start."""
    FIRING = "firing"
    """Notified, and its condition holds."""
    SUPPRESSED = "quiet"
    """Notified, its condition holds, and another alert or a silence suppresses it."""
    RESOLVING = "fading"
    """Notified, and its condition is gone, but may return."""
    RESOLVED = "resolved"
    """Notified, and over. Kept for a while: it may return, and slow receivers must get the resolution."""


class Resolution(StrEnum):
    """Why an alert is resolved."""

    FIXED = "fixed"
    """Its condition is gone."""
    SUPERSEDED = "superseded"
    """What still fails is covered by other alerts, which were notified before."""
    REMOVED = "removed"
    """Its targets are not configured any more."""


class Alert(Struct, frozen=True, kw_only=True):
    """One alert. Changed by `egressd.alerting.advance_alerts` only."""

    condition: Condition
    """The last one that held."""
    state: AlertState
    started: Timestamp
    """When the condition began to hold, this time."""
    opened: Timestamp | None = None
    """When it fired."""
    closed: Timestamp | None = None
    """When it was resolved."""
    resolution: Resolution | None = None
    cleared_at: Timestamp | None = field(default=None, name="gone")
    """While resolving: since when the condition is gone."""
    suppressed_by: tuple[str, ...] = field(default=(), name="kept_quiet_by")
    """Ids of alerts, `maintenance/NAME` of a silence, or `suspected`."""
    succeeded_by: tuple[str, ...] = ()
    """When superseded: ids of the alerts that cover what still fails."""
    notified: Condition | None = field(default=None, name="told")
    """The condition in the last notice."""
    notified_at: Timestamp | None = field(default=None, name="told_at")
    openings: tuple[Timestamp, ...] = ()
    """When it was opened of late: the alert flaps when there are many."""
    notices: int = 0
    """Number of notices since it was opened."""

    @property
    def id(self) -> str:
        """The id of its condition."""
        return self.condition.id

    @property
    def is_open(self) -> bool:
        """Whether it was notified and is not resolved."""
        return self.state in (AlertState.FIRING, AlertState.SUPPRESSED, AlertState.RESOLVING)

    @property
    def holds(self) -> bool:
        """Whether its condition held at the last evaluation."""
        return self.state in (AlertState.PENDING, AlertState.FIRING, AlertState.SUPPRESSED)


class NoticeKind(StrEnum):
    """Why a notice is sent."""

    OPENED = "opened"
    CHANGED = "changed"
    """More urgent, another reason, or many more targets."""
    REMINDED = "reminded"
    """The alert still fires."""
    CLOSED = "closed"
    TEST = "test"


class Notice(Struct, frozen=True, kw_only=True):
    """One notification about an alert. Its id is the same for every receiver and retry."""

    id: str
    at: Timestamp
    kind: NoticeKind
    alert: Alert
    """As it was then."""
    change: str = ""
    """What changed, in words."""
    before: Condition | None = None
    """The condition in the notice before, maybe with other labels; None: this notice opens the alert."""


class Queued(Struct, frozen=True, kw_only=True):
    """A notice waiting for a receiver."""

    receiver: str
    number: int
    """Grows over all receivers and restarts: the order of delivery."""
    notice: Notice


class Outbox(Struct, frozen=True, kw_only=True):
    """The queue of notices. Changed by `egressd.notify.outbox` only."""

    waiting: tuple[Queued, ...] = ()
    """By number."""
    next_number: int = 1
    dropped: tuple[tuple[str, int], ...] = ()
    """By receiver: notices dropped because its queue was full, and not reported to it yet."""

    def of(self, receiver: str) -> tuple[Queued, ...]:
        """Return the notices waiting for a receiver, in order."""
        return tuple(one for one in self.waiting if one.receiver == receiver)


class Silence(Struct, frozen=True, kw_only=True):
    """A period without notifications: opened by hand, or an occurrence of a time interval."""

    name: str
    began: Timestamp
    ends: Timestamp
    reason: str = ""
    by: str = ""
    """The user who opened it; empty: the configuration, or unknown."""
    scope: Scope = field(default_factory=Scope)
    """Opened by hand it has no profiles."""

    @property
    def covers_all(self) -> bool:
        """Whether it covers every target and source."""
        return self.scope == Scope()
