"""The status page: what is wrong, since when, who is to blame, what to ask for. Readable at 2 a.m."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from egressd import __version__, clock
from egressd.metrics.troubles import Severity, Trouble, troubles_of
from egressd.model.plan import Unsampled
from egressd.model.snapshot import Snapshot
from egressd.model.verdict import Outcome, Sweep, Tally
from egressd.report.explain import party
from egressd.report.summary import by_profile, outcomes_of, tally

MOST_ROWS = 500
"""Rows of a table; the API has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One product's row."""

    name: str
    tally: Tally
    reachable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """One target and source that is not well."""

    target: str
    need: str
    source: str
    outcome: str
    reason: str
    state: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
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
    troubles: tuple[dict[str, Any], ...]
    failing: tuple[Failing, ...]
    profiles: tuple[Profile, ...]
    unsampled: tuple[Unsampled, ...]


def render_status(snapshot: Snapshot, *, now: datetime, stalled: bool) -> str:
    """Render the page; everything is escaped, whoever wrote it."""
    return _template().render(page=_page(snapshot, now=now, stalled=stalled))


@cache
def _template() -> Template:
    text = (files("egressd.web") / "status.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(text)


def _page(snapshot: Snapshot, *, now: datetime, stalled: bool) -> Page:
    sweep, troubles = snapshot.sweep, troubles_of(snapshot)
    headline, good = _headline(snapshot, troubles, stalled=stalled)
    return Page(
        headline=headline,
        good=good,
        version=__version__,
        host=sweep.recording.vantage.host if sweep else "",
        now=clock.timestamp(now),
        counts=_counts(tally(outcomes_of(sweep).values())) if sweep else "",
        completed=_ago(snapshot.counters.completed, now),
        next_sweep=_ago(snapshot.next_sweep, now),
        notes=tuple(_notes(snapshot)),
        troubles=tuple(_trouble(one, now) for one in troubles[:MOST_ROWS]),
        failing=tuple(_failing(snapshot, sweep, now))[:MOST_ROWS] if sweep else (),
        profiles=tuple(_profiles(snapshot, sweep, now)) if sweep else (),
        unsampled=sweep.recording.plan.unsampled[:MOST_ROWS] if sweep else (),
    )


def _headline(snapshot: Snapshot, troubles: tuple[Trouble, ...], *, stalled: bool) -> tuple[str, bool]:
    if stalled:
        return "The scheduler has stalled: what follows is old", False
    if snapshot.sweep is None:
        return "Waiting for the first sweep", True
    urgent = sum(one.severity is Severity.CRITICAL for one in troubles)
    if urgent:
        causes = "1 cause keeps" if urgent == 1 else f"{urgent} causes keep"
        return f"{causes} required endpoints out of reach", False
    suspects = sum(not one.settled for one in snapshot.standings.targets)
    if suspects:
        return f"Nothing required is confirmed to fail; {suspects} looked at again", True
    return "Everything required is reachable", True


def _counts(counts: Tally) -> str:
    parts = [f"{getattr(counts, one.value)} {one.value}" for one in Outcome if getattr(counts, one.value)]
    return f"{counts.targets} targets: {', '.join(parts)}"


def _notes(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.config.successful:
        yield "The configuration was changed and is bad; the one before is in force:"
        yield from snapshot.config.problems[:20]
    if snapshot.state.problem:
        yield f"What is believed can't be saved: {snapshot.state.problem}"


def _trouble(one: Trouble, now: datetime) -> dict[str, Any]:
    shown = {field.name: getattr(one, field.name) for field in fields(one)}
    return shown | {"since": _ago(one.since, now), "party": party(one.blame) if one.blame else "nobody yet"}


def _failing(snapshot: Snapshot, sweep: Sweep, now: datetime) -> Iterator[Failing]:
    """Yield what the last look or the belief says is not well, the worst first."""
    standings = {one.key: one for one in snapshot.standings.targets}
    needs = {one.id: one.need for one in sweep.recording.plan.targets}
    looks = [(judged.target, one) for judged in sweep.verdicts for one in judged.by_source]
    looks.sort(key=lambda pair: -pair[1].verdict.outcome.severity)
    for target, one in looks:
        standing = standings.get((target, one.source))
        well = one.verdict.outcome is Outcome.OK and (standing is None or standing.up)
        if not well:
            yield Failing(
                target=target,
                need=needs[target],
                source=one.source,
                outcome=one.verdict.outcome,
                reason=one.verdict.reason or "",
                state=standing.state if standing else "",
                since=_ago(standing.since if standing else None, now),
            )


def _profiles(snapshot: Snapshot, sweep: Sweep, now: datetime) -> Iterator[Profile]:
    for name, counts in by_profile(sweep).items():
        yield Profile(name=name, tally=counts, reachable=_ago(snapshot.counters.profiles.get(name), now))


def _ago(moment: str | None, now: datetime) -> str:
    """Write a moment, and how long ago it is, or how far ahead."""
    if moment is None:
        return "never"
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    shown = f"{moment[:19]}Z"
    return f"{shown} (in {_span(-seconds)})" if seconds < 0 else f"{shown} ({_span(seconds)} ago)"


def _span(seconds: float) -> str:
    whole = int(seconds)
    for unit, size, below in (("d", 86400, 3600), ("h", 3600, 60), ("min", 60, 1)):
        if whole >= size:
            rest = whole % size // below
            small = {"d": "h", "h": "min", "min": "s"}[unit]
            return f"{whole // size} {unit} {rest} {small}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"
