"""Settings of alerting and notifications: when something is an alert, and where notifications go."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol, Self

from msgspec import Struct, field
from msgspec.structs import replace

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""


class Severity(StrEnum):
    """How urgent it is: by the need of what fails, and by the time a product may be offline."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return list(Severity).index(self)


class Flapping(Struct, frozen=True, kw_only=True):
    """When something is flapping.

    A target by the weighted share of changes among its last results, as in Nagios; an alert by how often it
    was opened.
    """

    high: float = 30.0
    """Per cent of changes from which on a target is flapping."""
    low: float = 10.0
    """Per cent below which it is not flapping any more."""
    times: int = 3
    """So many openings of one alert..."""
    within: float = 3600.0
    """...within so many seconds, and it is held open..."""
    hold: float = 900.0
    """...until its condition was gone for so many seconds."""


class Scope(Struct, frozen=True, kw_only=True):
    """Which targets are meant: patterns with `*`. What is empty excludes nothing."""

    targets: tuple[str, ...] = ()
    """Of target ids, endpoints or hosts."""
    profiles: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class TimeInterval(Struct, frozen=True, kw_only=True):
    """Recurring maintenance: alerts on what it covers are silenced while it lasts."""

    name: str
    schedule: str
    """Five fields of cron: when it begins."""
    seconds: float
    """How long it lasts."""
    timezone: str = "UTC"
    """An IANA name; the schedule is in its local time."""
    reason: str = ""
    scope: Scope = field(default_factory=Scope)


class Alerting(Struct, frozen=True, kw_only=True):
    """When something is an alert, and what it is called."""

    job: str = "egressd"
    """The label `job`, as Prometheus has it."""
    instance: str = ""
    """The label `instance`, as Prometheus has it. Empty: this host's name and the port of `web.listen`."""
    labels: Labels = ()
    """Further labels of every alert, such as Prometheus' external labels."""
    runbooks: str = ""
    """Where the runbooks are, without a slash at the end; empty: no links."""
    explicit: int = 2
    """Probes in a row that confirm an explicit answer: a reset, a block page, NXDOMAIN."""
    silent: int = 3
    """The same for silence, which loss can cause too."""
    better: int = 2
    """Probes in a row that confirm that a target is reachable again."""
    reminder: float | None = None
    """Seconds after which an open alert is notified again; None: never."""
    flapping: Flapping = field(default_factory=Flapping)
    maintenance: tuple[TimeInterval, ...] = ()

    @property
    def site(self) -> str:
        """The label `site`: the place in a fleet of the host that sends; empty: it has none."""
        return dict(self.labels).get("site", "")

    @property
    def place(self) -> str:
        """The site, where its name says more than `instance` does; else empty."""
        return "" if self.site == self.instance.rpartition(":")[0] else self.site


class Feed(StrEnum):
    """What a receiver is sent."""

    NOTICES = "notices"
    """Each notice once, from a queue."""
    ALERTS = "alerts"
    """Every alert that fires or has just ended, repeatedly: Alertmanager."""
    SWEEPS = "sweeps"
    """One call after each completed sweep, and no alerts: a heartbeat."""


class Transport(Protocol):
    """How a receiver is reached: its address and credentials, and what of them may be shown.

    An implementation is a frozen dataclass, with secrets kept out of its `repr`.
    """

    @property
    def place(self) -> str:
        """Where it is, without secrets."""
        ...

    @property
    def advice(self) -> str:
        """What to check when it does not get a test notice."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed and leaks a secret, a sentence each."""
        return ()

    def secrets(self) -> Iterable[str]:
        """Return every spelling of its secrets that no log line may show."""
        return ()

    def without_secrets(self) -> Self:
        """Return it without secrets, for the digest of the configuration."""
        return self


class Receiver(Struct, frozen=True, kw_only=True):
    """One place where notifications go."""

    name: str
    type: str
    """As in the configuration: `slack`, `webhook`..."""
    transport: Transport
    feed: Feed = Feed.NOTICES
    timeout: float = 10.0
    """Seconds one delivery may take."""
    queue: int = 1000
    """The most notifications that wait for it; beyond, the least urgent are dropped, and the next says how
    many."""
    send_resolved: bool = True
    """Whether it is notified when an alert is resolved."""
    digest: int | None = None
    """More notices than this that are due together are one message; None: each is a message of its own."""
    wait: float = 0.0
    """Seconds a notice waits for others that come with it."""


class Matcher(Struct, frozen=True, kw_only=True):
    """Which alerts a route takes: every field that is not empty must match one of the alert's own."""

    severity: tuple[Severity, ...] = ()
    profiles: tuple[str, ...] = ()
    """Patterns with `*`, here and below."""
    sources: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    """Names of alerts, such as `EgressCause`."""


class Route(Struct, frozen=True, kw_only=True):
    """Where matching alerts go. The first route that matches decides, unless `go_on` is set."""

    receivers: tuple[str, ...]
    match: Matcher = field(default_factory=Matcher)
    go_on: bool = False
    """Whether later routes are asked as well."""

    @property
    def takes_all(self) -> bool:
        """Whether it matches every alert."""
        return self.match == Matcher()

    @property
    def is_last(self) -> bool:
        """Whether no alert gets beyond it."""
        return self.takes_all and not self.go_on


class Notify(Struct, frozen=True, kw_only=True):
    """The receivers of notifications, and which alert goes where."""

    receivers: tuple[Receiver, ...] = ()
    routes: tuple[Route, ...] = ()
    """Empty: everything goes to every receiver."""

    def receiver(self, name: str) -> Receiver | None:
        """Return a receiver by name."""
        return next((one for one in self.receivers if one.name == name), None)

    @property
    def reached_routes(self) -> tuple[Route, ...]:
        """The routes up to the first that takes everything and does not go on."""
        last = next((at for at, one in enumerate(self.routes) if one.is_last), len(self.routes) - 1)
        return self.routes[: last + 1]

    @property
    def alertmanagers(self) -> tuple[Receiver, ...]:
        """The Alertmanagers that are sent alerts: receivers to which a route leads."""
        routed = {name for one in self.reached_routes for name in one.receivers}
        return tuple(
            one
            for one in self.receivers
            if one.feed is Feed.ALERTS and (not self.routes or one.name in routed)
        )

    def secrets(self) -> tuple[str, ...]:
        """Return every spelling of the receivers' secrets that no line may show, the longest first."""
        found = {text for one in self.receivers for text in one.transport.secrets() if text}
        return tuple(sorted(found, key=lambda text: (-len(text), text)))

    def without_secrets(self) -> Notify:
        """Return receivers and routes with no secret in them."""
        bare = (replace(one, transport=one.transport.without_secrets()) for one in self.receivers)
        return replace(self, receivers=tuple(bare))
