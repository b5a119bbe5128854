"""The rules that the failures of a sweep ask for: from every source concerned, to patterns and hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol as Shape

from msgspec import Struct
from msgspec.structs import replace

from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.service_tags import tag_of
from egressd.firewall.action import AT_RESOLVER, says_who, who_can_act
from egressd.firewall.document import Origin, RuleSet
from egressd.firewall.leg import has_a_port, rule_on_path
from egressd.firewall.rule import (
    ANY_DEPTH,
    ONE_LABEL,
    Action,
    FirewallRule,
    inspection_text,
    merged,
    transports_of,
)
from egressd.model.endpoint import Need, SampleKind
from egressd.model.observation import DnsObservation, Phase, TcpObservation
from egressd.model.plan import ControlKind, Target
from egressd.model.recording import Trail
from egressd.model.settings import Source
from egressd.model.verdict import (
    Blame,
    Confidence,
    Finding,
    Outcome,
    Pair,
    SourceVerdict,
    Suspect,
    Sweep,
    Team,
    spared_in,
    team_of,
)
from egressd.planning.placeholder import is_address
from egressd.wording import host_port

FAILING = frozenset({Outcome.BLOCKED, Outcome.DOWN, Outcome.DEGRADED})


class Cause(Shape):
    """What findings and verdicts have in common."""

    @property
    def reason(self) -> str | None:
        """The reason code."""
        ...

    @property
    def blame(self) -> Blame | None:
        """The first suspect."""
        ...

    @property
    def blame_confidence(self) -> Confidence | None:
        """How sure it is who caused it."""
        ...

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Every party that the facts leave."""
        ...


class _Party(Struct, frozen=True, kw_only=True):
    """Who is asked, for what, by which cause."""

    blame: Blame
    action: Action
    cause: Cause

    @property
    def team(self) -> Team:
        return team_of(self.blame)


