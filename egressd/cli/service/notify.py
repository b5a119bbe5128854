"""`egressd notify`: who is told, and whether a notice arrives there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, assert_never
from urllib.parse import urlsplit

import typer

from egressd import clock
from egressd.cli import options
from egressd.cli.guard import guarded
from egressd.cli.log import HIDDEN, Form, Level, configure_logging
from egressd.cli.output import print_line
from egressd.cli.service.instance import with_instance
from egressd.cli.settings import read, settings_secrets
from egressd.config import Flags
from egressd.errors import ExitCode, UsageError
from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, NoticeKind, Resolution
from egressd.model.notification import (
    Alerting,
    HttpTransport,
    Matcher,
    Notify,
    Receiver,
    ReceiverKind,
    Route,
    Severity,
    SmtpTransport,
    SyslogTransport,
)
from egressd.model.settings import Settings
from egressd.notify.result import DeliveryResult

NONE_YET = "no receivers are configured: add some under notify.receivers; docs/alerts.md has examples"

notify_app = typer.Typer(help="Try who is told of alerts.", rich_markup_mode=None, no_args_is_help=True)


@notify_app.callback()
def notify_main() -> None:
    """Try who is told of alerts."""


@notify_app.command("list")
@guarded
def notify_list(config_file: options.ConfigFile = None) -> ExitCode:
    """List the receivers: what they are, where, and what they hear of."""
    settings, _ = read(config_file, Flags())
    notify = settings.notify
    if not notify.receivers:
        print_line(NONE_YET)
    rows = [(one.name, one.kind.value, place_of(one), hears(one, notify)) for one in notify.receivers]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        print_line(
            "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]))
        )
    return ExitCode.OK


@notify_app.command("test")
@guarded
def notify_test(
    *,
    names: Annotated[list[str] | None, typer.Argument(metavar="RECEIVER", help="Names of receivers.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Try all of them.")] = False,
    config_file: options.ConfigFile = None,
) -> ExitCode:
    """Send a test to receivers, past queues and routes; exit code 1 if one does not get it."""
    settings = with_instance(read(config_file, Flags())[0])
    wanted = _wanted(settings.notify, tuple(names or ()), every=every)
    configure_logging(Level.WARN, Form.HUMAN, secrets=settings_secrets(settings))
    tries = asyncio.run(_try_all(wanted, settings.alerting))
    for one in tries:
        print_line(_without_secrets(one.line, settings))
    return ExitCode.OK if all(one.ok for one in tries) else ExitCode.FAILED


def _wanted(notify: Notify, names: tuple[str, ...], *, every: bool) -> tuple[Receiver, ...]:
    """Return the receivers to try. Raises UsageError."""
    if not notify.receivers:
        raise UsageError(NONE_YET)
    known = ", ".join(one.name for one in notify.receivers)
    if every == bool(names):
        raise UsageError(f"name the receivers to test, or give --all; there are {known}")
    for name in names:
        if notify.receiver(name) is None:
            raise UsageError(f"no receiver is called {name!r}; there are {known}")
    return tuple(one for one in notify.receivers if every or one.name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """How a test went."""

    ok: bool
    line: str
    """What happened; where it failed, a second line says what to look at."""


async def _try_all(receivers: Iterable[Receiver], rules: Alerting) -> tuple[Try, ...]:
    """Try receivers at once; one that is slow delays the report, and no other."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_try(one, rules)) for one in receivers]
    return tuple(one.result() for one in tasks)


async def _try(receiver: Receiver, rules: Alerting) -> Try:
    from egressd.notify.dispatch import beat, deliver

    notice = notice_for(receiver, rules)
    match receiver.kind:
        case ReceiverKind.ALERTMANAGER:
            return await _try_peers(receiver, notice.alert, rules)
        case ReceiverKind.HEARTBEAT:
            delivery, done = await beat(receiver), "was called once, as after a completed sweep"
        case _:
            delivery, done = await deliver(receiver, (notice,), dropped=0, rules=rules), "took a test notice"
    return _try_of(receiver, delivery, done)


async def _try_peers(receiver: Receiver, alert: Alert, rules: Alerting) -> Try:
    """Open an alert at every peer and end it right after; a peer that fails keeps no other from its turn."""
    from egressd.notify.alertmanager.push import push_alerts

    urls = receiver.transport.urls if isinstance(receiver.transport, HttpTransport) else ()
    over = replace(alert, state=AlertState.RESOLVED, resolution=Resolution.FIXED)
    bad: list[str] = []
    for url in urls:
        for one in (alert, over):
            now = clock.now()
            closed = clock.timestamp(now) if one is over else None
            delivery = await push_alerts(receiver, url, (replace(one, closed=closed),), now=now, rules=rules)
            if not delivery.ok:
                bad.append(delivery.why)
                break
    took = f"{len(urls) - len(bad)} of {len(urls)} peers took a test alert and its end"
    if not bad:
        return Try(ok=True, line=f"{receiver.name}: ok: {took}")
    return Try(ok=False, line=f"{receiver.name}: failed: {took}; {'; '.join(bad)}\n  {advice(receiver)}")


