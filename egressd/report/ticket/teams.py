"""Which teams a finding concerns: who can add its rules, and who is blamed."""

from __future__ import annotations

from collections.abc import Iterable

from egressd.firewall import Asks, FirewallRule
from egressd.firewall.rule import merged
from egressd.model.verdict import Sweep, Team, team_of
from egressd.report.findings import ReportedFinding, reported_findings


def rules_of_reported(finding: ReportedFinding, asks: Asks) -> tuple[FirewallRule, ...]:
    """Return the rules of a finding; of targets that none explains, those of each from each source."""
    if finding.finding is not None:
        return asks.of_finding(finding.finding)
    return merged(rule for target in finding.targets for rule in asks.of_target(target.id))


def teams_of(finding: ReportedFinding, rules: Iterable[FirewallRule]) -> frozenset[Team]:
    """Return the teams that are asked about a finding with these rules."""
    blamed = {team_of(finding.blame)} if finding.blame is not None else set()
    return frozenset(blamed | {rule.team for rule in rules})


def findings_of_team(sweep: Sweep, team: Team) -> tuple[ReportedFinding, ...]:
    """Return the findings that a team is asked about, the worst first."""
    asks = Asks(sweep)
    every = ((one, teams_of(one, rules_of_reported(one, asks))) for one in reported_findings(sweep))
    return tuple(one for one, teams in every if team in teams)


def targets_of_team(sweep: Sweep, team: Team) -> frozenset[str]:
    """Return the ids of the targets that a team is asked about."""
    return frozenset(target.id for one in findings_of_team(sweep, team) for target in one.targets)
