"""The status page: what fails, since when, who is to blame, and what to ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from egressd import __version__, clock
from egressd.attribution.blame.claims import suspect_lines, who_text
from egressd.model.alert import SILENCE_PREFIX, SUSPECTED, Alert, Condition, Silence
from egressd.model.notification import Severity
from egressd.model.plan import Unsampled
from egressd.model.snapshot import ReceiverStatus, Snapshot
from egressd.model.verdict import Outcome, OutcomeCounts, Sweep
from egressd.report.summary import by_profile, count_outcomes, outcomes_of
from egressd.web.api.document import by_urgency
from egressd.wording import count, name_first, span

MOST_ROWS = 500
"""Rows of a table at most; the API has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProfileRow:
    """One profile."""

    name: str
    tally: OutcomeCounts
    reachable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _FailingRow:
    """One target and source that is not ok."""

    target: str
    need: str
    source: str
    outcome: str
    reason: str
    state: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _AlertRow:
    """One open alert."""

    title: str
    severity: str
    state: str
    since: str
    reason: str
    party: str
    suspects: tuple[str, ...]
    advice: str
    evidence: tuple[str, ...]
    targets: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _PendingRow:
    """One alert without notifications."""

    title: str
    severity: str
    since: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReceiverRow:
    """One receiver."""

    name: str
    kind: str
    waiting: int
    delivered: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _StatusPage:
    """The variables of the template."""

    headline: str
    good: bool
    version: str
    host: str
    now: str
    counts: str
    completed: str
    next_sweep: str
    notes: tuple[str, ...]
    alerts: tuple[_AlertRow, ...]
    pending: tuple[_PendingRow, ...]
    silences: tuple[str, ...]
    receivers: tuple[_ReceiverRow, ...]
    failing: tuple[_FailingRow, ...]
    profiles: tuple[_ProfileRow, ...]
    unsampled: tuple[Unsampled, ...]


def render_status(snapshot: Snapshot, *, now: datetime, stalled: bool) -> bytes:
    """Render the page; all values are escaped."""
    return _template().render(page=_page(snapshot, now=now, stalled=stalled)).encode()


