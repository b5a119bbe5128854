"""From the schema of `alerts:` and `notify:` to the model."""

from __future__ import annotations

from egressd.config.alerts.schema import (
    AlertsPart,
    MatchPart,
    NotifyPart,
    RoutePart,
    ScopePart,
    TimeIntervalPart,
)
from egressd.errors import ConfigError
from egressd.model.notification import (
    Alerting,
    Flapping,
    Matcher,
    Notify,
    Receiver,
    Route,
    Scope,
    TimeInterval,
)
from egressd.notify.schema import ReceiverSettings
from egressd.yamlschema import build


def convert_alerts(part: AlertsPart) -> Alerting:
    """Return when something is an alert."""
    return Alerting(
        job=part.job,
        instance=part.instance or "",
        labels=tuple(sorted(part.labels.items())),
        runbooks=part.runbooks or "",
        **vars(part.patience),
        reminder=part.reminder,
        flapping=build(Flapping, part.flapping),
        maintenance=tuple(_time_interval(one) for one in part.maintenance),
    )


def _time_interval(part: TimeIntervalPart) -> TimeInterval:
    return TimeInterval(
        name=part.name,
        schedule=part.schedule,
        seconds=part.duration,
        timezone=part.timezone,
        reason=part.reason or "",
        scope=_scope(part.match),
    )


def _scope(part: ScopePart) -> Scope:
    return Scope(targets=tuple(part.target), profiles=tuple(part.profile), sources=tuple(part.source))


def convert_notify(part: NotifyPart, *, host: bool = True) -> Notify:
    """Return receivers and routes; secrets are read now, as far as they are there if not on their `host`.

    Raises:
        ConfigError: a secret can't be read any more.
    """
    return Notify(
        receivers=tuple(_receiver(one, host=host) for one in part.receivers),
        routes=tuple(_route(one) for one in part.routes),
    )


def _receiver(part: ReceiverSettings, *, host: bool) -> Receiver:
    try:
        return part.receiver()
    except ValueError as error:  # it could be read a moment ago
        if not host:
            return part.receiver(unread=True)
        raise ConfigError((f"notify.receivers: {part.name}: {error}",)) from None


def _route(part: RoutePart) -> Route:
    return Route(receivers=tuple(dict.fromkeys(part.receivers)), match=_match(part.match), go_on=part.go_on)


def _match(part: MatchPart) -> Matcher:
    return Matcher(
        severity=tuple(dict.fromkeys(part.severity)),
        profiles=tuple(part.profile),
        sources=tuple(part.source),
        reasons=tuple(part.reason),
        alerts=tuple(part.alert),
    )
