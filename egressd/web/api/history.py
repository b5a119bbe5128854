"""What changed, and what each target was: read from the state on disk, a bounded part of it per request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from multidict import MultiMapping

from egressd import clock
from egressd.fields.parse import parse_moment
from egressd.model.event import EventKind
from egressd.model.observation import Timestamp
from egressd.model.snapshot import Snapshot
from egressd.state.history import HistoryError, history_json, read_history
from egressd.state.selection import Selection, target_matches
from egressd.state.timeline import ChangeRecord, Segment, read_changes, timelines
from egressd.web.api.paging import BadQueryError

TIMELINE_SCHEMA = "egressd.timeline/1"
MOST_READ = 20_000
"""Events of the history that one request reads."""
MOST_PATTERNS = 20
LONGEST_PATTERN = 200
EVENT_KEYS = ("since", "until", "target", "source", "site", "reason", "kind")
TIMELINE_KEYS = ("since", "target", "source")
"""The parameters of a query; what else it has is refused, as a misspelt one would ask for too much."""


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """What a request asks for."""

    since: Timestamp
    until: Timestamp
    target: str | None
    selection: Selection


def parse_query(query: MultiMapping[str], keys: Sequence[str], *, now: datetime) -> HistoryQuery:
    """Read the parameters of a request.

    Raises:
        BadQueryError: one is unknown, repeated or none.
    """
    for key in query:
        if key not in keys:
            raise BadQueryError(f"unknown parameter; there are {', '.join(keys)}")
    begin, end = _moment(query, "since", "24h", now), _moment(query, "until", "", now)
    if end < begin:
        raise BadQueryError("until must be after since")
    targets = _patterns(query, "target")
    if len(targets) > 1:
        raise BadQueryError("target may be given once")
    kinds = _patterns(query, "kind")
    if set(kinds) - set(EventKind):
        raise BadQueryError(f"kind must be one of {', '.join(EventKind)}")
    return HistoryQuery(
        since=clock.timestamp(begin),
        until=clock.timestamp(end),
        target=targets[0] if targets else None,
        selection=Selection(
            reasons=_patterns(query, "reason"),
            sources=_patterns(query, "source"),
            sites=_patterns(query, "site"),
            kinds=tuple(map(EventKind, kinds)),
        ),
    )


def _moment(query: MultiMapping[str], key: str, usual: str, now: datetime) -> datetime:
    given = query.getall(key, [usual])
    if len(given) > 1:
        raise BadQueryError(f"{key} may be given once")
    if not given[0]:
        return now
    try:
        return parse_moment(given[0][:LONGEST_PATTERN], now=now)
    except ValueError:
        example = "2h, or a UTC time such as 2026-11-20T03:10"
        raise BadQueryError(f"{key} must be a duration such as {example}") from None


def _patterns(query: MultiMapping[str], key: str) -> tuple[str, ...]:
    found = tuple(one for one in query.getall(key, []) if one)
    if len(found) > MOST_PATTERNS or any(len(one) > LONGEST_PATTERN for one in found):
        raise BadQueryError(f"{key}: at most {MOST_PATTERNS} patterns of {LONGEST_PATTERN} characters")
    return found


def history_document(snapshot: Snapshot, asked: HistoryQuery) -> bytes:
    """Return the events as `egressd history --format json` writes them.

    Raises:
        HistoryError: there is no history, or it can't be read.
    """
    found = read_history(
        directory_of_state(snapshot),
        since=asked.since,
        until=asked.until,
        target=asked.target,
        selection=asked.selection,
        most=MOST_READ,
    )
    return history_json(found).encode()


def timeline_document(snapshot: Snapshot, asked: HistoryQuery) -> dict[str, Any]:
    """Return what each target was believed to be, from when to when.

    Raises:
        HistoryError: there is no history, or it can't be read.
    """
    record = read_changes(directory_of_state(snapshot), since=asked.since)
    standings = [
        one
        for one in snapshot.standings.targets
        if (asked.target is None or target_matches(one.target, asked.target))
        and asked.selection.wants_source(one.source)
    ]
    found = timelines(record, standings, since=asked.since, until=asked.until)
    return {
        "schema": TIMELINE_SCHEMA,
        "site": snapshot.settings.chosen_site,
        "since": max(asked.since, record.since),
        "until": asked.until,
        "cut": record.cut,
        "pauses": [{"begin": one.begin, "end": one.end} for one in record.pauses],
        "targets": [
            {"target": target, "source": source, "segments": list(map(_segment, segments))}
            for (target, source), segments in found.items()
        ],
    }


def _segment(one: Segment) -> dict[str, str | None]:
    return {"begin": one.begin, "end": one.end, "outcome": one.outcome, "reason": one.reason}


def directory_of_state(snapshot: Snapshot) -> Path:
    """Return where the daemon keeps its state. Raises HistoryError: nowhere."""
    if snapshot.state.directory is None:
        raise HistoryError("no history is kept: set state.directory")
    return Path(snapshot.state.directory)


class RecentChanges(Struct):
    """The changes of the periods that the status page shows, read again when something was recorded."""

    _known: dict[timedelta, ChangeRecord] = field(default_factory=dict)

    def read(self, snapshot: Snapshot, period: timedelta, *, now: datetime) -> ChangeRecord:
        """Return the changes of a period that ends now.

        Raises:
            HistoryError: there is no history, or it can't be read.
        """
        since = clock.timestamp(now - period)
        found = read_changes(directory_of_state(snapshot), since=since, known=self._known.get(period))
        self._known[period] = found
        return found
