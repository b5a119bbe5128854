"""The daemon's state at one moment: servers and exporters read one snapshot and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.model.alert import Alert, Outbox, Silence
from egressd.model.observation import Phase, Timestamp
from egressd.model.plan import Plan
from egressd.model.settings import Settings
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; a last bucket without a bound is implied."""


class Histogram(Struct, frozen=True, kw_only=True):
    """Durations of one phase. `counts` are per bucket, not added up; one more than `BUCKETS`."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    seconds: float = 0.0
    """The sum of all durations."""


class Counters(Struct, frozen=True, kw_only=True):
    """Counters since the daemon started. Keys of targets that are not in the plan are dropped."""

    probes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Probes by target and source."""
    failures: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Probes that found the target unreachable, by target, source and reason."""
    latency: Mapping[Phase, Histogram] = field(default_factory=dict)
    """Durations of phases that succeeded."""
    sweeps: int = 0
    overruns: int = 0
    """Sweeps skipped because the one before was not done."""
    sweep_seconds: float | None = None
    """Duration of the last complete sweep, spread included."""
    completed: Timestamp | None = None
    """When the last complete sweep was judged."""
    profiles: Mapping[str, Timestamp] = field(default_factory=dict)
    """When every required target of a profile was last reachable; kept over restarts."""
    notifications: Mapping[str, int] = field(default_factory=dict)
    """Delivery attempts by receiver."""
    notifications_failed: Mapping[str, int] = field(default_factory=dict)
    """Failed attempts by receiver; retries count."""
    notifications_dropped: Mapping[str, int] = field(default_factory=dict)
    """Dropped notices by receiver: its queue was full, or it refused them."""
    bugs: Mapping[str, int] = field(default_factory=dict)
    """Bugs of egressd, by the part of it."""


class ConfigStatus(Struct, frozen=True, kw_only=True):
    """The configuration in force, and the outcome of the last reload."""

    digest: str
    """Of the configuration in force."""
    since: Timestamp
    """When it was read."""
    problems: tuple[str, ...] = ()
    """Why the last reload of the file or of the web configuration was refused; empty: it was not."""
    attempted: Timestamp | None = None
    """When either was read last."""
    web_problems: tuple[str, ...] = ()
    """Those of the web configuration, which is reloaded separately."""
    stale_since: Timestamp | None = None
    """Since when the file says something else than what is in force; None: it does not."""

    @property
    def successful(self) -> bool:
        """Whether what was read last is in force."""
        return not self.problems

    @property
    def refused(self) -> tuple[str, ...]:
        """Why the last reload was refused; empty: it was not."""
        return self.problems[: len(self.problems) - len(self.web_problems)]

    def with_web(self, problems: tuple[str, ...], at: Timestamp) -> ConfigStatus:
        """Return this with other problems of the web configuration."""
        return replace(self, problems=(*self.refused, *problems), web_problems=problems, attempted=at)


class StateStatus(Struct, frozen=True, kw_only=True):
    """Whether state is saved to disk."""

    directory: str | None = None
    """None: no directory is configured, nothing is saved."""
    problem: str = ""
    """Why the last save failed; empty: it did not."""
    failing_since: Timestamp | None = None
    """Since when; None: it did not."""
    saved_at: Timestamp | None = None
    """When it was last saved; None: not yet."""


class ReceiverStatus(Struct, frozen=True, kw_only=True):
    """Deliveries to one receiver."""

    name: str
    waiting: int = 0
    """Notices in its queue."""
    failing_since: Timestamp | None = None
    """First failure since the last success, of any peer; None: the last delivery succeeded."""
    unreached_since: Timestamp | None = None
    """Since when every delivery failed, to whichever peer; None: one succeeded, or none was tried."""
    why: str = ""
    """The last error, while it fails."""
    delivered_at: Timestamp | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """Immutable; the daemon replaces it as a whole."""

    settings: Settings
    config: ConfigStatus
    started: Timestamp
    """When the daemon was started."""
    plan: Plan | None = None
    """The plan in force."""
    sweep: Sweep | None = None
    """The last complete sweep, with the newest result of every target."""
    standings: Standings = field(default_factory=Standings)
    counters: Counters = field(default_factory=Counters)
    state: StateStatus = field(default_factory=StateStatus)
    next_sweep: Timestamp | None = None
    """When the next sweep is due."""
    alerts: tuple[Alert, ...] = ()
    """By id, sorted; resolved ones are kept for a while."""
    silences: tuple[Silence, ...] = ()
    """The active ones, those of time intervals first."""
    outbox: Outbox = field(default_factory=Outbox)
    receivers: tuple[ReceiverStatus, ...] = ()
    """As configured, in that order."""
    log_lines_lost: int = 0
    """Lines of the log that could not be written since the start."""
