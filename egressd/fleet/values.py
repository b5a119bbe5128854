"""What is known of many sites, and what they show together that no single one can.

Times are RFC 3339 UTC by a common clock: where a site's clock was found to be wrong they are corrected.
A place is what is probed: host, port and protocol. Targets of several endpoints may share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from egressd.model.endpoint import Need, Protocol
from egressd.model.observation import Phase, Timestamp
from egressd.model.verdict import Blame, Confidence, Outcome, RuledOut, Suspect


class Onset(Struct, frozen=True, kw_only=True):
    """When a failure began: after the one time, and by the other."""

    by: Timestamp
    """The first result that is known to have failed, without a success since."""
    after: Timestamp | None = None
    """The last result before it that is known to have worked; None: it is not known ever to have."""


class SiteTarget(Struct, frozen=True, kw_only=True):
    """The newest result of a target at a site: the worst of its hosts and sources."""

    target: str
    endpoint: str
    host: str
    """Of a random label the pattern, as in labels of metrics."""
    port: int
    protocol: Protocol
    need: Need
    outcome: Outcome
    seen: Timestamp
    """When the result was had."""
    phase: Phase | None = None
    reason: str | None = None
    confidence: Confidence = Confidence.CONFIRMED
    """How sure it is what happened."""
    blame: Blame | None = None
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] = ()
    """Empty where only the first of them is known, as from metrics."""
    ruled_out: tuple[RuledOut, ...] = ()
    was_blamed: Blame | None = None
    """Who was to blame by what the site alone can see; None: the other sites changed nothing."""
    evidence: tuple[str, ...] = ()
    """Lines to search a log for, of the site's own verdict."""
    not_needed: bool = False
    """Whether an alternative of it works, so that it decides nothing."""
    proof: bool = True
    """Whether its name must exist: not a random label, and not one that egressd made."""
    owned: bool = False
    """Whether the operator runs the server."""
    private: bool = False
    """Whether its addresses are private ones: the same address at another site may be another server."""
    path: str = "direct"
    """`direct`, or the proxy as `scheme://host:port`."""
    addresses: tuple[str, ...] = ()
    """The addresses of the far end that were dialled, and of a target that works, answered. Empty where a
    proxy dials, no name was resolved, or only metrics are known."""
    anycast: bool = False
    """Whether the name leads to a network that serves one address from many places."""
    devices: tuple[str, ...] = ()
    """What identifies what stood in the way: `proxy http://10.0.0.9:3128`, `resolver 10.0.0.53:53`,
    `icmp 10.0.0.1`, `issuer <sha256>`. Sites that share one are not independent."""
    onset: Onset | None = None
    """When the failure began; None while it is reachable, or unknown."""
    comes_and_goes: bool = False
    """Whether it changed between working and failing twice or more of late: chance, until shown otherwise."""
    failed: int = 0
    """Of its recent results, those that failed."""
    results: int = 1
    """Its recent results: those within `thresholds.RECENT` of the newest."""
    works_from: tuple[str, ...] = ()
    """Where it fails: other hosts of the same site that reach it."""

    @property
    def place(self) -> tuple[str, int, Protocol]:
        """What is probed, whatever endpoints need it."""
        return self.host, self.port, self.protocol

    @property
    def fails(self) -> bool:
        """Whether it is proved not to be reachable."""
        return self.outcome in (Outcome.BLOCKED, Outcome.DOWN)

    @property
    def decides(self) -> bool:
        """Whether the result says anything about its place that others can be compared with."""
        return self.proof and not self.not_needed and self.outcome is not Outcome.UNKNOWN


