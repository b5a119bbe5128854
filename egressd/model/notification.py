"""What the operator wants to be told: when something is an alert, and where notices go."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""


class Severity(StrEnum):
    """How urgent it is: by who needs what fails, and by the time a product may be offline."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """When something counts as coming and going.

    A target flaps by the weighted share of changes among its last looks, as in Nagios; an alert by how
    often it was opened.
    """

    high: float = 30.0
    """Per cent of changes from which on a target flaps."""
    low: float = 10.0
    """Per cent below which it is calm again."""
    times: int = 3
    """So many openings of one alert..."""
    within: float = 3600.0
    """...within so many seconds, and it is held open..."""
    hold: float = 900.0
    """...until its condition was gone for so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which targets are meant: patterns with `*`. What is empty excludes nothing."""

    targets: tuple[str, ...] = ()
    """Of target ids, endpoints or hosts."""
    profiles: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInterval:
    """Maintenance that comes again and again: nothing is said of what it covers while it lasts."""

    name: str
    schedule: str
    """Five fields of cron: when it begins."""
    seconds: float
    """How long it lasts."""
    timezone: str = "UTC"
    """An IANA name; the schedule is in its local time."""
    reason: str = ""
    scope: Scope = field(default_factory=Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
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
    """Looks in a row that it takes to believe an explicit answer: a reset, a block page, NXDOMAIN."""
    silent: int = 3
    """The same for silence, which loss can cause too."""
    better: int = 2
    """Looks in a row that it takes to believe that a target is reachable again."""
    reminder: float | None = None
    """Seconds after which an open alert is told again; None: never."""
    flapping: Flapping = field(default_factory=Flapping)
    maintenance: tuple[TimeInterval, ...] = ()


class ReceiverKind(StrEnum):
    """What a receiver understands."""

    ALERTMANAGER = "alertmanager"
    WEBHOOK = "webhook"
    """A POST in the JSON of Alertmanager's webhooks, version 4."""
    CLOUDEVENTS = "cloudevents"
    SLACK = "slack"
    TEAMS = "teams"
    EMAIL = "email"
    JOURNALD = "journald"
    SYSLOG = "syslog"
    HEARTBEAT = "heartbeat"
    """A URL that is called when a sweep was completed; it hears nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTransport:
    """How an HTTP receiver is reached. Secrets are kept out of `repr`."""

    urls: tuple[str, ...] = field(repr=False)
    """One; of Alertmanager, every peer. Any of them may hold a secret."""
    secret: bool = False
    """Whether the URL was read from a file, because it is a secret."""
    authorization: str | None = field(default=None, repr=False)
    """The whole value of the `Authorization` header."""
    proxy: str | None = None
    """`http://host:port` of a proxy for notices; None: direct. Never the proxy under test by accident."""
    proxy_authorization: str | None = field(default=None, repr=False)
    """The whole value of the `Proxy-Authorization` header."""
    ca_file: str | None = None
    """PEM roots; None: those of the system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpTransport:
    """How mail is sent."""

    server: str
    port: int
    security: str
    """`starttls`, `tls` or `none`."""
    sender: str
    recipients: tuple[str, ...]
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogTransport:
    """Where RFC 5424 messages go."""

    protocol: str
    """`unix`, `udp` or `tcp`."""
    address: str
    """A path, or a host."""
    port: int = 514
    facility: int = 3
    """Its number; 3 is daemon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One place where notices go. `transport` fits the kind; journald needs none."""

    name: str
    kind: ReceiverKind
    transport: HttpTransport | SmtpTransport | SyslogTransport | None = None
    timeout: float = 10.0
    """Seconds one delivery may take."""
    queue: int = 1000
    """The most notices that wait for it; beyond, the oldest are dropped, counted and confessed."""
    send_resolved: bool = True
    """Whether it is told of the end."""
    digest: int = 5
    """More notices than this that are due together are one message, where the receiver is read by people."""
    wait: float = 5.0
    """Seconds a notice waits for others that come with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Which alerts are meant: every field that is not empty must match one of the alert's own."""

    severity: tuple[Severity, ...] = ()
    profiles: tuple[str, ...] = ()
    """Patterns with `*`, here and below."""
    sources: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    """Names of alerts, such as `EgressCause`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where matching alerts go. The first route that matches decides, unless it says to go on."""

    receivers: tuple[str, ...]
    match: Matcher = field(default_factory=Matcher)
    go_on: bool = False
    """Whether later routes are asked as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Whom the daemon tells."""

    receivers: tuple[Receiver, ...] = ()
    routes: tuple[Route, ...] = ()
    """Empty: everything goes to every receiver."""

    def receiver(self, name: str) -> Receiver | None:
        """Return a receiver by name."""
        return next((one for one in self.receivers if one.name == name), None)