@dataclass(slots=True)
class Asks:
    """The rules of one sweep. Whatever need not work, because an alternative does, asks for none."""

    sweep: Sweep
    _targets: dict[str, Target] = field(init=False)
    _verdicts: dict[Pair, SourceVerdict] = field(init=False)
    _by_source: dict[str, tuple[SourceVerdict, ...]] = field(init=False)
    _worst: dict[str, str | None] = field(init=False)
    _trails: dict[Pair, tuple[Trail, ...]] = field(init=False)
    _addresses: dict[str, list[str]] = field(init=False)
    _sources: dict[str, Source] = field(init=False)

    def __post_init__(self) -> None:
        plan = self.sweep.recording.plan
        excused = spared_in(self.sweep)
        self._targets = {one.id: one for one in plan.targets}
        self._sources = {one.name: one for one in plan.sources}
        self._verdicts = {
            (one.target, by.source): by
            for one in self.sweep.verdicts
            for by in one.by_source
            if by.verdict.outcome in FAILING and (one.target, by.source) not in excused
        }
        self._by_source = {one.target: one.by_source for one in self.sweep.verdicts}
        self._worst = {one.target: one.verdict.reason for one in self.sweep.verdicts}
        self._trails, self._addresses = self._seen()

    def rules(self) -> tuple[FirewallRule, ...]:
        """Return the rules of all failures, each once; those that no finding explains included."""
        found: list[FirewallRule] = []
        explained: set[Pair] = set()
        for finding in self.sweep.findings:
            found += self.of_finding(finding)
            explained.update(self._pairs(finding))
        for pair, judged in self._verdicts.items():
            if pair not in explained:
                found += self.of_pairs(judged.verdict, (pair,))
        return merged(replace(one) for one in found)

    def of_finding(self, finding: Finding) -> tuple[FirewallRule, ...]:
        """Return the rules that a finding asks for, from every source concerned."""
        pairs = self._pairs(finding)
        speaks = says_who(finding.reason, finding.blame, finding.blame_confidence, finding.suspects)
        other = [one for one in pairs if not speaks or self._ends_otherwise(one, finding)]
        return (
            *self.of_pairs(finding, (one for one in pairs if one not in other)),
            *merged(rule for one in other for rule in self.of_pairs(self._verdicts[one].verdict, (one,))),
            *self._of_places(finding),
        )

    def _ends_otherwise(self, pair: Pair, finding: Finding) -> bool:
        """Whether a target fails from a source in another way than the one that the finding is about."""
        reason = self._verdicts[pair].verdict.reason
        return reason not in (finding.reason, self._worst[pair[0]])

    def of_pairs(self, cause: Cause, pairs: Iterable[Pair]) -> tuple[FirewallRule, ...]:
        """Return the rules that a cause asks for, for targets and sources that fail by it."""
        found = who_can_act(cause.reason or "", cause.blame, cause.blame_confidence, cause.suspects)
        if found is None:
            return ()
        party = _Party(blame=found[0], action=found[1], cause=cause)
        every = (rule for pair in pairs if pair in self._verdicts for rule in self._of_pair(party, pair))
        return merged(one for one in every if has_a_port(one))

    def of_target(self, target: str) -> Iterator[FirewallRule]:
        """Yield the rules that the verdicts on a target ask for, by source."""
        for judged in self._by_source.get(target, ()):
            yield from self.of_pairs(judged.verdict, ((target, judged.source),))

    def document(self, rules: Iterable[FirewallRule] | None = None) -> RuleSet:
        """Return rules, by default all, with the sweep that they come from."""
        recording, plan = self.sweep.recording, self.sweep.recording.plan
        profiles = dict.fromkeys(name for one in plan.targets for name in one.profiles)
        origin = Origin(
            catalog_revision=plan.catalog_revision,
            catalog_digest=plan.catalog_digest,
            cloud=plan.cloud,
            region=plan.region,
            profiles=tuple(profiles),
            run=recording.id,
            started=recording.started,
            host=recording.vantage.host,
            site=recording.vantage.site,
        )
        return RuleSet(rules=self.rules() if rules is None else tuple(rules), origin=origin)

    def _pairs(self, finding: Finding) -> tuple[Pair, ...]:
        """Return the failing targets and sources of a finding; without sources in it, all that fail."""
        names = finding.sources or tuple(self._sources)
        pairs = ((target, source) for target in finding.targets for source in names)
        return tuple(pair for pair in pairs if pair in self._verdicts)

    def _of_pair(self, party: _Party, pair: Pair) -> Iterator[FirewallRule]:
        judged, target = self._verdicts[pair], self._targets[pair[0]]
        sources = self._addresses_of(pair)
        if party.action is Action.RESOLVE and is_address(target.host):
            return  # an address is no name: whoever serves it is asked, not the resolver
        if party.cause.reason in AT_RESOLVER:
            yield from self._to_resolver(party, pair, sources)
            return
        for transport in transports_of(target.protocol):
            plain = replace(
                _of_target(target, party),
                transport=transport,
                sources=sources,
                service_tag=tag_of(self.sweep.recording.plan, target, self._trails.get(pair, ())),
            )
            yield rule_on_path(plain, judged.path, to_proxy=_ended_before_proxy(judged))

    def _of_places(self, finding: Finding) -> tuple[FirewallRule, ...]:
        """Return the rules for places that are no targets, such as revocation servers, by name."""
        found = who_can_act(finding.reason, finding.blame, finding.blame_confidence, finding.suspects)
        if found is None or not finding.places:
            return ()
        party = _Party(blame=found[0], action=found[1], cause=finding)
        every = self._fetched(party, frozenset(finding.places), finding.sources)
        return merged(one for one in every if has_a_port(one))

    def _fetched(
        self, party: _Party, places: frozenset[str], names: tuple[str, ...]
    ) -> Iterator[FirewallRule]:
        for one in self.sweep.recording.controls:
            wanted = one.kind is ControlKind.REVOCATION and host_port(one.host, one.port) in places
            if not wanted or (names and one.source not in names):
                continue
            path = next((trail.path for trail in one.trails), DIRECT)
            seen = _local_addresses(one.trails) or self._of_source(one.source)
            rule = FirewallRule(
                action=party.action,
                team=party.team,
                confidence=party.cause.blame_confidence,
                sources=seen,
                destination=one.host,
                port=one.port,
                protocols=["http"],
                need=Need.REQUIRED,
                services=["Certificate revocation"],
                purposes=["Fetch revocation lists and issuers that received certificates name."],
            )
            yield rule_on_path(rule, path, to_proxy=False)

    def _to_resolver(self, party: _Party, pair: Pair, sources: list[str]) -> Iterator[FirewallRule]:
        """Yield the way to the resolvers that a lookup failed at."""
        target = self._targets[pair[0]]
        for address, port in dict.fromkeys(self._resolvers_of(pair)):
            for transport in ("UDP", "TCP"):
                yield FirewallRule(
                    team=party.team,
                    confidence=party.cause.blame_confidence,
                    sources=sources,
                    destination=address,
                    port=port,
                    transport=transport,
                    protocols=["dns"],
                    need=target.asked_need,
                    services=["DNS"],
                    purposes=["Look up the names of the endpoints."],
                    targets=[target.id],
                )

    def _resolvers_of(self, pair: Pair) -> Iterator[tuple[str, int]]:
        for one in (one for trail in self._trails.get(pair, ()) for one in trail.observations):
            if isinstance(one, DnsObservation) and one.failure is not None:
                host, _, port = one.resolver.rpartition(":")
                if (
                    is_address(host.strip("[]")) and port.isdecimal()
                ):  # not the system's, nor what is no server
                    yield host.strip("[]"), int(port)

    def _seen(self) -> tuple[dict[Pair, tuple[Trail, ...]], dict[str, list[str]]]:
        """Return the trails of every target and source, and the addresses that each source had."""
        recording = self.sweep.recording
        records = {one.probe: one.trails for one in recording.records}
        trails: defaultdict[Pair, tuple[Trail, ...]] = defaultdict(tuple)
        addresses: defaultdict[str, list[str]] = defaultdict(list)
        for probe in recording.plan.probes:
            some = records.get(probe.id, ())
            addresses[probe.source] += _local_addresses(some)
            for target in () if probe.contrast else probe.targets:
                trails[target, probe.source] += some
        return dict(trails), {name: list(dict.fromkeys(some)) for name, some in addresses.items()}

    def _addresses_of(self, pair: Pair) -> list[str]:
        """Return the addresses a target was probed from: as configured, else as seen there, else as seen."""
        configured = self._sources.get(pair[1])
        if configured is not None and configured.address is not None:
            return [configured.address]
        return _local_addresses(self._trails.get(pair, ())) or self._of_source(pair[1])

    def _of_source(self, name: str) -> list[str]:
        configured = self._sources.get(name)
        if configured is not None and configured.address is not None:
            return [configured.address]
        if seen := self._addresses.get(name, []):
            return list(seen)
        if configured is not None and configured.interface:
            return [f"interface {configured.interface}"]
        return self._only_address()

    def _only_address(self) -> list[str]:
        """Return the addresses of a host that has one of each family; of several, none is guessed."""
        every = [one for one in self.sweep.recording.vantage.local_addresses if _leads_out(one)]
        return every if len({":" in one for one in every}) == len(every) else []


