"""`egressd notify`: the receivers of notifications, and whether a test arrives there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from egressd import clock
from egressd.cli import options
from egressd.cli.guard import guarded
from egressd.cli.log import Form, Level, configure_logging, without_secrets
from egressd.cli.output import print_line
from egressd.cli.service.instance import with_host_names
from egressd.cli.settings import read_settings, settings_secrets
from egressd.config import Flags
from egressd.errors import ExitCode, UsageError
from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, NoticeKind, Resolution
from egressd.model.notification import Alerting, Feed, Matcher, Notify, Receiver, Route, Severity
from egressd.notify.result import DeliveryResult

NONE_YET = "no receivers are configured: add some under notify.receivers; docs/alerts.md has examples"

notify_app = typer.Typer(
    help="List and test the receivers of notifications.", rich_markup_mode=None, no_args_is_help=True
)


@notify_app.callback()
def notify_main() -> None:
    """List and test the receivers of notifications."""


@notify_app.command("list")
@guarded
def notify_list(config_file: options.ConfigFile = None) -> ExitCode:
    """List the receivers: type, address, and which alerts they get."""
    settings, _ = read_settings(config_file, Flags())
    notify = settings.notify
    if not notify.receivers:
        print_line(NONE_YET)
    rows = [(one.name, one.type, one.transport.place, routed_to(one, notify)) for one in notify.receivers]
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
    every: Annotated[bool, typer.Option("--all", help="Test all of them.")] = False,
    config_file: options.ConfigFile = None,
) -> ExitCode:
    """Send a test notification to receivers, past queues and routes; exit code 1 if one does not get it."""
    settings = with_host_names(read_settings(config_file, Flags())[0])
    wanted = _wanted(settings.notify, tuple(names or ()), every=every)
    configure_logging(Level.WARN, Form.HUMAN, secrets=settings_secrets(settings))
    results = asyncio.run(_test_all(wanted, settings.alerting))
    for one in results:
        print_line(without_secrets(one.line))
    return ExitCode.OK if all(one.ok for one in results) else ExitCode.FAILED


def _wanted(notify: Notify, names: tuple[str, ...], *, every: bool) -> tuple[Receiver, ...]:
    """Return the receivers to test. Raises UsageError."""
    if not notify.receivers:
        raise UsageError(NONE_YET)
    known = ", ".join(one.name for one in notify.receivers)
    if every == bool(names):
        raise UsageError(f"name the receivers to test, or give --all; there are {known}")
    for name in names:
        if notify.receiver(name) is None:
            raise UsageError(f"no receiver is called {name!r}; there are {known}")
    return tuple(one for one in notify.receivers if every or one.name in names)


class TestResult(Struct, frozen=True, kw_only=True):
    """How the test of a receiver went."""

    ok: bool
    line: str
    """What happened; where it failed, a second line says what to check."""


async def _test_all(receivers: Iterable[Receiver], rules: Alerting) -> tuple[TestResult, ...]:
    """Test receivers concurrently."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_test(one, rules)) for one in receivers]
    return tuple(one.result() for one in tasks)


async def _test(receiver: Receiver, rules: Alerting) -> TestResult:
    from egressd.notify.dispatch import deliver
    from egressd.notify.heartbeat import call_heartbeat

    notice = test_notice(receiver, rules)
    match receiver.feed:
        case Feed.ALERTS:
            return await _test_peers(receiver, notice.alert, rules)
        case Feed.SWEEPS:
            delivery, done = await call_heartbeat(receiver), "was called once, as after a completed sweep"
        case Feed.NOTICES:
            delivery, done = await deliver(receiver, (notice,), dropped=0, rules=rules), "took a test notice"
    return _result_of(receiver, delivery, done)


async def _test_peers(receiver: Receiver, alert: Alert, rules: Alerting) -> TestResult:
    """Open an alert at every peer and end it right after."""
    from egressd.notify.alertmanager.push import push_alerts
    from egressd.notify.transport.http import transport_of

    urls = transport_of(receiver).urls
    ended = replace(alert, state=AlertState.RESOLVED, resolution=Resolution.FIXED)
    bad: list[str] = []
    for url in urls:
        for one in (alert, ended):
            now = clock.now()
            closed = clock.timestamp(now) if one is ended else None
            delivery = await push_alerts(receiver, url, (replace(one, closed=closed),), now=now, rules=rules)
            if not delivery.ok:
                bad.append(delivery.why)
                break
    took = f"{len(urls) - len(bad)} of {len(urls)} peers took a test alert and its end"
    if not bad:
        return TestResult(ok=True, line=f"{receiver.name}: ok: {took}")
    return _failed(receiver, f"{took}; {'; '.join(bad)}")


def _result_of(receiver: Receiver, delivery: DeliveryResult, done: str) -> TestResult:
    if not delivery.ok:
        return _failed(receiver, delivery.why)
    remark = f"; {delivery.why}" if delivery.why else ""
    return TestResult(ok=True, line=f"{receiver.name}: ok: {receiver.transport.place} {done}{remark}")


def _failed(receiver: Receiver, why: str) -> TestResult:
    return TestResult(ok=False, line=f"{receiver.name}: failed: {why}\n  {receiver.transport.advice}")


def test_notice(receiver: Receiver, rules: Alerting) -> Notice:
    """Return a test notice; no rule and no real alert has its name or its id."""
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
        notified=condition,
        notified_at=now,
        notices=1,
    )
    return Notice(id=f"{condition.id}/{now}", at=now, kind=NoticeKind.TEST, alert=alert)


def routed_to(receiver: Receiver, notify: Notify) -> str:
    """Say which alerts a receiver gets."""
    if receiver.feed is Feed.SWEEPS:
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
        return "every alert that gets this far"
    fields = (
        ("severity", tuple(match.severity)),
        ("profile", match.profiles),
        ("source", match.sources),
        ("reason", match.reasons),
        ("alert", match.alerts),
    )
    return ", ".join(f"{name} {' or '.join(values)}" for name, values in fields if values)
