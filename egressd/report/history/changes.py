"""Events as one line for each change: what one cause does to many targets is one change.

Pure. A line names a host once, with its port, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import assert_never

from msgspec import Struct, field, to_builtins

from egressd.model.alert import NoticeKind
from egressd.model.event import (
    ConfigRejected,
    ConfigReloaded,
    DaemonStarted,
    DaemonStopped,
    Event,
    FindingClosed,
    FindingOpened,
    NoticePosted,
    SweepFinished,
    SweepOverran,
    TargetChanged,
    TargetRemoved,
)
from egressd.model.observation import Timestamp
from egressd.model.standing import Belief
from egressd.model.verdict import Blame, Confidence, Outcome
from egressd.report.text import clean
from egressd.wording import count, name_first, seconds_between, span

TOGETHER = 120.0
"""Seconds within which targets that change in the same way changed together."""
MOST_HOSTS = 3
"""Hosts that a line names; the others are counted."""

PlaceEvent = TargetChanged | TargetRemoved


class Word(StrEnum):
    """What a line is about, as its first word."""

    BAD = "BAD"
    DEGRADED = "DEGRADED"
    UNKNOWN = "UNKNOWN"
    GOOD = "GOOD"
    GONE = "GONE"
    CAUSE = "CAUSE"
    OVER = "OVER"
    ALERT = "ALERT"
    EGRESSD = "EGRESSD"


LONGEST_WORD = max(map(len, Word))


class ChangeLine(Struct, frozen=True, kw_only=True):
    """One change."""

    at: Timestamp
    word: Word
    text: str
    """Without its time; one printable line."""
    ended: bool
    """Whether it is good news, or no news."""


class _Entry(Struct):
    """One line to be: the event that it begins with, and the targets that changed with it."""

    event: Event
    places: list[PlaceEvent] = field(default_factory=list)
    overruns: list[SweepOverran] = field(default_factory=list)
    opened: FindingOpened | None = None
    """The opening of a finding that is closed."""

    @property
    def reason(self) -> str | None:
        """The reason of a finding."""
        return self.event.reason if isinstance(self.event, FindingOpened | FindingClosed) else None


def change_lines_of(
    events: Sequence[Event], *, already: Iterable[Event] = (), several: bool | None = None
) -> Iterator[ChangeLine]:
    """Yield the lines of some events, in their order.

    `already` are events before them; `several` says whether targets are probed from several sources, None:
    as the events show.
    """
    known = (*already, *events)
    if several is None:
        several = len({one.source for one in known if isinstance(one, PlaceEvent)}) > 1
    for entry in _grouped(events, known):
        yield _line(entry, several=several)


def _grouped(events: Sequence[Event], known: Sequence[Event]) -> list[_Entry]:
    """Put what changed together into one entry."""
    entries: list[_Entry] = []
    causes, until = _causes(events, known), _ends(events)
    current: dict[tuple[object, ...], _Entry] = {}
    for one in events:
        if isinstance(one, SweepOverran):
            _add_overrun(one, entries)
            continue
        if not isinstance(one, PlaceEvent):
            entries.append(causes.get(id(one)) or _Entry(one))
            continue
        cause = next((entry for entry in causes.values() if _belongs(one, entry, until.get(id(one)))), None)
        if cause is not None:
            cause.places.append(one)
            continue
        key = _key(one)
        entry = current.get(key)
        if entry is None or seconds_between(entry.event.at, one.at) > TOGETHER or _is_in(one, entry):
            entry = current[key] = _Entry(one)
            entries.append(entry)
        entry.places.append(one)
        for other in [other for other, group in current.items() if other != key and _is_in(one, group)]:
            del current[other]  # what happens to its targets from now on is another change
    return entries


def _causes(events: Iterable[Event], known: Iterable[Event]) -> dict[int, _Entry]:
    """Return an entry for each finding that is opened or closed, by the identity of the event."""
    opened = {one.finding: one for one in known if isinstance(one, FindingOpened)}
    return {
        id(one): _Entry(one, opened=opened.get(one.finding))
        for one in events
        if isinstance(one, FindingOpened | FindingClosed)
    }


def _ends(events: Sequence[Event]) -> dict[int, Timestamp]:
    """Return when what each event says was over: the target changed again. By the identity of the event."""
    last: dict[tuple[str, str], PlaceEvent] = {}
    ends: dict[int, Timestamp] = {}
    for one in events:
        if isinstance(one, PlaceEvent):
            before = last.get((one.target, one.source))
            if before is not None:
                ends[id(before)] = one.at
            last[one.target, one.source] = one
    return ends


def _add_overrun(one: SweepOverran, entries: list[_Entry]) -> None:
    """Put a sweep that took too long to those right before it."""
    near = next((entry for entry in reversed(entries) if isinstance(entry.event, SweepOverran)), None)
    if near is not None and seconds_between((near.overruns or [one])[-1].at, one.at) <= TOGETHER:
        near.overruns.append(one)
    else:
        entries.append(_Entry(one, overruns=[one]))


def _belongs(one: PlaceEvent, cause: _Entry, until: Timestamp | None) -> bool:
    """Whether the change of a target is what the opening or closing of a finding says.

    A finding names the targets that it began with; those that failed for the same reason came later. What was
    over by then (`until`) was another fault.
    """
    if isinstance(one, TargetRemoved) or abs(seconds_between(cause.event.at, one.at)) > TOGETHER:
        return False
    if until is not None and until < cause.event.at:
        return False
    opening = isinstance(cause.event, FindingOpened)
    finding = cause.event if isinstance(cause.event, FindingOpened) else cause.opened
    belief = one.after if opening else one.before
    named = finding is not None and one.target in finding.targets
    alike = belief is not None and belief.reason == cause.reason
    return (named or alike) and opening != (one.after.outcome is Outcome.OK) and not _is_in(one, cause)


def _is_in(one: PlaceEvent, entry: _Entry) -> bool:
    return any((place.target, place.source) == (one.target, one.source) for place in entry.places)


def _key(one: PlaceEvent) -> tuple[object, ...]:
    before = (one.before.outcome, one.before.reason) if one.before else None
    if isinstance(one, TargetRemoved):
        return ("removed", before, one.source)
    return (
        before,
        one.after.outcome,
        one.after.reason,
        one.after.blame,
        one.after.blame_confidence,
        one.source,
    )


def _line(entry: _Entry, *, several: bool) -> ChangeLine:
    event = entry.event
    word, text, ended = _said(entry, several=several)
    return ChangeLine(at=event.at, word=word, text=clean(text), ended=ended)


def _said(entry: _Entry, *, several: bool) -> tuple[Word, str, bool]:
    event = entry.event
    match event:
        case TargetChanged():
            return _changed(event, entry.places, several=several)
        case TargetRemoved():
            state = f"not probed any more, was {_state(event.before)}"
            return Word.GONE, _about(entry.places, state, several=several), True
        case FindingOpened():
            return Word.CAUSE, _opened(event, entry.places), False
        case FindingClosed():
            lasted = span(seconds_between(event.since, event.at))
            fixed = f"{count(len(_targets(entry.places)), 'target')} ok again" if entry.places else "gone"
            return Word.OVER, f"{fixed} after {lasted}: {event.reason}: {event.title}", True
        case NoticePosted():
            return _notice(event)
        case SweepOverran():
            return Word.EGRESSD, _overran(entry.overruns), False
        case _:
            return _daemon(event)


def _opened(event: FindingOpened, places: Sequence[PlaceEvent]) -> str:
    targets = tuple(dict.fromkeys((*event.targets, *_targets(places))))
    size = count(len(targets), "target") if targets else "the path"
    who = f"{event.reason}, {_blamed(event.blame, event.blame_confidence)}"
    return f"{size}: {who}: {event.title}{f': {_hosts(targets)}' if targets else ''}"


def _changed(event: TargetChanged, places: Sequence[PlaceEvent], *, several: bool) -> tuple[Word, str, bool]:
    after, before = event.after, event.before
    was = f", was {_state(before)}" if before and before.outcome is not Outcome.OK else ""
    if after.outcome is Outcome.OK:
        lasted = (
            f" after {span(seconds_between(event.before_since, event.since))}" if event.before_since else ""
        )
        return Word.GOOD, _about(places, f"ok again{lasted}{was}", several=several), True
    word = {Outcome.DEGRADED: Word.DEGRADED, Outcome.UNKNOWN: Word.UNKNOWN}.get(after.outcome, Word.BAD)
    blames = {
        (one.after.blame, one.after.blame_confidence) for one in places if isinstance(one, TargetChanged)
    }
    whom = f", {_blamed(after.blame, after.blame_confidence)}" if after.blame and len(blames) == 1 else ""
    state = f"{_state(after)}{whom}{was}, since {event.since[11:19]}Z"
    return word, _about(places, state, several=several), after.outcome.reachable


def _notice(event: NoticePosted) -> tuple[Word, str, bool]:
    said = f"{event.notice_kind}" + (f" ({event.resolution})" if event.resolution else "")
    change = f" ({event.change})" if event.change else ""
    to = ", ".join(event.receivers) or "no receiver"
    text = f"{event.severity} {said}: {event.summary}{change}; to {to}"
    return Word.ALERT, text, event.notice_kind in (NoticeKind.CLOSED, NoticeKind.REMINDED)


def _daemon(
    event: SweepFinished | ConfigReloaded | ConfigRejected | DaemonStarted | DaemonStopped,
) -> tuple[Word, str, bool]:
    match event:
        case SweepFinished():
            return Word.EGRESSD, f"swept in {event.seconds:.1f} s: {_tally(event)}", True
        case ConfigReloaded():
            return Word.EGRESSD, f"configuration reloaded, digest {event.digest[:12]}", True
        case ConfigRejected():
            first, more = event.problems[:1], len(event.problems) - 1
            named = f"{first[0] if first else ''}{f' and {more} more' if more > 0 else ''}"
            return Word.EGRESSD, f"configuration refused, the one before stays: {named}", False
        case DaemonStarted():
            return (
                Word.EGRESSD,
                f"started{f' at {event.site}' if event.site else ''}, version {event.egressd}",
                True,
            )
        case DaemonStopped():
            return Word.EGRESSD, "stopped", True
        case _:
            assert_never(event)


def _overran(overruns: Sequence[SweepOverran]) -> str:
    longest, skipped = max(one.seconds for one in overruns), sum(one.missed for one in overruns)
    many = "a sweep" if len(overruns) == 1 else f"{count(len(overruns), 'sweep')} in a row"
    upto = "" if len(overruns) == 1 else "up to "
    return f"{many} took {upto}{longest:.0f} s, longer than the interval; {count(skipped, 'sweep')} skipped"


def _tally(event: SweepFinished) -> str:
    counts = ((name, number) for name, number in to_builtins(event.tally).items() if number)
    return ", ".join(f"{number} {name}" for name, number in counts) or "no target"


def _about(places: Sequence[PlaceEvent], state: str, *, several: bool) -> str:
    """Say what became of targets: one by its host, many by their number, and their hosts at the end."""
    where = f" from {places[0].source}" if several else ""
    targets = _targets(places)
    if len(targets) == 1:
        return f"{_hosts(targets)}{where} {state}"
    return f"{count(len(targets), 'target')}{where} {state}: {_hosts(targets)}"


def _targets(places: Iterable[PlaceEvent]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.target for one in places))


def _hosts(targets: Iterable[str]) -> str:
    """Name hosts with their ports, each once, though several endpoints share one."""
    return name_first((one.partition("/")[2] or one for one in targets), most=MOST_HOSTS)


def _state(belief: Belief) -> str:
    return f"{belief.outcome}: {belief.reason}" if belief.reason else f"{belief.outcome}"


def _blamed(blame: Blame, sure: Confidence | None) -> str:
    return f"{blame}" + (f" ({sure})" if sure else "")
