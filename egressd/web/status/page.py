"""The status page: one snapshot with its history, as a page for a wall, a desk or a telephone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct, field

from egressd import clock
from egressd.firewall.languages import LANGUAGES, Language
from egressd.model.alert import Alert, Silence
from egressd.model.notification import Severity
from egressd.model.plan import Unsampled
from egressd.model.snapshot import ReceiverStatus, Snapshot
from egressd.model.verdict import Outcome, OutcomeCounts, Sweep
from egressd.report.summary import OWN_ENDPOINTS, count_outcomes
from egressd.standing.results import TargetResult, results_of
from egressd.state.history import HistoryError
from egressd.state.timeline import ChangeRecord, timelines
from egressd.web.api.document import by_urgency
from egressd.web.api.history import RecentChanges
from egressd.web.status.asks import SweepAsks
from egressd.web.status.cards import MOST_CARDS, Card, CardFacts, cards_of, suppression
from egressd.web.status.certificates import CertificateRow, certificate_rows
from egressd.web.status.filters import PERIODS, STATES, PageQuery
from egressd.web.status.moment import Moment, moment_of
from egressd.web.status.strip import StripScale
from egressd.web.status.targets import (
    ProductGroup,
    StatusRow,
    TargetFacts,
    product_groups,
    shown_groups,
)
from egressd.web.template import render_page
from egressd.wording import count, name_first

MOST_ROWS = 200
"""Rows of a list at most; the API has them all."""
MOST_PROBLEMS = 20


class ProductRow(Struct, frozen=True, kw_only=True):
    """One product in the overview."""

    name: str
    tally: OutcomeCounts
    reachable: Moment | None
    """When all of its required targets were last reachable."""
    tiles: tuple[tuple[str, str, Outcome], ...]
    """Id, host and outcome of each target."""


class PendingRow(Struct, frozen=True, kw_only=True):
    """One alert without notifications."""

    title: str
    severity: str
    since: Moment | None
    why: str


class ReceiverRow(Struct, frozen=True, kw_only=True):
    """One receiver."""

    name: str
    kind: str
    waiting: int
    delivered: Moment | None
    failing: Moment | None
    why: str


class SilenceRow(Struct, frozen=True, kw_only=True):
    """One silence."""

    name: str
    words: str
    ends: Moment | None


class StatusView(Struct, frozen=True, kw_only=True):
    """The variables of the template."""

    headline: str
    mood: str
    """`good`, `bad` or `waiting`: the name of the page's icon."""
    host: str
    site: str
    """The host's place in a fleet; empty: it is not known."""
    now: Moment
    counts: OutcomeCounts | None
    started: Moment | None
    completed: Moment | None
    next_sweep: Moment | None
    sweeping: bool
    """Whether a sweep is under way, as far as the schedule tells."""
    notes: tuple[str, ...]
    cards: tuple[Card, ...]
    more_cards: int
    pending: tuple[PendingRow, ...]
    silences: tuple[SilenceRow, ...]
    receivers: tuple[ReceiverRow, ...]
    products: tuple[ProductRow, ...]
    certificates: tuple[CertificateRow, ...]
    rules: int
    """How many rules the failures of the last sweep ask for."""
    languages: tuple[Language, ...]
    groups: tuple[ProductGroup, ...]
    names: tuple[str, ...]
    """Of all products."""
    several: bool
    """Whether targets are probed from several sources."""
    left_out: int
    history_note: str
    """What is missing of the history; empty: nothing."""
    query: PageQuery
    periods: tuple[str, ...]
    states: tuple[str, ...]
    unsampled: tuple[Unsampled, ...]


class StatusPage(Struct, frozen=True, kw_only=True):
    """Renders the page; its only state are caches."""

    asks: SweepAsks = field(default_factory=SweepAsks)
    changes: RecentChanges = field(default_factory=RecentChanges)

    def render(
        self, snapshot: Snapshot, *, now: datetime, stalled: bool, query: PageQuery | None = None
    ) -> bytes:
        """Render the page as of now; all values are escaped."""
        view = self._view(snapshot, now, stalled=stalled, query=query or PageQuery())
        return render_page("status.html", root="", title=_title(view), page=view)

    def _view(self, snapshot: Snapshot, now: datetime, *, stalled: bool, query: PageQuery) -> StatusView:
        sweep, alerts = snapshot.sweep, by_urgency(snapshot.alerts)
        headline, mood = _headline(snapshot, stalled=stalled)
        cards = cards_of(
            (one for one in alerts if one.is_open), CardFacts(snapshot=snapshot, asks=self.asks, now=now)
        )
        results = results_of(sweep) if sweep else ()
        groups, note = self._groups(snapshot, sweep, results, query=query, now=now) if sweep else ((), "")
        shown, left_out = shown_groups(groups, query)
        rows = [row for group in groups for row in group.rows]
        return StatusView(
            headline=headline,
            mood=mood,
            host=sweep.recording.vantage.host if sweep else "",
            site=snapshot.settings.chosen_site or "",
            now=Moment(stamp=clock.timestamp(now), ago="now"),
            counts=count_outcomes(row.outcome for row in rows) if sweep else None,
            started=moment_of(snapshot.started, now),
            completed=moment_of(snapshot.counters.completed, now),
            next_sweep=moment_of(snapshot.next_sweep, now),
            sweeping=snapshot.next_sweep is not None and snapshot.next_sweep <= clock.timestamp(now),
            notes=tuple(_notes(snapshot)),
            cards=cards[:MOST_CARDS],
            more_cards=max(0, len(cards) - MOST_CARDS),
            pending=tuple(_pending(one, now) for one in alerts if not one.is_open)[:MOST_ROWS],
            silences=tuple(_silence(one, now) for one in snapshot.silences),
            receivers=tuple(_receivers(snapshot, now)),
            products=tuple(_products(snapshot, sweep, rows, now)) if sweep else (),
            certificates=certificate_rows(results, now=now),
            rules=len(self.asks.rules(sweep)) if sweep else 0,
            languages=tuple(LANGUAGES.values()),
            groups=shown,
            names=tuple(one.name for one in groups),
            several=any(len(row.sources) > 1 for row in rows),
            left_out=left_out,
            history_note=note,
            query=query,
            periods=tuple(PERIODS),
            states=STATES,
            unsampled=sweep.recording.plan.unsampled[:MOST_ROWS] if sweep else (),
        )

    def _groups(
        self,
        snapshot: Snapshot,
        sweep: Sweep,
        results: tuple[TargetResult, ...],
        *,
        query: PageQuery,
        now: datetime,
    ) -> tuple[tuple[ProductGroup, ...], str]:
        """Return all targets by product, and what is missing of their history."""
        record, note = self._record(snapshot, query, now)
        period = PERIODS[query.period]
        since, until = clock.timestamp(now - period), clock.timestamp(now)
        facts = TargetFacts(
            snapshot=snapshot,
            sweep=sweep,
            results={(one.target, one.source): one for one in results},
            segments=timelines(record, snapshot.standings.targets, since=since, until=until),
            scale=StripScale(begin=now - period, period=period, pauses=record.pauses),
            now=now,
        )
        return product_groups(facts), note

    def _record(self, snapshot: Snapshot, query: PageQuery, now: datetime) -> tuple[ChangeRecord, str]:
        """Return the changes to show, and what is missing of them; without any, standings tell what holds."""
        period = PERIODS[query.period]
        try:
            found = self.changes.read(snapshot, period, now=now)
        except HistoryError as error:
            return ChangeRecord(since=clock.timestamp(now - period)), f"{error}"
        why = "There are more changes than are shown: what was before the oldest of them is left empty."
        return found, why if found.cut else ""