class SiteState(Struct, frozen=True, kw_only=True):
    """What is known of a site."""

    site: str
    hosts: tuple[str, ...]
    """The hosts that report for it, by name."""
    seen: Timestamp | None
    """When it was last heard of; None: never."""
    origin: str
    """Where this is from: names of files, or `prometheus`."""
    targets: tuple[SiteTarget, ...] = ()
    silent_since: Timestamp | None = None
    """When it was last heard of, where it should have been since; None: it reports."""
    interval_seconds: float | None = None
    """How often it reports; None: not known."""
    clock_offset_seconds: float | None = None
    """What was added to the times of its clock; None: not known, they are taken as they are."""
    notes: tuple[str, ...] = ()
    """For the reader: why it can't be compared, what was left out."""


class Fleet(Struct, frozen=True, kw_only=True):
    """Many sites at one time."""

    at: Timestamp
    """The time that it is about: that of the newest result, or the one asked for."""
    sites: tuple[SiteState, ...]


class FleetVerdictKind(StrEnum):
    """What many sites show together. The values are API."""

    SERVICE_DOWN = "service_down"
    """Most sites began to fail alike in the same minutes: the far end."""
    RULE_ROLLOUT = "rule_rollout"
    """Sites began to fail alike one after another: a change that is being rolled out."""
    COMMON_CHANGE = "common_change"
    """Several sites began to fail alike in the same minutes while others reach the same."""
    SHARED_DEVICE = "shared_device"
    """Several sites fail alike behind one device that they share."""
    SITE_DIFFERS = "site_differs"
    """A site fails what others reach."""
    SITE_CUT_OFF = "site_cut_off"
    """Most of a site's places fail while the other sites are well."""
    SITE_SILENT = "site_silent"
    """A site no longer reports."""
    COMMON_FAILURE = "common_failure"
    """It fails at every site that has it, and when that began shows no cause."""
    UNDECIDED = "undecided"
    """It fails somewhere, and the sites that could be compared do not say why."""


class SiteOnset(Struct, frozen=True, kw_only=True):
    """When something began at a site."""

    site: str
    onset: Onset


class FleetVerdict(Struct, frozen=True, kw_only=True):
    """One cause at one site or more."""

    kind: FleetVerdictKind
    title: str
    sites: tuple[str, ...]
    """Those that have the failure."""
    reason: str | None = None
    """The reason code of the failures; None: they differ, or there is none."""
    code: str | None = None
    """A reason code of what the sites show together: `site_change_correlated`, `site_outage`."""
    targets: tuple[str, ...] = ()
    """`host:port` of the places."""
    endpoints: tuple[str, ...] = ()
    need: Need | None = None
    """The strictest need of the failing targets; None: it is about no target."""
    working: tuple[str, ...] = ()
    """The sites that reach the same; of several places those that reach each."""
    unknown: tuple[str, ...] = ()
    """The sites that have it and can't say: no result, an old one, or one that decides nothing."""
    onsets: tuple[SiteOnset, ...] = ()
    """When it began at each failing site, the earliest first; sites for which that is not known are left
    out."""
    confidence: Confidence = Confidence.LOW
    """How sure it is that the sites show this kind."""
    blame: Blame | None = None
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    evidence: tuple[str, ...] = ()
    advice: str = ""

    @property
    def began(self) -> tuple[Onset, Onset] | None:
        """The first and the last onset; None: not known."""
        return (self.onsets[0].onset, self.onsets[-1].onset) if self.onsets else None


class FleetRow(Struct, frozen=True, kw_only=True):
    """A place with its result at every site that has it."""

    host: str
    port: int
    protocol: Protocol
    endpoints: tuple[str, ...]
    need: Need
    """The strictest that a site has."""
    cells: Mapping[str, SiteTarget]
    """By site: the worst result there, judged again. A site without the place is not in it."""


class FleetReport(Struct, frozen=True, kw_only=True):
    """Many sites, judged with each other as controls."""

    at: Timestamp
    sites: tuple[SiteState, ...]
    """By name; their targets are judged again."""
    rows: tuple[FleetRow, ...]
    """By host, port and protocol."""
    verdicts: tuple[FleetVerdict, ...]
    """The most telling first: causes of many sites before those of one, required places before others."""