@cache
def _template() -> Template:
    text = (files("egressd.web") / "templates" / "status.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(text)


def _page(snapshot: Snapshot, *, now: datetime, stalled: bool) -> _StatusPage:
    sweep, alerts = snapshot.sweep, by_urgency(snapshot.alerts)
    headline, good = _headline(snapshot, stalled=stalled)
    return _StatusPage(
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
        pending=tuple(_pending(one, now) for one in alerts if not one.is_open)[:MOST_ROWS],
        silences=tuple(_silence(one, now) for one in snapshot.silences),
        receivers=tuple(_receivers(snapshot, now)),
        failing=tuple(_failing(snapshot, sweep, now))[:MOST_ROWS] if sweep else (),
        profiles=tuple(_profiles(snapshot, sweep, now)) if sweep else (),
        unsampled=sweep.recording.plan.unsampled[:MOST_ROWS] if sweep else (),
    )


def _headline(snapshot: Snapshot, *, stalled: bool) -> tuple[str, bool]:
    if stalled:
        return "The scheduler has stalled: this page is out of date", False
    if snapshot.sweep is None:
        return "Waiting for the first sweep", True
    severities = Counter(one.condition.severity for one in snapshot.alerts if one.is_open)
    urgent = severities[Severity.CRITICAL]
    if urgent:
        return f"{count(urgent, 'critical alert')} open: {_names_of_urgent(snapshot)}", False
    suspect = len({one.target for one in snapshot.standings.targets if not one.settled})
    if suspect:
        return f"Nothing critical is confirmed; {count(suspect, 'target')} probed again", True
    if severities:
        return f"Nothing critical; {count(severities.total(), 'alert')} open", True
    return "Everything required is reachable", True


def _names_of_urgent(snapshot: Snapshot) -> str:
    """Name the hosts and patterns that open critical alerts are about; of none, what is wrong."""
    alerts = [one for one in by_urgency(snapshot.alerts) if one.is_open]
    urgent = [one.condition for one in alerts if one.condition.severity is Severity.CRITICAL]
    hosts = {one.id: one.shown_host for one in snapshot.plan.targets} if snapshot.plan else {}
    named = [hosts[name] for one in urgent for name in one.targets if name in hosts]
    return name_first(named or [one.summary for one in urgent])


def _counts(counts: OutcomeCounts) -> str:
    parts = [f"{getattr(counts, one.value)} {one.value}" for one in Outcome if getattr(counts, one.value)]
    return f"{counts.targets} targets: {', '.join(parts)}"


def _notes(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.config.successful:
        yield "The configuration was changed and is bad; the one before is in force:"
        yield from snapshot.config.problems[:20]
    if snapshot.state.problem:
        yield f"State can't be saved: {snapshot.state.problem}"


def _shown(one: Alert, now: datetime) -> _AlertRow:
    about = one.condition
    words = [one.state.name.lower(), f"in {about.phase}" if about.phase else ""]
    words.append(f"confidence {about.confidence}" if about.confidence else "")
    words.append(_suppression(one))
    return _AlertRow(
        title=about.summary,
        severity=about.severity,
        state=", ".join(word for word in words if word),
        since=_ago(about.since, now),
        reason=about.reason or "",
        party=_party(about),
        suspects=suspect_lines(about.suspects or ()),
        advice=about.advice,
        evidence=about.evidence,
        targets=about.targets,
        sources=about.sources,
    )


def _party(about: Condition) -> str:
    if about.blame is None:
        return "not known yet"
    return who_text(about.blame, about.blame_confidence, about.suspects or ())


def _pending(one: Alert, now: datetime) -> _PendingRow:
    about = one.condition
    why = _suppression(one) or "holds for too short a time"
    return _PendingRow(title=about.summary, severity=about.severity, since=_ago(about.since, now), why=why)


def _suppression(one: Alert) -> str:
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


def _silence(one: Silence, now: datetime) -> str:
    why = f": {one.reason}" if one.reason else ""
    who = f", opened by {one.by}" if one.by else ""
    return f"{one.name}{why}{who}, ends {_ago(one.ends, now)}"


def _receivers(snapshot: Snapshot, now: datetime) -> Iterator[_ReceiverRow]:
    known = {one.name: one for one in snapshot.receivers}
    for one in snapshot.settings.notify.receivers:
        status = known.get(one.name) or ReceiverStatus(name=one.name)
        failing = status.failing_since
        yield _ReceiverRow(
            name=one.name,
            kind=one.type,
            waiting=status.waiting,
            delivered=_ago(status.delivered_at, now),
            error=f"failing since {_ago(failing, now)}: {status.why}" if failing else "",
        )


def _failing(snapshot: Snapshot, sweep: Sweep, now: datetime) -> Iterator[_FailingRow]:
    """Yield what is not ok by its last probe or its standing, the worst first."""
    standings = {one.key: one for one in snapshot.standings.targets}
    needs = {one.id: one.need for one in sweep.recording.plan.targets}
    results = [(judged.target, one) for judged in sweep.verdicts for one in judged.by_source]
    results.sort(key=lambda pair: -pair[1].verdict.outcome.severity)
    for target, one in results:
        standing = standings.get((target, one.source))
        ok = one.verdict.outcome is Outcome.OK and (standing is None or standing.up)
        if not ok:
            yield _FailingRow(
                target=target,
                need=needs[target],
                source=one.source,
                outcome=one.verdict.outcome,
                reason=one.verdict.reason or "",
                state=standing.state.name.lower() if standing else "",
                since=_ago(standing.since if standing else None, now),
            )


def _profiles(snapshot: Snapshot, sweep: Sweep, now: datetime) -> Iterator[_ProfileRow]:
    for name, counts in by_profile(sweep).items():
        yield _ProfileRow(name=name, tally=counts, reachable=_ago(snapshot.counters.profiles.get(name), now))


def _ago(moment: str | None, now: datetime) -> str:
    """Write a time, and how long ago it is or how far ahead."""
    if moment is None:
        return "never"
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    shown = f"{moment[:19]}Z"
    return f"{shown} (in {span(-seconds)})" if seconds < 0 else f"{shown} ({span(seconds)} ago)"
