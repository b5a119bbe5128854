"""Verdicts on a recording make two claims, each with a confidence: what happened, and who caused it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from egressd.model.endpoint import Need
from egressd.model.observation import Phase
from egressd.model.plan import AT_HOST, Target, Unsampled
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
        return _FROM_BEST.index(self)

    @property
    def reachable(self) -> bool:
        """Whether the endpoint can be used."""
        return self in (Outcome.OK, Outcome.DEGRADED)


_FROM_BEST = tuple(Outcome)


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


class Team(StrEnum):
    """Who can change what a party does."""

    FIREWALL = "firewall"
    PROXY = "proxy"
    DNS = "dns"
    INSPECTION = "inspection"
    AZURE = "azure"
    """The service's own support, and that of certificate authorities."""
    LOCAL = "local"
    """Who runs the probing host, and the operator's own servers."""


_TEAMS: Mapping[Blame, Team] = {
    Blame.LOCAL_HOST: Team.LOCAL,
    Blame.LOCAL_GATEWAY: Team.LOCAL,
    Blame.DNS_RESOLVER: Team.DNS,
    Blame.DNS_FILTER: Team.DNS,
    Blame.FIREWALL_L3L4: Team.FIREWALL,
    Blame.FIREWALL_L7: Team.FIREWALL,
    Blame.TLS_INSPECTION: Team.INSPECTION,
    Blame.EXPLICIT_PROXY: Team.PROXY,
    Blame.TRANSPARENT_PROXY: Team.PROXY,
    Blame.PATH_MTU_LINK: Team.FIREWALL,
    Blame.NAT_DEVICE: Team.FIREWALL,
    Blame.UPSTREAM_PATH: Team.FIREWALL,
    Blame.AZURE_SERVICE: Team.AZURE,
    Blame.ENDPOINT_OWNER: Team.LOCAL,
    Blame.PKI_ENDPOINT: Team.AZURE,
    Blame.EGRESSD_ENV: Team.LOCAL,
    Blame.UNKNOWN_MIDDLEBOX: Team.FIREWALL,
}


def team_of(blame: Blame) -> Team:
    """Return the team to ask about a party."""
    return _TEAMS[blame]


class Suspect(Struct, frozen=True, kw_only=True):
    """A party that can have caused a failure and that no fact rules out."""

    blame: Blame
    decided_by: str
    """The log line or the check that would decide whether it did."""


class RuledOut(Struct, frozen=True, kw_only=True):
    """A party that can cause such a failure, and the fact by which it did not."""

    blame: Blame
    by: str


class Verdict(Struct, frozen=True, kw_only=True):
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


class SourceVerdict(Struct, frozen=True, kw_only=True):
    """A verdict seen from one source, along one path."""

    source: str
    path: str = "direct"
    """`direct`, or the proxy as `scheme://host:port`."""
    verdict: Verdict


class TargetVerdict(Struct, frozen=True, kw_only=True):
    """The verdict of a target: the worst over its sources."""

    target: str
    verdict: Verdict
    by_source: tuple[SourceVerdict, ...]
    other_path: tuple[SourceVerdict, ...] = ()
    """Verdicts along the other path, if paths were compared; they decide nothing."""


class Finding(Struct, frozen=True, kw_only=True):
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
    sources: tuple[str, ...] = ()
    """Names of the sources it was seen from; empty in reports of older versions."""
    places: tuple[str, ...] = ()
    """`host:port` it is about besides its targets, such as revocation servers."""


class OutcomeCounts(Struct, frozen=True, kw_only=True):
    """Number of targets by outcome."""

    targets: int
    ok: int
    degraded: int
    blocked: int
    down: int
    unknown: int


class Sweep(Struct, frozen=True, kw_only=True, dict=True):
    """A recording and its verdicts. Judging the recording again gives the same."""

    recording: Recording
    verdicts: tuple[TargetVerdict, ...]
    """In the order of the plan's targets."""
    findings: tuple[Finding, ...]

    @cached_property
    def deciding(self) -> Mapping[str, Outcome]:
        """The outcomes that decide it, by target: the worst of its sources."""
        plan = self.recording.plan
        found: dict[str, Outcome] = {}
        outcomes = deciding_outcomes(plan.targets, plan.unsampled, outcomes_by_pair(self))
        for (target, _), outcome in outcomes.items():
            if target not in found or outcome.severity > found[target].severity:
                found[target] = outcome
        return found


Pair = tuple[str, str]
"""A target's id and a source's name."""


