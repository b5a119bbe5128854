"""A finding as a ticket shows it: rules, rows of a log, how to check by hand, what decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from egressd.attribution.blame.claims import ruled_out_lines, suspect_lines
from egressd.attribution.by_hand import HandChecks
from egressd.firewall import Asks, FirewallRule
from egressd.model.plan import Target
from egressd.model.verdict import Confidence, Outcome, SourceVerdict, Sweep, Team
from egressd.report.findings import ReportedFinding, reported_findings
from egressd.report.ticket.connection import Trails, connection_of, deciding_trail, trails_of
from egressd.report.ticket.connection_row import ConnectionRow, shown_place
from egressd.report.ticket.rule_row import RuleRow, rule_rows
from egressd.report.ticket.teams import rules_of_reported, teams_of


class TicketEntry(Struct, frozen=True, kw_only=True):
    """One finding with all that its reader needs to act."""

    finding: ReportedFinding
    teams: frozenset[Team]
    """Who is asked: those whose rules would mend it, and who is blamed."""
    rules: tuple[RuleRow, ...]
    connections: tuple[ConnectionRow, ...]
    by_hand: tuple[str, ...]
    """Lines of the check by hand, of the first target; empty: there is none."""
    checked: str
    """What the check by hand is of, such as `mcr.microsoft.com:443`."""
    decides: tuple[str, ...]
    """What decides between the suspects, a line each; empty where that is settled."""
    ruled_out: tuple[str, ...]

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What happened, who caused it and how many targets it affects, as names and values."""
        one = self.finding
        concerned = f"{len(one.targets)}, {one.required} of them required" if one.targets else "the path"
        facts = (
            ("reason", one.reason),
            ("what happened", one.what),
            ("not needed", one.not_needed),
            ("who caused it", one.who),
            ("targets", concerned),
        )
        return tuple((name, value) for name, value in facts if value)


def ticket_entries(sweep: Sweep, asks: Asks) -> tuple[TicketEntry, ...]:
    """Return every finding of a sweep as tickets show it, the worst first."""
    seen = _Seen.build(sweep)
    return tuple(_entry(one, seen, rules_of_reported(one, asks)) for one in reported_findings(sweep))


class _Seen(NamedTuple):
    """What all entries of a sweep are made of."""

    targets: tuple[Target, ...]
    verdicts: Mapping[str, tuple[SourceVerdict, ...]]
    """By target, from each source."""
    trails: Trails
    checks: HandChecks

    @classmethod
    def build(cls, sweep: Sweep) -> _Seen:
        """Collect it."""
        return cls(
            targets=sweep.recording.plan.targets,
            verdicts={one.target: one.by_source for one in sweep.verdicts},
            trails=trails_of(sweep),
            checks=HandChecks(sweep.recording),
        )


def _entry(one: ReportedFinding, seen: _Seen, rules: tuple[FirewallRule, ...]) -> TicketEntry:
    checked, by_hand = _check(one, seen)
    settled = one.blame_confidence is Confidence.CONFIRMED
    return TicketEntry(
        finding=one,
        teams=teams_of(one, rules),
        rules=rule_rows(rules),
        connections=_connections(one, seen),
        by_hand=tuple(by_hand.splitlines()),
        checked=checked,
        decides=() if settled else suspect_lines(one.suspects),
        ruled_out=ruled_out_lines(one.ruled_out),
    )


def _connections(finding: ReportedFinding, seen: _Seen) -> tuple[ConnectionRow, ...]:
    """Return the connections of a finding, each once, in the order of its targets; random labels last."""
    found: dict[ConnectionRow, None] = {}
    for target in sorted(finding.targets, key=lambda one: not one.is_proof):
        for judged in seen.verdicts[target.id]:
            if judged.verdict.outcome is Outcome.OK and finding.outcome is not Outcome.OK:
                continue
            row = ConnectionRow(
                place=shown_place(target),
                source=judged.source,
                path=judged.path,
                outcome=judged.verdict.outcome,
                connection=connection_of(target.id, judged, seen.trails),
            )
            found[row] = None
    return tuple(found)


def _check(one: ReportedFinding, seen: _Seen) -> tuple[str, str]:
    """Return what is checked by hand, and how; empty where there is nothing to check.

    A finding about the path is checked with the first target of the sweep. One that compares targets begins
    with the check of the target's own reason.
    """
    places = one.finding.places if one.finding is not None else ()
    for target, judged in _candidates(one, seen):
        trail = deciding_trail(target.id, judged, seen.trails)
        if trail is not None:
            own = judged.verdict.reason if one.targets else None
            codes = dict.fromkeys(code for code in (own, one.reason) if code)
            place = places[0] if places else ""
            return place or shown_place(target), seen.checks.of(codes, target, judged, trail, place=place)
    return "", ""


def _candidates(one: ReportedFinding, seen: _Seen) -> list[tuple[Target, SourceVerdict]]:
    """Return targets and sources to check: no random labels before others, and failing ones first."""
    pairs = [
        (target, judged) for target in one.targets or seen.targets for judged in seen.verdicts[target.id]
    ]
    return sorted(pairs, key=lambda pair: (not pair[0].is_proof, pair[1].verdict.outcome.reachable))