def _leads_out(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_link_local)


def _local_addresses(trails: Iterable[Trail]) -> list[str]:
    """Return the local addresses of the connections of trails, each once."""
    seen = (one for trail in trails for one in trail.observations if isinstance(one, TcpObservation))
    return list(dict.fromkeys(one.local_address for one in seen if one.local_address))


def _of_target(target: Target, party: _Party) -> FirewallRule:
    """Return the rule for a target's row, without sources: to its pattern, or its host where it has none."""
    wildcard = "*" in target.pattern and "{" not in target.pattern and "<" not in target.pattern
    shown = wildcard and target.sample is not SampleKind.RANDOM
    return FirewallRule(
        action=party.action,
        team=party.team,
        confidence=party.cause.blame_confidence,
        roles=[one.value for one in target.roles],
        destination=target.pattern if wildcard else target.host,
        port=target.port,
        last_port=target.last_port,
        protocols=[target.protocol.value],
        paths=[target.path] if target.protocol.speaks_http and target.path != "/" else [],
        tls_inspection=inspection_text(target.protocol, target.inspection),
        websocket=target.protocol.value == "wss",
        subdomains=(ANY_DEPTH if target.deep else ONE_LABEL) if wildcard else "",
        need=target.asked_need,
        conditions=[target.condition] if target.condition else [],
        one_of=[target.one_of] if target.one_of else [],
        service_tags=list(target.service_tags),
        services=[target.service],
        endpoints=[target.endpoint],
        hosts=[target.host] if shown else [],
        targets=[target.id],
    )


def _ended_before_proxy(judged: SourceVerdict) -> bool:
    return judged.verdict.phase in (Phase.TCP, Phase.DNS) or judged.verdict.reason == "proxy_unreachable"
