"""From the checked shape of `alerts:` and `notify:` to the values the other rooms know."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypedDict

from egressd.config.alerts.kinds import read_url_file
from egressd.config.alerts.receivers import (
    AlertmanagerPart,
    CloudEventsPart,
    DigestPart,
    EmailPart,
    HeartbeatPart,
    HttpPart,
    LoginPart,
    MatchPart,
    NotifyPart,
    QueuePart,
    ReceiverPart,
    RoutePart,
    SlackPart,
    SyslogPart,
    TeamsPart,
    WebhookPart,
)
from egressd.config.alerts.shape import AlertsPart, ScopePart, WindowPart
from egressd.config.alerts.words import FACILITIES, MAIL_PORTS, read_mail_server, read_syslog_address
from egressd.errors import ConfigError
from egressd.fields.files import read_secret
from egressd.model.notification import (
    Alerting,
    Flapping,
    HttpTransport,
    Matcher,
    Notify,
    Receiver,
    ReceiverKind,
    Route,
    Scope,
    SmtpTransport,
    SyslogTransport,
    TimeInterval,
)


def settle_alerts(part: AlertsPart) -> Alerting:
    """Turn `alerts:` into rules."""
    return Alerting(
        job=part.job,
        instance=part.instance or "",
        labels=tuple(sorted(part.labels.items())),
        runbooks=part.runbooks or "",
        explicit=part.patience.explicit,
        silent=part.patience.silent,
        better=part.patience.better,
        reminder=part.reminder,
        flapping=Flapping(
            high=part.flapping.high,
            low=part.flapping.low,
            times=part.flapping.times,
            within=part.flapping.within,
            hold=part.flapping.hold,
        ),
        maintenance=tuple(_window(one) for one in part.maintenance),
    )


def _window(part: WindowPart) -> TimeInterval:
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


def settle_notify(part: NotifyPart) -> Notify:
    """Turn `notify:` into receivers and routes; the secrets are read now.

    Raises:
        ConfigError: a secret can't be read any more.
    """
    return Notify(
        receivers=tuple(_receiver(one) for one in part.receivers),
        routes=tuple(_route(one) for one in part.routes),
    )


def _receiver(part: ReceiverPart) -> Receiver:
    try:
        way = _way(part)
    except ValueError as error:  # it could be read a moment ago
        raise ConfigError((f"notify.receivers: {part.name}: {error}",)) from None
    kind = ReceiverKind(part.type)  # type: ignore[attr-defined]  # every part of the union has one
    return Receiver(name=part.name, kind=kind, transport=way, **_extras(part))


class _Extras(TypedDict, total=False):
    timeout: float
    queue: int
    send_resolved: bool
    digest: int
    wait: float


def _extras(part: ReceiverPart) -> _Extras:
    """Take what this type of receiver has. A program is told at once: what waits is for people."""
    extras: _Extras = {"wait": 0.0}
    if isinstance(part, HttpPart | EmailPart | SyslogPart):
        extras["timeout"] = part.timeout
    if isinstance(part, QueuePart):
        extras["queue"], extras["send_resolved"] = part.queue, part.send_resolved
    if isinstance(part, DigestPart):
        extras["digest"], extras["wait"] = part.digest, part.wait
    return extras


def _way(part: ReceiverPart) -> HttpTransport | SmtpTransport | SyslogTransport | None:
    match part:
        case AlertmanagerPart():
            return _http(part)(urls=tuple(dict.fromkeys(part.urls)))
        case WebhookPart() | CloudEventsPart() | HeartbeatPart() | SlackPart() | TeamsPart():
            if part.url_file is not None:
                return _http(part)(urls=(read_url_file(Path(part.url_file)),), secret=True)
            return _http(part)(urls=(part.url or "",))
        case EmailPart():
            return _mail(part)
        case SyslogPart():
            transport, address, port = read_syslog_address(part.address)
            return SyslogTransport(
                protocol=transport, address=address, port=port, facility=FACILITIES[part.facility]
            )
        case _:
            return None


def _http(part: HttpPart) -> Callable[..., HttpTransport]:
    """Prepare all but the URLs."""
    login = part if isinstance(part, LoginPart) else None
    proxy = part.proxy
    return partial(
        HttpTransport,
        authorization=_authorization(login) if login else None,
        proxy=proxy.url if proxy else None,
        proxy_authorization=_basic(proxy.username, proxy.password_file) if proxy else None,
        ca_file=part.ca_file,
    )


def _authorization(part: LoginPart) -> str | None:
    if part.bearer_token_file is not None:
        return f"Bearer {read_secret(Path(part.bearer_token_file))}"
    return _basic(part.username, part.password_file)


def _basic(username: str | None, password_file: str | None) -> str | None:
    if username is None or password_file is None:
        return None
    pair = f"{username}:{read_secret(Path(password_file))}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"


def _mail(part: EmailPart) -> SmtpTransport:
    server, port = read_mail_server(part.server)
    return SmtpTransport(
        server=server,
        port=port or MAIL_PORTS[part.security],
        security=part.security,
        sender=part.sender,
        recipients=tuple(dict.fromkeys(part.to)),
        username=part.username,
        password=read_secret(Path(part.password_file)) if part.password_file is not None else None,
        ca_file=part.ca_file,
    )


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