def _title(view: StatusView) -> str:
    """Return the title, the site first: the beginning is what a tab shows, and the site tells many apart."""
    return ": ".join(filter(None, (view.site, view.headline)))


def _headline(snapshot: Snapshot, *, stalled: bool) -> tuple[str, str]:
    """Say the most important thing, and whether it is good."""
    if stalled:
        return "The scheduler has stalled: this page is out of date", "bad"
    if snapshot.sweep is None:
        return "Waiting for the first sweep", "waiting"
    severities = Counter(one.condition.severity for one in snapshot.alerts if one.is_open)
    urgent = severities[Severity.CRITICAL]
    if urgent:
        return f"{count(urgent, 'critical alert')} open: {_names_of_urgent(snapshot)}", "bad"
    suspect = len({one.target for one in snapshot.standings.targets if not one.settled})
    if suspect:
        return f"Nothing critical is confirmed; {count(suspect, 'target')} probed again", "waiting"
    if severities:
        return f"Nothing critical; {count(severities.total(), 'alert')} open", "good"
    return "Everything required is reachable", "good"


def _names_of_urgent(snapshot: Snapshot) -> str:
    """Name the hosts and patterns that open critical alerts are about; of none, what is wrong."""
    alerts = [one for one in by_urgency(snapshot.alerts) if one.is_open]
    urgent = [one.condition for one in alerts if one.condition.severity is Severity.CRITICAL]
    hosts = {one.id: one.shown_host for one in snapshot.plan.targets} if snapshot.plan else {}
    named = [hosts[name] for one in urgent for name in one.targets if name in hosts]
    return name_first(named or [one.summary for one in urgent])


def _notes(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.config.successful:
        yield "The configuration was changed and is bad; the one before is in force:"
        yield from snapshot.config.problems[:MOST_PROBLEMS]
    if snapshot.state.problem:
        yield f"State can't be saved: {snapshot.state.problem}"


def _pending(one: Alert, now: datetime) -> PendingRow:
    about = one.condition
    return PendingRow(
        title=about.summary,
        severity=about.severity,
        since=moment_of(about.since, now),
        why=suppression(one) or "holds for too short a time",
    )


def _silence(one: Silence, now: datetime) -> SilenceRow:
    why = f": {one.reason}" if one.reason else ""
    who = f", opened by {one.by}" if one.by else ""
    return SilenceRow(name=one.name, words=f"{one.name}{why}{who}", ends=moment_of(one.ends, now))


def _receivers(snapshot: Snapshot, now: datetime) -> Iterator[ReceiverRow]:
    known = {one.name: one for one in snapshot.receivers}
    for one in snapshot.settings.notify.receivers:
        status = known.get(one.name) or ReceiverStatus(name=one.name)
        yield ReceiverRow(
            name=one.name,
            kind=one.type,
            waiting=status.waiting,
            delivered=moment_of(status.delivered_at, now),
            failing=moment_of(status.failing_since, now),
            why=status.why,
        )


def _products(
    snapshot: Snapshot, sweep: Sweep, shown: Iterable[StatusRow], now: datetime
) -> Iterator[ProductRow]:
    """Yield each product with a tile for each of its targets, those that others need as well included."""
    rows = {row.id: (row.id, row.host, row.outcome) for row in shown}
    members: dict[str, list[tuple[str, str, Outcome]]] = {}
    for target in sweep.recording.plan.targets:
        for name in target.profiles or ("",):
            members.setdefault(name, []).append(rows[target.id])
    for name, some in members.items():
        yield ProductRow(
            name=name or OWN_ENDPOINTS,
            tally=count_outcomes(outcome for _, _, outcome in some),
            reachable=moment_of(snapshot.counters.profiles.get(name), now),
            tiles=tuple(some),
        )
