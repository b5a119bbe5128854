"""The recording of a sweep: all facts that attribution judges, without judgement."""

from __future__ import annotations

from msgspec import Struct

from egressd.model.observation import Observation, Phase, Timestamp, TlsObservation
from egressd.model.plan import ControlKind, Plan
from egressd.model.settings import Family


class Trail(Struct, frozen=True, kw_only=True):
    """The observations of one attempt of a probe at one address, in phase order; at most the last one failed.

    A trail that ends in DNS has no address. Where the address is that of a sibling (random labels) or of
    `connect_to`, its success says nothing about the DNS answer.
    """

    source: str
    family: Family
    address: str | None
    """The address as DNS gave it; None where the trail ended before."""
    path: str
    """`direct`, or the proxy as `scheme://host:port`."""
    observations: tuple[Observation, ...]
    attempt: int = 1
    resolver: str = ""
    """The resolver whose answer was used."""
    borrowed_from: str | None = None
    """The sibling host whose address was used; None: the host's own."""
    redirected: bool = False
    """Whether `connect_to` replaced the address."""

    @property
    def last(self) -> Observation | None:
        """The last observation, which decides the trail; None where nothing ran."""
        return self.observations[-1] if self.observations else None

    @property
    def handshakes(self) -> tuple[TlsObservation, ...]:
        """The handshakes with the target: through a proxy, those inside the tunnel."""
        seen = self.observations
        if self.path != "direct":
            at = next((n for n, one in enumerate(seen) if one.phase is Phase.PROXY), len(seen))
            seen = seen[at:]
        return tuple([one for one in seen if isinstance(one, TlsObservation)])  # asked very often

    def seen(self, phase: Phase) -> Observation | None:
        """Return the last observation of a phase; None if there is none."""
        for one in reversed(self.observations):  # called for every trail of a sweep, many times
            if one.phase is phase:
                return one
        return None


class Control(Struct, frozen=True, kw_only=True):
    """A control that ran: its target and its trails, of several tries or rounds in their order."""

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
    subject_trails: tuple[Trail, ...] = ()
    """The conversation that `trails` are compared with, held in turn with them: one for each round."""


class ClockReading(Struct, frozen=True, kw_only=True):
    """The clock of one host compared with ours."""

    host: str
    offset_seconds: float
    """Theirs minus ours."""
    origin: str
    """`http-date` (whole seconds) or `ntp`."""


class VantageSource(Struct, frozen=True, kw_only=True):
    """A configured source."""

    name: str
    address: str | None
    interface: str | None
    roles: tuple[str, ...]


class Vantage(Struct, frozen=True, kw_only=True):
    """The host that made the sweep: its facts are evidence too."""

    host: str
    site: str | None = None
    """The host's place in a fleet; None: a report of an older version, which does not say."""
    sources: tuple[VantageSource, ...]
    resolvers: tuple[str, ...]
    """Every resolver queried, with `system` expanded to the nameservers of the host."""
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


HOST_PAUSED = "this host paused"
"""Why a probe is skipped whose failure is no evidence: this host did not run meanwhile."""


class ProbeRecord(Struct, frozen=True, kw_only=True):
    """The trails of one probe. Without trails, `skipped` or `bug` gives the reason."""

    probe: str
    trails: tuple[Trail, ...]
    skipped: str = ""
    """Why it did not complete: `interrupted`, `sweep deadline`, `this host paused`."""
    bug: str = ""
    """Class and text of an egressd exception that ended the probe; the log has the traceback."""


class BaselineEntry(Struct, frozen=True, kw_only=True):
    """The earlier result of a target from a source, to compare a sweep with."""

    target: str
    source: str
    outcome: str
    reason: str | None = None
    random: bool = False
    """Whether the host was a random label."""
    answered: bool | None = None
    """Whether the far end's ServerHello or an alert was received; None where TLS was not tried, or where a
    device on the way answers in the far end's name."""
    ending: str = ""
    """How the handshake failed, with the number of an alert; empty: it succeeded."""
    alpn: str | None = None
    version: str | None = None
    """The TLS version negotiated, as `alpn` is the protocol."""
    public: bool | None = None
    """Whether the chain of that handshake leads to a public root: by then the server itself had answered."""


class Baseline(Struct, frozen=True, kw_only=True):
    """The results of an earlier sweep, or of one from an open network, to compare with."""

    run: str
    started: Timestamp
    marks: tuple[BaselineEntry, ...]
    findings: tuple[tuple[str, str], ...] = ()
    """Ids and titles of its findings."""
    host: str | None = None
    """The host that made it; None: a report of an older version, which does not say."""
    site: str | None = None
    """The place of that host in a fleet; None: as above."""
    addresses: tuple[str, ...] = ()
    """The addresses of that host."""


class Recording(Struct, frozen=True, kw_only=True):
    """All facts of one sweep."""

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
    """The results to compare with; None: no comparison."""
    evidence_since: Timestamp | None = None
    """What was seen before is no evidence about other targets: it is of another episode. None: all was seen
    in one pass."""
