"""Everything attribution may know: what happened, seen from where. Facts only."""

from __future__ import annotations

from dataclasses import dataclass

from egressd.model.observation import Observation, Phase, Timestamp
from egressd.model.plan import ControlKind, Plan
from egressd.model.settings import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The observations of one probe along one way, in order; at most the last one failed.

    A trail that ends in DNS has no address. One whose address was borrowed (random labels) or
    replaced (`connect_to`) says so: then its success says nothing about the DNS answer.
    """

    source: str
    family: Family
    address: str | None
    """The address dialled for, as DNS gave it; None where the trail ended before."""
    path: str
    """`direct`, or the proxy as `scheme://host:port`."""
    observations: tuple[Observation, ...]
    attempt: int = 1
    resolver: str = ""
    """The resolver whose answer was used."""
    borrowed_from: str | None = None
    redirected: bool = False
    """Whether `connect_to` replaced the address."""

    @property
    def last(self) -> Observation | None:
        """The observation that decided the trail; None where nothing ran."""
        return self.observations[-1] if self.observations else None

    def seen(self, phase: Phase) -> Observation | None:
        """Return the last observation of a phase, or None."""
        return next((one for one in reversed(self.observations) if one.phase is phase), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control that ran: what was asked and the trails it left."""

    id: str
    kind: ControlKind
    source: str
    subject: str
    why: str
    host: str
    address: str | None
    port: int
    trails: tuple[Trail, ...]
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """One host's idea of the time against ours."""

    host: str
    offset_seconds: float
    """Theirs minus ours."""
    origin: str
    """`http-date` (whole seconds) or `ntp`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageSource:
    """A source as it is on this host."""

    name: str
    address: str | None
    interface: str | None
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """Where the sweep was made from. Facts about us are evidence too."""

    host: str
    sources: tuple[VantageSource, ...]
    resolvers: tuple[str, ...]
    """Every resolver asked, `system` expanded to what the host's files say."""
    proxy: str | None
    families: tuple[Family, ...]
    trust: tuple[tuple[str, str], ...]
    """`store`, `public_roots`, `openssl`, ... as names and values."""
    clock_offset_seconds: float | None = None
    clock_readings: tuple[ClockReading, ...] = ()
    local_addresses: tuple[str, ...] = ()
    proxy_variables: tuple[str, ...] = ()
    """Names, never values, of the environment's proxy variables."""
    python: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRecord:
    """The trails of one probe. No trails: `skipped` or `bug` says why."""

    probe: str
    trails: tuple[Trail, ...]
    skipped: str = ""
    """Why it did not run to its end: `interrupted`, `sweep deadline`."""
    bug: str = ""
    """Our own exception's class and text, where one ended the probe; the log has the traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How a target did from a source at another time: what a sweep is measured against."""

    target: str
    source: str
    outcome: str
    reason: str | None = None
    random: bool = False
    """Whether the host was a random label."""
    answered: bool | None = None
    """Whether TLS answered: a ServerHello or an alert; None where it was not tried."""
    ending: str = ""
    """How the handshake failed, the number of an alert included; empty: it did not."""
    alpn: str | None = None
    version: str | None = None
    """What the handshake agreed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """An earlier sweep, or one from an open network, as far as it is compared with."""

    run: str
    started: Timestamp
    marks: tuple[Mark, ...]
    findings: tuple[tuple[str, str], ...] = ()
    """Ids and titles of its findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One sweep's facts."""

    id: str
    started: Timestamp
    finished: Timestamp
    interrupted: bool
    plan: Plan
    vantage: Vantage
    records: tuple[ProbeRecord, ...]
    """One per probe of the plan, in its order."""
    controls: tuple[Control, ...] = ()
    baseline: Baseline | None = None
    """What it is measured against; None: nothing."""
