"""Warnings about `alerts:` and `notify:`: what is valid and probably not meant, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

from egressd.config.alerts.parse import REFERENCE
from egressd.fields.parse import config_duration
from egressd.model.notification import Feed, Matcher, Notify, TimeInterval
from egressd.model.settings import Settings

OCCURRENCES = 50
"""How many occurrences of a time interval are compared to see whether it ever ends."""


def alert_warnings(settings: Settings) -> tuple[str, ...]:
    """Return a sentence for each."""
    notify, rules = settings.notify, settings.alerting
    found = [
        *(f"receiver {one.name}: {text}" for one in notify.receivers for text in one.transport.warnings),
        *_routes(notify),
        *_sources(settings),
        *(text for one in rules.maintenance for text in _endless(one)),
    ]
    return tuple(dict.fromkeys(found))


def _routes(notify: Notify) -> Iterator[str]:
    """Find routes that are never reached, alerts without a route, and receivers without one."""
    routes = notify.routes
    if not routes:
        return
    end = next((at for at, one in enumerate(routes) if one.match == Matcher() and not one.go_on), None)
    if end is None and not any(one.match == Matcher() for one in routes):
        yield "notify.routes: an alert that no route matches is sent nowhere; end with a route without match"
    reached = routes if end is None else routes[: end + 1]
    for index in range(len(reached), len(routes)):
        yield (
            f"notify.routes[{index}]: is never reached, because routes[{end}] takes everything; "
            "move it up, or let that one continue"
        )
    routed = {name for route in reached for name in route.receivers}
    for one in notify.receivers:
        if one.name not in routed and one.feed is not Feed.SWEEPS:
            yield f"receiver {one.name}: no route leads to it, so it gets no notifications"


def _sources(settings: Settings) -> Iterator[str]:
    """Find source patterns that match no source."""
    names = [one.name for one in settings.sources]
    places = [
        *((f"notify.routes[{at}]", one.match.sources) for at, one in enumerate(settings.notify.routes)),
        *((f"maintenance {one.name}", one.scope.sources) for one in settings.alerting.maintenance),
    ]
    for where, patterns in places:
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                yield f"{where}: no source matches {pattern}; there are {', '.join(names)}"


def _endless(interval: TimeInterval) -> Iterator[str]:
    """Find time intervals that always begin again before they end."""
    occurrences = CronSim(interval.schedule, REFERENCE.astimezone(ZoneInfo(interval.timezone)))
    gaps = [later - one for one, later in pairwise(islice(occurrences, OCCURRENCES))]
    if gaps and max(gaps) <= timedelta(seconds=interval.seconds):
        yield (
            f"maintenance {interval.name}: lasts {config_duration(interval.seconds)} and begins again before "
            "that, so what it covers is silenced for ever"
        )
