"""What the daemon knows at one moment: whatever serves or exports reads one of these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from egressd.model.alert import Alert, Outbox
from egressd.model.observation import Phase, Timestamp
from egressd.model.plan import Plan
from egressd.model.settings import Settings
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; what took longer goes into a last bucket without a bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Durations of one phase. `counts` are per bucket, not added up; one more than `BUCKETS`."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    seconds: float = 0.0
    """The sum of all durations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What only grows, since the daemon started. Keys of targets that are gone are dropped."""

    probes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Looks by target and source."""
    failures: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Looks that found the target unreachable, by target, source and reason."""
    latency: Mapping[Phase, Histogram] = field(default_factory=dict)
    """Durations of phases that succeeded."""
    sweeps: int = 0
    overruns: int = 0
    """Starts that were left out because the sweep before was not done."""
    sweep_seconds: float | None = None
    """What the last complete sweep took, spread included."""
    completed: Timestamp | None = None
    """When the last complete sweep was judged."""
    profiles: Mapping[str, Timestamp] = field(default_factory=dict)
    """When every required target of a profile was last believed reachable; kept over restarts."""
    notifications: Mapping[str, int] = field(default_factory=dict)
    """Deliveries that were tried, by receiver."""
    notifications_failed: Mapping[str, int] = field(default_factory=dict)
    """Those of them that failed, by receiver; each try counts."""
    notifications_dropped: Mapping[str, int] = field(default_factory=dict)
    """Notices that were given up, by receiver: beyond the bound of its queue, or refused by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigStatus:
    """How the last attempt to read the configuration went."""

    digest: str
    """Of the configuration that is in force."""
    since: Timestamp
    """When it was read."""
    problems: tuple[str, ...] = ()
    """Why the last reading was refused, of the file or of the web configuration; empty: it was not."""
    attempted: Timestamp | None = None
    """When something was read last."""
    web_problems: tuple[str, ...] = ()
    """Those of the problems that are about the web configuration, which is read by itself."""

    @property
    def successful(self) -> bool:
        """Whether all that was read last is in force."""
        return not self.problems

    @property
    def refused(self) -> tuple[str, ...]:
        """Why the last reload was refused; empty: it was not."""
        return self.problems[: len(self.problems) - len(self.web_problems)]

    def with_web(self, problems: tuple[str, ...], at: Timestamp) -> ConfigStatus:
        """Return this with what the web configuration is like now."""
        return replace(self, problems=(*self.refused, *problems), web_problems=problems, attempted=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateStatus:
    """Whether what we believe will survive a restart."""

    directory: str | None = None
    """None: nothing is kept, for nobody said where."""
    problem: str = ""
    """Why the last save failed; empty: it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverStatus:
    """How deliveries to one receiver go."""

    name: str
    waiting: int = 0
    """Notices in its queue."""
    failing_since: Timestamp | None = None
    """When deliveries began to fail without one that succeeded; None: the last one did."""
    why: str = ""
    """What went wrong last, while it fails."""
    delivered_at: Timestamp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A maintenance window that is in force: what it covers is probed, and nothing is said of it."""

    name: str
    began: Timestamp
    ends: Timestamp
    reason: str = ""
    by: str = ""
    """Who opened it by hand; empty: the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Immutable: the daemon swaps it for another, and never changes it."""

    settings: Settings
    config: ConfigStatus
    started: Timestamp
    """When the daemon was started."""
    plan: Plan | None = None
    """What is probed now."""
    sweep: Sweep | None = None
    """The last complete sweep, with the newest look at every target."""
    standings: Standings = field(default_factory=Standings)
    counters: Counters = field(default_factory=Counters)
    state: StateStatus = field(default_factory=StateStatus)
    next_sweep: Timestamp | None = None
    """When the next sweep is due."""
    alerts: tuple[Alert, ...] = ()
    """By id, sorted; resolved ones are kept for a while."""
    maintenance: tuple[Maintenance, ...] = ()
    """The windows in force, planned ones first."""
    outbox: Outbox = field(default_factory=Outbox)
    receivers: tuple[ReceiverStatus, ...] = ()
    """As configured, in that order."""