class Choice(Struct, frozen=True, kw_only=True):
    """Rows of which one that works is enough, as they stand from one source."""

    name: str
    source: str
    rows: Mapping[str, Outcome]
    """The outcome of each row, the unprobed ones included, which are unknown."""
    members: Mapping[str, str]
    """The rows of the targets that were probed, by target id."""

    @property
    def outcome(self) -> Outcome:
        """That of the best row."""
        return min(self.rows.values(), key=lambda one: one.severity)

    @property
    def working(self) -> str | None:
        """The id of a row that works, the best one; None: none does."""
        best = min(self.rows, key=lambda one: self.rows[one].severity)
        return best if self.rows[best].reachable else None


def choices_of(
    targets: Iterable[Target], unsampled: Iterable[Unsampled], outcomes: Mapping[Pair, Outcome]
) -> tuple[Choice, ...]:
    """Return the choices of a plan as they stand from each source; `outcomes` are those known by now."""
    by_id = {one.id: one for one in targets if one.one_of is not None}
    usable = (one for one in unsampled if one.feature is None)  # what is not in use is no alternative
    unprobed = [(one.one_of, one.endpoint) for one in usable if one.one_of is not None]
    groups: dict[tuple[str, str], dict[str, list[tuple[Target, Outcome]]]] = {}
    for (name, source), outcome in outcomes.items():
        target = by_id.get(name)
        if target is not None:
            rows = groups.setdefault((target.one_of or "", source), {})
            rows.setdefault(target.endpoint, []).append((target, outcome))
    return tuple(
        Choice(
            name=name,
            source=source,
            rows={row: Outcome.UNKNOWN for one, row in unprobed if name in (one, _at_a_host(name, one))}
            | {row: _outcome_of_row(some) for row, some in rows.items()},
            members={target.id: row for row, some in rows.items() for target, _ in some},
        )
        for (name, source), rows in groups.items()
    )


def _at_a_host(name: str, choice: str) -> str | None:
    """Return the name if it is that choice at one of several hosts."""
    return name if name.startswith(f"{choice}{AT_HOST}") else None


def _outcome_of_row(some: Iterable[tuple[Target, Outcome]]) -> Outcome:
    """Return the worst outcome of the targets that can decide; without any, one that works is enough."""
    some = tuple(some)
    proof = [outcome for target, outcome in some if target.is_proof]
    if proof:
        return max(proof, key=lambda one: one.severity)
    best = min((outcome for _, outcome in some), key=lambda one: one.severity)
    return best if best.reachable else Outcome.UNKNOWN


def spared(choices: Iterable[Choice], outcomes: Mapping[Pair, Outcome]) -> dict[Pair, str]:
    """Return the targets and sources that need not work, each with the id of the alternative that does."""
    found: dict[Pair, str] = {}
    for one in choices:
        if (working := one.working) is not None:
            pairs = [(member, one.source) for member, row in one.members.items() if row != working]
            found |= {pair: working for pair in pairs if outcomes[pair].severity > one.outcome.severity}
    return found


def deciding_outcomes(
    targets: Iterable[Target], unsampled: Iterable[Unsampled], outcomes: Mapping[Pair, Outcome]
) -> dict[Pair, Outcome]:
    """Return the outcomes that decide whether the plan is well: those of required targets.

    Of a choice with a row that works, those of the others do not count; while it is not known whether an
    alternative works, that none does is not proved.
    """
    targets = tuple(targets)
    required = {one.id for one in targets if one.need is Need.REQUIRED}
    choices = choices_of(targets, unsampled, outcomes)
    excused = spared(choices, outcomes)
    found = {pair: one for pair, one in outcomes.items() if pair[0] in required and pair not in excused}
    for choice in choices:
        for pair in ((member, choice.source) for member in choice.members):
            if pair in found:
                found[pair] = min(found[pair], choice.outcome, key=lambda one: one.severity)
    return found


def outcomes_by_pair(sweep: Sweep) -> dict[Pair, Outcome]:
    """Return the outcome of each target from each source; the source is empty where there was none."""
    return {
        (one.target, source): outcome
        for one in sweep.verdicts
        for source, outcome in [(by.source, by.verdict.outcome) for by in one.by_source]
        or [("", one.verdict.outcome)]
    }


def spared_in(sweep: Sweep) -> dict[Pair, str]:
    """Return the targets and sources of a sweep that need not work, each with the alternative that does."""
    plan, outcomes = sweep.recording.plan, outcomes_by_pair(sweep)
    return spared(choices_of(plan.targets, plan.unsampled, outcomes), outcomes)


def spared_targets(sweep: Sweep) -> dict[str, str]:
    """Return the targets that need not work from any source they fail from, each with an alternative."""
    excused, outcomes = spared_in(sweep), outcomes_by_pair(sweep)
    needed = {pair[0] for pair, one in outcomes.items() if not one.reachable and pair not in excused}
    return {target: row for (target, _), row in excused.items() if target not in needed}
