"""Verdicts on a recording make two claims, each with a confidence: what happened, and who caused it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from egressd.model.observation import Phase
from egressd.model.recording import Recording


class Outcome(StrEnum):
    """From best to worst; `severity` orders them."""

    OK = "ok"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    DOWN = "down"
    BLOCKED = "blocked"

    @property
    def severity(self) -> int:
        """0 is best. A known failure outranks `unknown`, which outranks what works."""
        return list(Outcome).index(self)

    @property
    def reachable(self) -> bool:
        """Whether the endpoint can be used."""
        return self in (Outcome.OK, Outcome.DEGRADED)


class Confidence(StrEnum):
    """How sure a claim is, from the surest."""

    CONFIRMED = "confirmed"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INCONCLUSIVE = "inconclusive"


class Blame(StrEnum):
    """The device or party at fault."""

    LOCAL_HOST = "local_host"
    LOCAL_GATEWAY = "local_gateway"
    DNS_RESOLVER = "dns_resolver"
    DNS_FILTER = "dns_filter"
    FIREWALL_L3L4 = "firewall_l3l4"
    FIREWALL_L7 = "firewall_l7"
    TLS_INSPECTION = "tls_inspection"
    EXPLICIT_PROXY = "explicit_proxy"
    TRANSPARENT_PROXY = "transparent_proxy"
    PATH_MTU_LINK = "path_mtu_link"
    NAT_DEVICE = "nat_device"
    UPSTREAM_PATH = "upstream_path"
    AZURE_SERVICE = "azure_service"
    ENDPOINT_OWNER = "endpoint_owner"
    PKI_ENDPOINT = "pki_endpoint"
    EGRESSD_ENV = "egressd_env"
    UNKNOWN_MIDDLEBOX = "unknown_middlebox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A party that can have caused a failure and that no fact rules out."""

    blame: Blame
    decided_by: str
    """The log line or the check that would decide whether it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """A party that can cause such a failure, and the fact by which it did not."""

    blame: Blame
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on one target, or on one target from one source.

    An `ok` verdict has no phase, reason, blame or advice; `also` may still hold informational codes.
    """

    outcome: Outcome
    phase: Phase | None = None
    reason: str | None = None
    confidence: Confidence = Confidence.CONFIRMED
    """How sure it is what happened."""
    blame: Blame | None = None
    """The first suspect."""
    blame_confidence: Confidence | None = None
    """How sure it is who caused it; None where nobody is blamed, and in reports of older versions."""
    suspects: tuple[Suspect, ...] = ()
    """Every party that the facts leave, the most likely first."""
    ruled_out: tuple[RuledOut, ...] = ()
    also: tuple[str, ...] = ()
    """Other reason codes that hold, the most telling first."""
    flags: tuple[str, ...] = ()
    """Modifiers, e.g. `single_address`, `accept_all`, `unverified_control`."""
    evidence: tuple[str, ...] = ()
    """Lines a firewall engineer can search a log for; the first is the one to show."""
    advice: str = ""
    """What to request, and from whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVerdict:
    """A verdict seen from one source, along one path."""

    source: str
    path: str = "direct"
    """`direct`, or the proxy as `scheme://host:port`."""
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVerdict:
    """The verdict of a target: the worst over its sources."""

    target: str
    verdict: Verdict
    by_source: tuple[SourceVerdict, ...]
    other_path: tuple[SourceVerdict, ...] = ()
    """Verdicts along the other path, if paths were compared; they decide nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause over many targets."""

    id: str
    reason: str
    blame: Blame
    confidence: Confidence
    title: str
    targets: tuple[str, ...]
    evidence: tuple[str, ...]
    advice: str
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCounts:
    """Number of targets by outcome."""

    targets: int
    ok: int
    degraded: int
    blocked: int
    down: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A recording and its verdicts. Judging the recording again gives the same."""

    recording: Recording
    verdicts: tuple[TargetVerdict, ...]
    """In the order of the plan's targets."""
    findings: tuple[Finding, ...]
