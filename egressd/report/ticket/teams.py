"""Which teams a finding concerns: who can add its rules, and who is blamed."""

from __future__ import annotations

from egressd.firewall import Asks, FirewallRule
from egressd.firewall.rule import merged
from egressd.model.verdict import Sweep, Team, team_of
from egressd.report.findings import ReportedFinding, reported_findings


def rules_of_reported(finding: ReportedFinding, asks: Asks) -> tuple[FirewallRule, ...]:
    """Return the rules of a finding; of targets that none explains, those of each from each source."""
    if finding.finding is not None:
        return asks.of_finding(finding.finding)
    verdicts = {judged.target: judged.by_source for judged in asks.sweep.verdicts}
    return merged(
        rule
        for target in finding.targets
        for judged in verdicts[target.id]
        for rule in asks.of_pairs(judged.verdict, ((target.id, judged.source),))
    )


def teams_of(finding: ReportedFinding, asks: Asks) -> frozenset[Team]:
    """Return the teams that are asked about a finding."""
    blamed = {team_of(finding.blame)} if finding.blame is not None else set()
    return frozenset(blamed | {rule.team for rule in rules_of_reported(finding, asks)})


def findings_of_team(sweep: Sweep, team: Team) -> tuple[ReportedFinding, ...]:
    """Return the findings that a team is asked about, the worst first."""
    asks = Asks(sweep)
    return tuple(one for one in reported_findings(sweep) if team in teams_of(one, asks))


def targets_of_team(sweep: Sweep, team: Team) -> frozenset[str]:
    """Return the ids of the targets that a team is asked about."""
    return frozenset(target.id for one in findings_of_team(sweep, team) for target in one.targets)
