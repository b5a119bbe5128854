"""What `alerts:` and `notify:` allow, and what was probably not meant.

Law of the file: nothing here is a mistake of the file. Each is one sentence: what, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

from egressd.config.alerts.words import REFERENCE, is_exposed
from egressd.fields.parse import config_duration
from egressd.model.notification import HttpTransport, Matcher, Notify, Receiver, ReceiverKind, TimeInterval
from egressd.model.settings import Settings

BEGINNINGS = 50
"""So many beginnings of a window are looked at to see whether it ever ends."""


def find_alert_pitfalls(settings: Settings) -> tuple[str, ...]:
    """Return what is allowed here and would surprise."""
    notify, rules = settings.notify, settings.alerting
    found = [
        *(text for one in notify.receivers for text in _exposed(one)),
        *_routes(notify),
        *_sources(settings),
        *(text for one in rules.maintenance for text in _endless(one)),
    ]
    return tuple(dict.fromkeys(found))


def _exposed(receiver: Receiver) -> Iterator[str]:
    """Find secrets that can be read on the way."""
    way = receiver.transport
    if not isinstance(way, HttpTransport):
        return
    where = f"receiver {receiver.name}"
    exposed = [url for url in way.urls if is_exposed(url)]
    if exposed and way.authorization is not None:
        yield f"{where}: its credentials go over plain http, where they can be read on the way; use https"
    if exposed and way.secret:
        yield f"{where}: its URL is a secret and plain http, so it can be read on the way; use https"


def _routes(notify: Notify) -> Iterator[str]:
    """Find routes that are never asked, alerts that nobody hears of, and receivers that hear nothing."""
    routes = notify.routes
    if not routes:
        return
    end = next((at for at, one in enumerate(routes) if one.match == Matcher() and not one.go_on), None)
    if end is None and not any(one.match == Matcher() for one in routes):
        yield "notify.routes: who hears of an alert that no route matches? End with a route without match"
    reached = routes if end is None else routes[: end + 1]
    for index in range(len(reached), len(routes)):
        yield (
            f"notify.routes[{index}]: is never reached, because routes[{end}] takes everything; "
            "move it up, or let that one continue"
        )
    told = {name for route in reached for name in route.receivers}
    for one in notify.receivers:
        if one.name not in told and one.kind is not ReceiverKind.HEARTBEAT:
            yield f"receiver {one.name}: no route leads to it, so it hears of nothing"


def _sources(settings: Settings) -> Iterator[str]:
    """Find patterns of sources that match none."""
    names = [one.name for one in settings.sources]
    places = [
        *((f"notify.routes[{at}]", one.match.sources) for at, one in enumerate(settings.notify.routes)),
        *((f"maintenance {one.name}", one.scope.sources) for one in settings.alerting.maintenance),
    ]
    for where, patterns in places:
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                yield f"{where}: no source matches {pattern}; there are {', '.join(names)}"


def _endless(window: TimeInterval) -> Iterator[str]:
    """Find windows that begin again before they end, always."""
    beginnings = CronSim(window.schedule, REFERENCE.astimezone(ZoneInfo(window.timezone)))
    gaps = [later - one for one, later in pairwise(islice(beginnings, BEGINNINGS))]
    if gaps and max(gaps) <= timedelta(seconds=window.seconds):
        yield (
            f"maintenance {window.name}: lasts {config_duration(window.seconds)} and begins again before "
            "that, so nothing is ever said of what it covers"
        )