def _try_of(receiver: Receiver, delivery: DeliveryResult, done: str) -> Try:
    if not delivery.ok:
        return Try(ok=False, line=f"{receiver.name}: failed: {delivery.why}\n  {advice(receiver)}")
    but = f"; {delivery.why}" if delivery.why else ""
    return Try(ok=True, line=f"{receiver.name}: ok: {place_of(receiver)} {done}{but}")


def notice_for(receiver: Receiver, rules: Alerting) -> Notice:
    """Write the test notice of a receiver; no rule and no real alert has its name or its id."""
    now = clock.timestamp()
    condition = Condition(
        id=f"{AlertName.TEST}/{receiver.name}",
        alertname=AlertName.TEST,
        severity=Severity.INFO,
        labels=(("receiver", receiver.name),),
        summary=f"A test of receiver {receiver.name} by egressd on {rules.instance}: nothing is wrong",
        since=now,
        advice="Nothing: this only shows that notices arrive.",
    )
    alert = Alert(
        condition=condition,
        state=AlertState.FIRING,
        started=now,
        opened=now,
        told=condition,
        told_at=now,
        notices=1,
    )
    return Notice(id=f"{condition.id}/{now}", at=now, kind=NoticeKind.TEST, alert=alert)


def place_of(receiver: Receiver) -> str:
    """Say where a receiver is, without what is secret."""
    match receiver.transport:
        case HttpTransport() as transport:
            return ", ".join(_origin(url) for url in transport.urls) + (
                f" by proxy {transport.proxy}" if transport.proxy else ""
            )
        case SmtpTransport() as transport:
            return f"{', '.join(transport.recipients)} by {transport.server}:{transport.port}"
        case SyslogTransport() as transport:
            place = (
                transport.address if transport.protocol == "unix" else f"{transport.address}:{transport.port}"
            )
            return f"{transport.protocol}:{place}"
        case None:
            return "the journal of this host"
        case _:
            assert_never(receiver.transport)


def _origin(url: str) -> str:
    """Return scheme, host and port; what comes after may be a secret wherever it was read from."""
    found = urlsplit(url)
    more = "/..." if found.path.strip("/") or found.query else ""
    return f"{found.scheme}://{found.netloc}{more}"


def hears(receiver: Receiver, notify: Notify) -> str:
    """Say what a receiver is told."""
    if receiver.kind is ReceiverKind.HEARTBEAT:
        return "every completed sweep"
    if not notify.routes:
        return "every alert"
    numbers = [number for number, one in enumerate(notify.routes) if receiver.name in one.receivers]
    if not numbers:
        return "nothing: no route leads to it"
    return "; ".join(f"routes[{number}]: {_described(notify.routes[number])}" for number in numbers)


def _described(route: Route) -> str:
    match = route.match
    if match == Matcher():
        return "every alert that comes so far"
    fields = (
        ("severity", tuple(match.severity)),
        ("profile", match.profiles),
        ("source", match.sources),
        ("reason", match.reasons),
        ("alert", match.alerts),
    )
    return ", ".join(f"{name} {' or '.join(values)}" for name, values in fields if values)


def advice(receiver: Receiver) -> str:
    """Say what to look at when a receiver does not get its test."""
    match receiver.transport:
        case HttpTransport() as transport:
            through = (
                f"that {transport.proxy} lets it through"
                if transport.proxy
                else "that this host may go there directly"
            )
            secret = "the URL in url_file" if transport.secret else "the URL"
            login = ", the credentials" if transport.authorization else ""
            return f"check {secret}{login}, and {through} (proxy:, ca_file:)"
        case SmtpTransport():
            return "check server, security, the credentials, and that the server relays for this host"
        case SyslogTransport(protocol="unix"):
            return "check that a syslog daemon listens there"
        case SyslogTransport():
            return "check the address, and that a syslog server listens there"
        case None:
            return "check that systemd-journald runs, and that /run/systemd/journal/socket can be reached"
        case _:
            assert_never(receiver.transport)


def _without_secrets(text: str, settings: Settings) -> str:
    """Keep to the promise, whatever a library or a server has said."""
    for secret in settings_secrets(settings):
        text = text.replace(secret, HIDDEN)
    return text
