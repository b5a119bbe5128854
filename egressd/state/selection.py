"""Which events of the history are wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from msgspec import Struct

from egressd.model.event import (
    ConfigReloaded,
    DaemonStarted,
    Event,
    EventKind,
    FindingClosed,
    FindingOpened,
    NoticePosted,
    TargetChanged,
    TargetRemoved,
)


class Selection(Struct, frozen=True, kw_only=True):
    """Which events are wanted: every field that is not empty must match. Patterns may hold `*`."""

    target: str | None = None
    """A pattern of ids, endpoints and hosts."""
    reasons: tuple[str, ...] = ()
    """Patterns of the reason before or after a change; events without one are not wanted then."""
    sources: tuple[str, ...] = ()
    """Patterns; what names no source is wanted where it concerns a target that changed from one of them."""
    kinds: tuple[EventKind, ...] = ()
    sites: tuple[str, ...] = ()
    """Patterns of the site that the host had when it happened."""

    def wants_site(self, site: str) -> bool:
        """Whether what happened at a site is wanted; empty: it is not known where."""
        return not self.sites or _matches_any(site, self.sites)

    def select(
        self,
        events: Iterable[Event],
        *,
        causes: Collection[str] = (),
        changed: Collection[tuple[str, str]] = (),
    ) -> Iterator[Event]:
        """Yield the wanted events; `FindingClosed`, which names no targets, when its opening was wanted.

        `causes` are the ids of findings that are open; `changed` the targets with their sources on record.
        """
        opened = set(causes)
        near = {target for target, source in changed if _matches_any(source, self.sources)}
        for one in events:
            if not self._is_wanted(one, near):
                continue
            if isinstance(one, FindingOpened):
                opened.add(one.finding)
            whole = self.target is None and not self.sources
            if whole or not isinstance(one, FindingClosed) or one.finding in opened:
                yield one

    def wants_source(self, source: str) -> bool:
        """Whether a source is among those that are wanted."""
        return not self.sources or _matches_any(source, self.sources)

    def _is_wanted(self, one: Event, near: Collection[str]) -> bool:
        return (
            (not self.kinds or _kind(one) in self.kinds)
            and (self.target is None or event_matches(one, self.target))
            and (not self.reasons or any(_matches_any(reason, self.reasons) for reason in _reasons(one)))
            and (not self.sources or _concerns(one, self.sources, near))
        )


class SitesInOrder:
    """The sites that a host had, as the events of starts and reloads tell them one after the other.

    `earlier` are the last of them before the period; events of older versions name none.
    """

    def __init__(self, earlier: Iterable[Event] = ()) -> None:
        self.current = ""
        self.seen: tuple[str, ...] = ()
        for one in earlier:
            self._note(one)

    def follow(self, events: Iterable[Event], wanted: Selection) -> Iterator[Event]:
        """Yield the events, the oldest first, that happened at a wanted site."""
        for one in events:
            self._note(one)
            if wanted.wants_site(self.current):
                yield one

    def _note(self, one: Event) -> None:
        if isinstance(one, DaemonStarted | ConfigReloaded) and one.site and one.site != self.current:
            self.current = one.site
            self.seen = (*self.seen, one.site)


def event_matches(one: Event, pattern: str) -> bool:
    """Whether an event is about no target, or about one whose id, endpoint or host matches."""
    match one:
        case TargetChanged() | TargetRemoved():
            return target_matches(one.target, pattern)
        case FindingOpened() | NoticePosted():
            return not one.targets or any(target_matches(target, pattern) for target in one.targets)
        case _:
            return True


def target_matches(target: str, pattern: str) -> bool:
    """Whether the id, endpoint or host of a target matches a pattern."""
    endpoint, _, place = target.partition("/")
    host = place.rpartition(":")[0]
    wanted = pattern.lower()
    return any(fnmatchcase(one.lower(), wanted) for one in (target, endpoint, place, host))


def _kind(one: Event) -> EventKind:
    match one:
        case TargetChanged() | TargetRemoved():
            return EventKind.TARGET
        case FindingOpened() | FindingClosed():
            return EventKind.CAUSE
        case NoticePosted():
            return EventKind.ALERT
        case _:
            return EventKind.EGRESSD


def _reasons(one: Event) -> Iterator[str]:
    match one:
        case TargetChanged():
            yield from (belief.reason for belief in (one.before, one.after) if belief and belief.reason)
        case TargetRemoved():
            yield from (one.before.reason,) if one.before.reason else ()
        case FindingOpened() | FindingClosed() | NoticePosted():
            yield from (one.reason,) if one.reason else ()
        case _:
            return


def _concerns(one: Event, sources: tuple[str, ...], near: Collection[str]) -> bool:
    match one:
        case TargetChanged() | TargetRemoved():
            return _matches_any(one.source, sources)
        case FindingOpened() | NoticePosted():
            return not one.targets or any(target in near for target in one.targets)
        case _:
            return True


def _matches_any(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
