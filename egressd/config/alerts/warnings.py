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
from egressd.model.notification import Feed, Notify, TimeInterval
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
    reached = notify.reached_routes
    if not any(one.takes_all for one in reached):
        yield "notify.routes: an alert that no route matches is sent nowhere; end with a route without match"
    elif notify.alertmanagers and not _all_to_alertmanager(notify):
        names = ", ".join(one.name for one in notify.alertmanagers)
        yield (
            f"notify.routes: some alerts are not sent to {names}, and the Prometheus rules leave them to "
            f"egressd; begin with a route without match to {names} that continues"
        )
    for index in range(len(reached), len(routes)):
        yield (
            f"notify.routes[{index}]: is never reached, because routes[{len(reached) - 1}] takes everything; "
            "move it up, or let that one continue"
        )
    routed = {name for route in reached for name in route.receivers}
    for one in notify.receivers:
        if one.name not in routed and one.feed is not Feed.SWEEPS:
            yield f"receiver {one.name}: no route leads to it, so it gets no notifications"


def _all_to_alertmanager(notify: Notify) -> bool:
    """Say whether no alert can end before a route that takes all of them to an Alertmanager."""
    names = {one.name for one in notify.alertmanagers}
    for one in notify.reached_routes:
        takes = not names.isdisjoint(one.receivers)
        if one.takes_all and takes:
            return True
        if not one.go_on and not takes:
            return False
    return False


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
