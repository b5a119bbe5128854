"""A finding as a ticket shows it: rules, rows of a log, how to check by hand, what decides."""

from __future__ import annotations

from dataclasses import dataclass

from egressd.attribution.blame.claims import ruled_out_lines, suspect_lines
from egressd.attribution.by_hand import HandChecks
from egressd.firewall import Asks
from egressd.model.plan import Target
from egressd.model.verdict import Confidence, Outcome, SourceVerdict, Sweep, Team
from egressd.report.findings import ReportedFinding, reported_findings
from egressd.report.ticket.connection import Trails, connection_of, deciding_trail, trails_of
from egressd.report.ticket.connection_row import ConnectionRow, shown_place
from egressd.report.ticket.rule_row import RuleRow, rule_rows
from egressd.report.ticket.teams import rules_of_reported, teams_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketEntry:
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
    trails, checks = trails_of(sweep), HandChecks(sweep.recording)
    return tuple(_entry(one, sweep, asks, trails, checks) for one in reported_findings(sweep))


def _entry(one: ReportedFinding, sweep: Sweep, asks: Asks, trails: Trails, checks: HandChecks) -> TicketEntry:
    checked, by_hand = _check(one, sweep, trails, checks)
    settled = one.blame_confidence is Confidence.CONFIRMED
    return TicketEntry(
        finding=one,
        teams=teams_of(one, asks),
        rules=rule_rows(rules_of_reported(one, asks)),
        connections=_connections(one, sweep, trails),
        by_hand=tuple(by_hand.splitlines()),
        checked=checked,
        decides=() if settled else suspect_lines(one.suspects),
        ruled_out=ruled_out_lines(one.ruled_out),
    )


def _connections(finding: ReportedFinding, sweep: Sweep, trails: Trails) -> tuple[ConnectionRow, ...]:
    """Return the connections of a finding, each once, in the order of its targets; random labels last."""
    verdicts = {one.target: one.by_source for one in sweep.verdicts}
    found: dict[ConnectionRow, None] = {}
    for target in sorted(finding.targets, key=lambda one: not one.is_proof):
        for judged in verdicts[target.id]:
            if judged.verdict.outcome is Outcome.OK and finding.outcome is not Outcome.OK:
                continue
            row = ConnectionRow(
                place=shown_place(target),
                source=judged.source,
                path=judged.path,
                outcome=judged.verdict.outcome,
                connection=connection_of(target.id, judged, trails),
            )
            found[row] = None
    return tuple(found)


def _check(one: ReportedFinding, sweep: Sweep, trails: Trails, checks: HandChecks) -> tuple[str, str]:
    """Return what is checked by hand, and how; empty where there is nothing to check.

    A finding about the path is checked with the first target of the sweep. One that compares targets begins
    with the check of the target's own reason.
    """
    places = one.finding.places if one.finding is not None else ()
    for target, judged in _candidates(one, sweep):
        trail = deciding_trail(target.id, judged, trails)
        if trail is not None:
            own = judged.verdict.reason if one.targets else None
            codes = dict.fromkeys(code for code in (own, one.reason) if code)
            place = places[0] if places else ""
            return place or shown_place(target), checks.of(codes, target, judged, trail, place=place)
    return "", ""


def _candidates(one: ReportedFinding, sweep: Sweep) -> list[tuple[Target, SourceVerdict]]:
    """Return targets and sources to check: no random labels before others, and failing ones first."""
    verdicts = {judged.target: judged.by_source for judged in sweep.verdicts}
    targets = one.targets or sweep.recording.plan.targets
    pairs = [(target, judged) for target in targets for judged in verdicts[target.id]]
    return sorted(pairs, key=lambda pair: (not pair[0].is_proof, pair[1].verdict.outcome.reachable))
