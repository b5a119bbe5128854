"""What is wrong, one card each: whom to call, on what evidence, and the rules to ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from egressd.attribution.blame.claims import party_text, suspect_lines
from egressd.attribution.blame.request import SURE
from egressd.attribution.blame_text import CALL
from egressd.attribution.reasons import find_reason
from egressd.firewall.rule import FirewallRule
from egressd.model.alert import SILENCE_PREFIX, SUSPECTED, Alert, AlertName, AlertState, Condition
from egressd.model.notification import Severity
from egressd.model.snapshot import Snapshot
from egressd.model.verdict import team_of
from egressd.report.ticket.rule_row import RuleRow, rule_rows
from egressd.web.manual.document import runbook_place
from egressd.web.status.asks import SweepAsks, copied_text
from egressd.web.status.moment import Moment, moment_of
from egressd.wording import count

MOST_CARDS = 60
"""Cards at most, the most urgent: the API has all alerts."""
MOST_EVIDENCE = 8
"""Lines of evidence on a card."""


class Card(Struct, frozen=True, kw_only=True):
    """One cause, or alerts of the same kind for several targets."""

    id: str
    title: str
    severity: Severity
    state: str
    """What its notifications do, and the phase; empty: nothing to add."""
    since: Moment | None
    reason: str
    """Empty: there is no code."""
    explained: str
    """The code under which its reason is explained; empty: nowhere."""
    runbook: str
    who: str
    team: str
    """Empty: nobody is blamed."""
    call: str
    suspects: tuple[str, ...]
    advice: tuple[str, ...]
    evidence: tuple[str, ...]
    more_evidence: int
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    rules: tuple[RuleRow, ...]
    sure: bool
    """Whether it is sure enough whom to ask for them; else they are a question."""

    @property
    def copied(self) -> str:
        """What the copy button takes: the rules as text."""
        return copied_text(self.rules)


class CardFacts(Struct, frozen=True, kw_only=True):
    """What the cards are made of."""

    snapshot: Snapshot
    asks: SweepAsks
    now: datetime


def cards_of(alerts: Iterable[Alert], facts: CardFacts) -> tuple[Card, ...]:
    """Return a card for each cause and for alike alerts of targets; urgent ones first, then causes."""
    groups = _alike(alerts).values()
    return tuple(_card(some, facts) for some in sorted(groups, key=_urgency))


def _urgency(some: list[Alert]) -> tuple[int, bool, bool, int]:
    first = some[0]
    about = first.condition
    named = about.alertname
    return about.severity.rank, named is not AlertName.CAUSE, not first.holds, -len(some)


def _alike(alerts: Iterable[Alert]) -> dict[object, list[Alert]]:
    """Group alerts that say the same of one target each."""
    found: dict[object, list[Alert]] = {}
    for one in alerts:
        about = one.condition
        suspects = tuple(suspect.blame for suspect in about.suspects or ())
        alike = (about.alertname, about.severity, about.reason, about.blame, about.blame_confidence, suspects)
        of_target = about.reason is not None and len(about.targets) == 1
        key: object = (*alike, one.state, one.suppressed_by) if of_target else one.id
        found.setdefault(key, []).append(one)
    return found


def _card(some: list[Alert], facts: CardFacts) -> Card:
    first = some[0]
    about = first.condition
    reason = find_reason(about.reason) if about.reason else None
    targets = tuple(dict.fromkeys(name for one in some for name in one.condition.targets))
    rules = _rules(about, targets, facts)
    evidence = tuple(dict.fromkeys(line for one in some for line in one.condition.evidence))
    return Card(
        id=f"card-{first.id}",
        title=_title(some, targets),
        severity=about.severity,
        state=_state(first),
        since=moment_of(min(one.condition.since for one in some), facts.now),
        reason=about.reason or "",
        explained=reason.code if reason else "",
        runbook=runbook_place(about.alertname.value),
        who=party_text(about.blame, about.blame_confidence, about.suspects or ()) if about.blame else "",
        team=team_of(about.blame) if about.blame else "",
        call=CALL[about.blame] if about.blame else "",
        suspects=suspect_lines(about.suspects or ()),
        advice=tuple(dict.fromkeys(one.condition.advice for one in some if one.condition.advice)),
        evidence=evidence[:MOST_EVIDENCE],
        more_evidence=max(0, len(evidence) - MOST_EVIDENCE),
        targets=targets,
        sources=tuple(dict.fromkeys(name for one in some for name in one.condition.sources)),
        rules=rule_rows(rules),
        sure=all(one.confidence is None or one.confidence in SURE for one in rules),
    )


def _title(some: list[Alert], targets: tuple[str, ...]) -> str:
    """Return what an alert says, or what is the matter with the targets of alike ones."""
    about = some[0].condition
    reason = find_reason(about.reason) if about.reason else None
    if len(some) == 1 or reason is None:
        return about.summary
    places = tuple(dict.fromkeys(one.partition("/")[2] or one for one in targets))
    return f"{reason.title}: {places[0] if len(places) == 1 else count(len(targets), 'target')}"


def _rules(about: Condition, targets: tuple[str, ...], facts: CardFacts) -> tuple[FirewallRule, ...]:
    sweep = facts.snapshot.sweep
    if sweep is None:
        return ()
    if about.alertname is AlertName.CAUSE:
        found = facts.asks.of_finding(sweep, dict(about.labels).get("finding", ""))
        if found is not None:
            return found
    return facts.asks.of_targets(sweep, targets)


def _state(one: Alert) -> str:
    return "; ".join(_states(one))


def _states(one: Alert) -> Iterator[str]:
    """Yield what is special about an alert: that it is over, or that nobody is notified of it, and why."""
    if one.state is AlertState.RESOLVING:
        yield "not seen any more, and watched for a while"
    if why := suppression(one):
        yield why


def suppression(one: Alert) -> str:
    """Say which silences, causes or other alerts suppress an alert; empty: none does."""
    by = set(one.suppressed_by)
    silences = sorted(name.removeprefix(SILENCE_PREFIX) for name in by if name.startswith(SILENCE_PREFIX))
    alerts = sorted(name for name in by - {SUSPECTED} if not name.startswith(SILENCE_PREFIX))
    parts = (
        f"silenced by {', '.join(silences)}" if silences else "",
        f"suppressed by {', '.join(alerts)}" if alerts else "",
        "a shared cause is suspected" if SUSPECTED in by else "",
    )
    return "; ".join(part for part in parts if part)
