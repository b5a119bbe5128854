"""Which receivers get a notice: the first matching route decides, unless it says `go_on`."""

from __future__ import annotations

from egressd.alerting.pattern import matches_any
from egressd.model.alert import Condition, Notice, NoticeKind
from egressd.model.notification import Feed, Matcher, Notify


def receivers_for(notice: Notice, notify: Notify) -> tuple[str, ...]:
    """Return the names of the receivers of a notice, in the order of the configuration."""
    return audience_of(notice.alert.condition, notify, closed=notice.kind is NoticeKind.CLOSED)


def audience_of(condition: Condition, notify: Notify, *, closed: bool) -> tuple[str, ...]:
    """Return the names of the receivers that are notified of a condition, or that it is resolved."""
    wanted = routed(condition, notify)
    return tuple(
        one.name for one in notify.receivers if one.name in wanted and (one.send_resolved or not closed)
    )


def routed(condition: Condition, notify: Notify) -> frozenset[str]:
    """Return the names of the receivers that the routes choose; without routes, all of them."""
    receivers = frozenset(one.name for one in notify.receivers if one.feed is not Feed.SWEEPS)
    if not notify.routes:
        return receivers
    names: set[str] = set()
    for route in notify.routes:
        if alert_matches(route.match, condition):
            names.update(route.receivers)
            if not route.go_on:
                break
    return receivers & names


def alert_matches(matcher: Matcher, condition: Condition) -> bool:
    """Whether every field of a matcher that is not empty matches a condition."""
    return (
        (not matcher.severity or condition.severity in matcher.severity)
        and matches_any(matcher.profiles, condition.profiles)
        and matches_any(matcher.sources, condition.sources)
        and matches_any(matcher.reasons, (condition.reason or "",))
        and matches_any(matcher.alerts, (condition.alertname,))
    )
