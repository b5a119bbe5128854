"""Every target with its state, latency, last change and history, by product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from egressd.model.plan import Target
from egressd.model.snapshot import Snapshot
from egressd.model.standing import Lifecycle, Standing
from egressd.model.verdict import Outcome, Pair, SourceVerdict, Sweep, TargetVerdict
from egressd.report.summary import OWN_ENDPOINTS
from egressd.standing.results import TargetResult
from egressd.state.timeline import Segment
from egressd.web.status.filters import PageQuery
from egressd.web.status.moment import Moment, moment_of
from egressd.web.status.strip import Strip, StripScale, strip_of
from egressd.wording import host_port

MOST_TARGETS = 2000
"""Targets that a page shows; the API has them all. Those that are not ok are the last to be left out."""


class SourceRow(Struct, frozen=True, kw_only=True):
    """A target as seen from one source."""

    source: str
    outcome: Outcome
    """What is confirmed; before anything is, what the last probe found."""
    suffix: str
    """What is not settled yet; empty: nothing."""
    reason: str
    latency: str
    """Of the last probe that got furthest, phase by phase; empty: nothing was measured."""
    total: str
    changed: Moment | None
    strip: Strip


class StatusRow(Struct, frozen=True, kw_only=True):
    """One target."""

    id: str
    host: str
    note: str
    """What product it is for, beside that of its group, and how much it is needed."""
    product: str
    outcome: Outcome
    text: str
    """All words that a search may look for, in lower case."""
    sources: tuple[SourceRow, ...]


class ProductGroup(Struct, frozen=True, kw_only=True):
    """The targets of a product."""

    name: str
    rows: tuple[StatusRow, ...]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.rows)

    @property
    def failing(self) -> int:
        """How many are not ok."""
        return sum(one.outcome is not Outcome.OK for one in self.rows)


class TargetFacts(Struct, frozen=True, kw_only=True):
    """What the rows are made of."""

    snapshot: Snapshot
    sweep: Sweep
    results: Mapping[Pair, TargetResult]
    segments: Mapping[Pair, tuple[Segment, ...]]
    scale: StripScale
    now: datetime


def product_groups(facts: TargetFacts) -> tuple[ProductGroup, ...]:
    """Return every target once, with the first product that needs it, in the order of the plan."""
    standings = {one.key: one for one in facts.snapshot.standings.targets}
    targets = {one.id: one for one in facts.sweep.recording.plan.targets}
    found: dict[str, list[StatusRow]] = {}
    for judged in facts.sweep.verdicts:
        row = _target_row(facts, targets[judged.target], judged, standings)
        found.setdefault(row.product, []).append(row)
    return tuple(
        ProductGroup(name=name, rows=tuple(sorted(rows, key=lambda one: -one.outcome.severity)))
        for name, rows in found.items()
    )


def shown_groups(groups: Iterable[ProductGroup], query: PageQuery) -> tuple[tuple[ProductGroup, ...], int]:
    """Return what a reader asks to see, and how many targets of it a page has no room for."""
    chosen = [
        (group.name, row)
        for group in groups
        for row in group.rows
        if query.wants(state=row.outcome, product=row.product, text=row.text)
    ]
    left_out = max(0, len(chosen) - MOST_TARGETS)
    if left_out:
        worst = sorted(chosen, key=lambda one: -one[1].outcome.severity)[:MOST_TARGETS]
        kept = {row.id for _, row in worst}
        chosen = [one for one in chosen if one[1].id in kept]
    found: dict[str, list[StatusRow]] = {}
    for name, row in chosen:
        found.setdefault(name, []).append(row)
    return tuple(ProductGroup(name=name, rows=tuple(rows)) for name, rows in found.items()), left_out


def _target_row(
    facts: TargetFacts, target: Target, judged: TargetVerdict, standings: Mapping[Pair, Standing]
) -> StatusRow:
    rows = tuple(_source_row(facts, target.id, one, standings) for one in judged.by_source)
    outcome = max((one.outcome for one in rows), key=lambda one: one.severity, default=judged.verdict.outcome)
    profiles = [one for one in target.profiles if one]
    place = host_port(target.shown_host, target.port)
    words = (target.id, place, target.host, target.service, *profiles, target.need, outcome)
    seen = (word for one in rows for word in (one.source, one.reason, one.suffix))
    return StatusRow(
        id=target.id,
        host=place,
        note=", ".join((target.service, target.need, *(f"also {one}" for one in profiles[1:]))),
        product=profiles[0] if profiles else OWN_ENDPOINTS,
        outcome=outcome,
        text=" ".join((*words, *seen)).lower(),
        sources=rows,
    )


def _source_row(
    facts: TargetFacts, target: str, one: SourceVerdict, standings: Mapping[Pair, Standing]
) -> SourceRow:
    pair = (target, one.source)
    standing, result = standings.get(pair), facts.results.get(pair)
    known = standing.belief if standing is not None and not standing.unknown else one.verdict
    durations = result.durations if result else {}
    return SourceRow(
        source=one.source,
        outcome=known.outcome,
        suffix=_suffix(standing, one),
        reason=known.reason or "",
        latency=" + ".join(f"{phase} {_ms(seconds)}" for phase, seconds in durations.items()),
        total=f"{_ms(sum(durations.values()))} ms" if durations else "",
        changed=moment_of(standing.since if standing else None, facts.now),
        strip=strip_of(facts.segments.get(pair, ()), facts.scale),
    )


def _suffix(standing: Standing | None, one: SourceVerdict) -> str:
    """Say what is not settled about a target from a source; empty: all is."""
    return ", ".join(_unsettled(standing, one))


def _unsettled(standing: Standing | None, one: SourceVerdict) -> Iterator[str]:
    if standing is None or standing.unknown:
        yield "not confirmed yet"
        return
    if standing.state is Lifecycle.FLAPPING:
        yield "flapping"
    if standing.state is Lifecycle.SILENCED:
        yield "in maintenance"
    if not standing.settled:
        yield f"last probe {one.verdict.outcome}, being checked"


def _ms(seconds: float) -> str:
    """Write milliseconds, with a decimal where they are few."""
    found = seconds * 1000
    return f"{found:.0f}" if found >= 10 else f"{found:.1f}"
