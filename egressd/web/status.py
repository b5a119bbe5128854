"""The status page: what is wrong, since when, who is to blame, what to ask for. Readable at 2 a.m."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from egressd import __version__, clock
from egressd.attribution.blame_text import party
from egressd.model.alert import Alert
from egressd.model.notification import Severity
from egressd.model.plan import Unsampled
from egressd.model.snapshot import Maintenance, ReceiverStatus, Snapshot
from egressd.model.verdict import Outcome, OutcomeCounts, Sweep
from egressd.report.summary import by_profile, count_outcomes, outcomes_of
from egressd.web.json_api import by_urgency
from egressd.wording import count, span

MOST_ROWS = 500
"""Rows of a table; the API has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """One product's row."""

    name: str
    tally: OutcomeCounts
    reachable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRow:
    """One target and source that is not well."""

    target: str
    need: str
    source: str
    outcome: str
    reason: str
    state: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert that was told."""

    title: str
    severity: str
    how: str
    since: str
    reason: str
    party: str
    advice: str
    evidence: tuple[str, ...]
    targets: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRow:
    """One alert that nobody was told of."""

    title: str
    severity: str
    since: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """One receiver."""

    name: str
    kind: str
    waiting: int
    delivered: str
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """What the template shows."""

    headline: str
    good: bool
    version: str
    host: str
    now: str
    counts: str
    completed: str
    next_sweep: str
    notes: tuple[str, ...]
    alerts: tuple[AlertRow, ...]
    unsaid: tuple[PendingRow, ...]
    maintenance: tuple[str, ...]
    receivers: tuple[ReceiverRow, ...]
    failing: tuple[FailingRow, ...]
    profiles: tuple[ProfileRow, ...]
    unsampled: tuple[Unsampled, ...]


def render_status(snapshot: Snapshot, *, now: datetime, stalled: bool) -> str:
    """Render the page; everything is escaped, whoever wrote it."""
    return _template().render(page=_page(snapshot, now=now, stalled=stalled))


@cache
def _template() -> Template:
    text = (files("egressd.web") / "status.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(text)


def _page(snapshot: Snapshot, *, now: datetime, stalled: bool) -> StatusPage:
    sweep, alerts = snapshot.sweep, by_urgency(snapshot.alerts)
    headline, good = _headline(snapshot, stalled=stalled)
    return StatusPage(
        headline=headline,
        good=good,
        version=__version__,
        host=sweep.recording.vantage.host if sweep else "",
        now=clock.timestamp(now),
        counts=_counts(count_outcomes(outcomes_of(sweep).values())) if sweep else "",
        completed=_ago(snapshot.counters.completed, now),
        next_sweep=_ago(snapshot.next_sweep, now),
        notes=tuple(_notes(snapshot)),
        alerts=tuple(_shown(one, now) for one in alerts if one.is_open)[:MOST_ROWS],
        unsaid=tuple(_unsaid(one, now) for one in alerts if not one.is_open)[:MOST_ROWS],
        maintenance=tuple(_window(one, now) for one in snapshot.maintenance),
        receivers=tuple(_places(snapshot, now)),
        failing=tuple(_failing(snapshot, sweep, now))[:MOST_ROWS] if sweep else (),
        profiles=tuple(_profiles(snapshot, sweep, now)) if sweep else (),
        unsampled=sweep.recording.plan.unsampled[:MOST_ROWS] if sweep else (),
    )


def _headline(snapshot: Snapshot, *, stalled: bool) -> tuple[str, bool]:
    if stalled:
        return "The scheduler has stalled: what follows is old", False
    if snapshot.sweep is None:
        return "Waiting for the first sweep", True
    severities = Counter(one.condition.severity for one in snapshot.alerts if one.is_open)
    urgent = severities[Severity.CRITICAL]
    if urgent:
        return f"{count(urgent, 'critical alert')} open", False
    suspects = sum(not one.settled for one in snapshot.standings.targets)
    if suspects:
        return f"Nothing critical is confirmed; {suspects} looked at again", True
    if severities:
        return f"Nothing critical; {count(severities.total(), 'alert')} open", True
    return "Everything required is reachable", True


def _counts(counts: OutcomeCounts) -> str:
    parts = [f"{getattr(counts, one.value)} {one.value}" for one in Outcome if getattr(counts, one.value)]
    return f"{counts.targets} targets: {', '.join(parts)}"


def _notes(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.config.successful:
        yield "The configuration was changed and is bad; the one before is in force:"
        yield from snapshot.config.problems[:20]
    if snapshot.state.problem:
        yield f"What is believed can't be saved: {snapshot.state.problem}"


def _shown(one: Alert, now: datetime) -> AlertRow:
    about = one.condition
    words = [one.state.value, f"in {about.phase}" if about.phase else ""]
    words.append(f"confidence {about.confidence}" if about.confidence else "")
    words.append(_quiet(one) if one.suppressed_by else "")
    return AlertRow(
        title=about.summary,
        severity=about.severity,
        how=", ".join(word for word in words if word),
        since=_ago(about.since, now),
        reason=about.reason or "",
        party=party(about.blame) if about.blame else "nobody yet",
        advice=about.advice,
        evidence=about.evidence,
        targets=about.targets,
        sources=about.sources,
    )


def _unsaid(one: Alert, now: datetime) -> PendingRow:
    about = one.condition
    why = _quiet(one) if one.suppressed_by else "not for long enough"
    return PendingRow(title=about.summary, severity=about.severity, since=_ago(about.since, now), why=why)


def _quiet(one: Alert) -> str:
    return f"kept quiet by {', '.join(one.suppressed_by)}"


def _window(one: Maintenance, now: datetime) -> str:
    why = f": {one.reason}" if one.reason else ""
    who = f", opened by {one.by}" if one.by else ""
    return f"{one.name}{why}{who}, ends {_ago(one.ends, now)}"


def _places(snapshot: Snapshot, now: datetime) -> Iterator[ReceiverRow]:
    known = {one.name: one for one in snapshot.receivers}
    for one in snapshot.settings.notify.receivers:
        status = known.get(one.name) or ReceiverStatus(name=one.name)
        failing = status.failing_since
        yield ReceiverRow(
            name=one.name,
            kind=one.type,
            waiting=status.waiting,
            delivered=_ago(status.delivered_at, now),
            trouble=f"fails since {_ago(failing, now)}: {status.why}" if failing else "",
        )


def _failing(snapshot: Snapshot, sweep: Sweep, now: datetime) -> Iterator[FailingRow]:
    """Yield what the last look or the belief says is not well, the worst first."""
    standings = {one.key: one for one in snapshot.standings.targets}
    needs = {one.id: one.need for one in sweep.recording.plan.targets}
    looks = [(judged.target, one) for judged in sweep.verdicts for one in judged.by_source]
    looks.sort(key=lambda pair: -pair[1].verdict.outcome.severity)
    for target, one in looks:
        standing = standings.get((target, one.source))
        well = one.verdict.outcome is Outcome.OK and (standing is None or standing.up)
        if not well:
            yield FailingRow(
                target=target,
                need=needs[target],
                source=one.source,
                outcome=one.verdict.outcome,
                reason=one.verdict.reason or "",
                state=standing.state if standing else "",
                since=_ago(standing.since if standing else None, now),
            )


def _profiles(snapshot: Snapshot, sweep: Sweep, now: datetime) -> Iterator[ProfileRow]:
    for name, counts in by_profile(sweep).items():
        yield ProfileRow(name=name, tally=counts, reachable=_ago(snapshot.counters.profiles.get(name), now))


def _ago(moment: str | None, now: datetime) -> str:
    """Write a moment, and how long ago it is, or how far ahead."""
    if moment is None:
        return "never"
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    shown = f"{moment[:19]}Z"
    return f"{shown} (in {span(-seconds)})" if seconds < 0 else f"{shown} ({span(seconds)} ago)"
