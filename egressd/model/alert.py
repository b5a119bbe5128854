"""An alert: one thing that somebody should mend, from the first doubt to the end; and what is said of it.

An alert's `id` says what it is about and never changes. Its labels, which is what Prometheus and
Alertmanager know it by, change with what we know: the reason, the severity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from egressd.model.notification import Labels, Severity
from egressd.model.observation import Phase, Timestamp
from egressd.model.verdict import Blame, Confidence


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
    TEST = "EgressdTest"
    """Nothing is wrong: somebody tries whether notices arrive. No rule of Prometheus has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that is wrong now, whether or not it is an alert yet."""

    id: str
    """What it is about: the fault, and the cause, target and source, profile or receiver."""
    alertname: AlertName = field(metadata={"alias": "fault"})
    severity: Severity
    labels: Labels
    """What tells it from others in Prometheus, without `alertname` and `severity`."""
    summary: str
    """One line: what is wrong, where."""
    since: Timestamp
    """When it began, as far as we know."""
    reason: str | None = None
    blame: Blame | None = None
    phase: Phase | None = None
    confidence: Confidence | None = None
    evidence: tuple[str, ...] = ()
    """Lines a firewall engineer can search a log for."""
    advice: str = ""
    """What to ask for, and of whom."""
    targets: tuple[str, ...] = ()
    """All of them, by id."""
    sources: tuple[str, ...] = ()
    """Where it is seen from."""
    profiles: tuple[str, ...] = ()
    """The products that suffer."""


class AlertState(StrEnum):
    """Where an alert stands. The moves are a table: `egressd.alerting.lifecycle`."""

    PENDING = "pending"
    """Its condition holds, and nothing was said yet: not for long enough, or somebody keeps it quiet."""
    FIRING = "firing"
    """Told, and its condition holds."""
    SUPPRESSED = "quiet"  # stored, and in the JSON of the API, under this value
    """Told, its condition holds, and another alert or a maintenance window speaks for it now."""
    RESOLVING = "fading"  # likewise
    """Told, and its condition is gone, but not yet for good."""
    RESOLVED = "resolved"
    """Told, and over. Kept for a while: it may come back, and late receivers must hear of the end."""


class Resolution(StrEnum):
    """Why an alert ended."""

    FIXED = "fixed"
    """What it is about is good again."""
    SUPERSEDED = "superseded"
    """What still fails goes on under other alerts, which were told before."""
    REMOVED = "removed"
    """Nobody asks for it any more: the configuration has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as it stands. Changes only through `egressd.alerting.advance_alerts`."""

    condition: Condition
    """As last seen."""
    state: AlertState
    started: Timestamp
    """When the condition was first seen to hold, this time."""
    opened: Timestamp | None = None
    """When it was told."""
    closed: Timestamp | None = None
    """When it was over."""
    resolution: Resolution | None = None
    gone: Timestamp | None = None
    """While fading: since when the condition is gone."""
    suppressed_by: tuple[str, ...] = field(default=(), metadata={"alias": "kept_quiet_by"})
    """Ids of alerts, or `maintenance/NAME`."""
    succeeded_by: tuple[str, ...] = ()
    """Of one that was superseded: the ids of the alerts that go on."""
    told: Condition | None = None
    """The condition as it was when something was last said."""
    told_at: Timestamp | None = None
    openings: tuple[Timestamp, ...] = ()
    """When it was opened of late; many of them, and it flaps."""
    notices: int = 0
    """How many notices there were since it was opened."""

    @property
    def id(self) -> str:
        """What it is about."""
        return self.condition.id

    @property
    def is_open(self) -> bool:
        """Whether it was told and is not over."""
        return self.state in (AlertState.FIRING, AlertState.SUPPRESSED, AlertState.RESOLVING)


class NoticeKind(StrEnum):
    """What a notice says."""

    OPENED = "opened"
    CHANGED = "changed"
    """It is more urgent, has another reason, or touches many more targets."""
    REMINDED = "reminded"
    """It still holds."""
    CLOSED = "closed"
    TEST = "test"
    """Nothing is wrong: somebody tries whether notices arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something was said of an alert; past tense, append-only. Its id is the same on every retry."""

    id: str
    at: Timestamp
    kind: NoticeKind
    alert: Alert
    """As it stood then."""
    change: str = ""
    """What changed, in words."""
    before: Condition | None = None
    """The condition as the notice before told it; None: this opens the alert. Its labels may be others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A notice that waits for a receiver."""

    receiver: str
    number: int
    """Counts up over all receivers and restarts: the order in which they are to arrive."""
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What waits to be delivered. Changes only through `egressd.notify.outbox`."""

    waiting: tuple[Queued, ...] = ()
    """By number."""
    next_number: int = 1
    dropped: tuple[tuple[str, int], ...] = ()
    """By receiver: notices the bound has cost since the last one was delivered, not yet confessed to it."""

    def of(self, receiver: str) -> tuple[Queued, ...]:
        """Return what waits for a receiver, in order."""
        return tuple(one for one in self.waiting if one.receiver == receiver)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A maintenance window that somebody has opened by hand."""

    name: str
    began: Timestamp
    ends: Timestamp
    reason: str
    by: str = ""
    """Who opened it."""
    sources: tuple[str, ...] = ()
    """Patterns; empty: every source."""
    targets: tuple[str, ...] = ()
    """Patterns of target ids, endpoints and hosts; empty: everything."""
