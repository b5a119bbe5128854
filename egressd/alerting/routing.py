"""Where a notice goes: the first route that matches decides, unless it says to go on."""

from __future__ import annotations

from egressd.alerting.pattern import matches_any
from egressd.model.alert import Condition, Notice, NoticeKind
from egressd.model.notification import Feed, Matcher, Notify


def receivers_for(notice: Notice, notify: Notify) -> tuple[str, ...]:
    """Return the names of the receivers of a notice, in the order of the configuration."""
    return audience_of(notice.alert.condition, notify, closed=notice.kind is NoticeKind.CLOSED)


def audience_of(condition: Condition, notify: Notify, *, closed: bool) -> tuple[str, ...]:
    """Return the names of the receivers that hear of a condition, or that it is over."""
    wanted = routed(condition, notify)
    return tuple(
        one.name for one in notify.receivers if one.name in wanted and (one.send_resolved or not closed)
    )


def routed(condition: Condition, notify: Notify) -> frozenset[str]:
    """Return the names of the receivers that hear of a condition."""
    fed = {one.name for one in notify.receivers if one.feed is not Feed.SWEEPS}
    if not notify.routes:
        return frozenset(fed)
    names: set[str] = set()
    for route in notify.routes:
        if alert_matches(route.match, condition):
            names.update(route.receivers)
            if not route.go_on:
                break
    return frozenset(names & fed)


def alert_matches(match: Matcher, condition: Condition) -> bool:
    """Say whether a condition is meant: every field that is not empty must match one of its own."""
    return (
        (not match.severity or condition.severity in match.severity)
        and matches_any(match.profiles, condition.profiles)
        and matches_any(match.sources, condition.sources)
        and matches_any(match.reasons, (condition.reason or "",))
        and matches_any(match.alerts, (condition.alertname,))
    )
