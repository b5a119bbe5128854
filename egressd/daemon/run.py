"""The root: one TaskGroup with named children, and the one place where they end."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from egressd import __version__, clock
from egressd.daemon.alarm.desk import Desk
from egressd.daemon.alarm.ticker import Ticker
from egressd.daemon.control import Control
from egressd.daemon.notify import Notifier
from egressd.daemon.reload import Prepare, Read, Reloader
from egressd.daemon.snapshot import Board
from egressd.daemon.sweeping.ledger import Ledger
from egressd.daemon.sweeping.sweeper import Sweeper
from egressd.daemon.tell import status_line, tell
from egressd.errors import AbsentListenError, AbsentSourceError, EgressdError
from egressd.model.event import DaemonStarted, DaemonStopped
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.notify.courier import Bell, Courier, Ways
from egressd.notify.send import beat, deliver, push_alerts
from egressd.state import StateKeeper

T = TypeVar("T")
log = structlog.get_logger(__name__)

Serve = Callable[[Board, Settings, Control], Awaitable[None]]
"""Binds the port, sets `control.listening`, and serves until cancelled. Raises EgressdError."""

WAYS = Ways(deliver=deliver, push=push_alerts, beat=beat)
LAST_TRIES = 3.0
"""Seconds the couriers may take at the end; what they could not deliver is kept."""
LOOK_AFTER = 5.0
"""Seconds between two looks of the supervisor, at most."""
SETTLED = 180.0
"""Seconds after it was booted by which a host has all of its addresses."""
PAUSE = 1.0
MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """What it takes to run one."""

    settings: Settings
    read: Read
    prepare: Prepare
    serve: Serve
    notifier: Notifier
    state: Path | None
    """The directory to keep state in; None: nothing is kept."""
    limits: Mapping[str, float]
    """Seconds a profile may be offline, by profile."""
    ways: Ways = WAYS
    """How receivers are reached."""


async def run(daemon: Daemon) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        EgressdError: the settings can't be used, the port can't be bound, the state is another's.
    """
    control = Control()
    keeper = StateKeeper(daemon.state)
    remembered, state = await keeper.open()
    prepare = partial(asyncio.to_thread, daemon.prepare, daemon.settings, remembered.discoveries)
    prober = await patiently(prepare, daemon.notifier)
    now = clock.timestamp()
    board = Board(
        Snapshot(
            settings=daemon.settings,
            config=ConfigStatus(digest=daemon.settings.digest, since=now),
            started=now,
            plan=prober.plan,
            standings=remembered.standings,
            counters=Counters(profiles=dict(remembered.profiles)),
            state=state,
            alerts=remembered.alerts,
            outbox=remembered.outbox,
        )
    )
    ledger = Ledger(board=board, keeper=keeper, tell=tell, limits=daemon.limits)
    ledger.adopt(board.current)
    sweeper = Sweeper(board=board, ledger=ledger, prober=prober)
    try:
        with _signals(control):
            await _children(daemon, board=board, control=control, sweeper=sweeper)
        await sweeper.ledger.record((DaemonStopped(at=clock.timestamp()),), sweeper.prober.discoveries)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        await keeper.close(board.current, sweeper.prober.discoveries)


async def _children(daemon: Daemon, *, board: Board, control: Control, sweeper: Sweeper) -> None:
    """Start the children in order, and end them all once the end is asked for."""
    notifier = daemon.notifier
    reloader = Reloader(
        board=board,
        control=control,
        sweeper=sweeper,
        notifier=notifier,
        read=daemon.read,
        prepare=daemon.prepare,
    )
    ticker = Ticker(ledger=sweeper.ledger, directory=daemon.state)
    desk = Desk(board=board, ledger=sweeper.ledger)
    async with asyncio.TaskGroup() as group:
        children = [group.create_task(_serve(daemon, board, control), name="server")]
        couriers: list[asyncio.Task[None]] = []
        await _either(control.listening, control.stopping)
        if control.listening.is_set() and not control.stopping.is_set():
            await ticker.look()
            started = DaemonStarted(
                at=clock.timestamp(), egressd=__version__, config_digest=daemon.settings.digest
            )
            await sweeper.ledger.record((started,), sweeper.prober.discoveries)
            notifier.ready(status_line(board.current, stalled=False))
            courier = Courier(office=desk, ways=daemon.ways)
            couriers.append(group.create_task(courier.run(), name="courier"))
            children += [
                group.create_task(sweeper.run(), name="sweeper"),
                group.create_task(reloader.run(), name="reloader"),
                group.create_task(ticker.run(), name="ticker"),
                group.create_task(supervise(board, notifier), name="supervisor"),
            ]
            await control.stopping.wait()
        notifier.stopping()
        for child in children:
            child.cancel()
        await _send_home(couriers, desk.bell)


async def _send_home(couriers: list[asyncio.Task[None]], bell: Bell) -> None:
    """Let the couriers try what is due, for some seconds; the queue keeps the rest."""
    bell.close()
    if couriers:
        _, late = await asyncio.wait(couriers, timeout=LAST_TRIES)
        for one in late:
            one.cancel()


async def supervise(board: Board, notifier: Notifier) -> None:
    """Feed systemd's watchdog as long as the sweeper keeps its word, and keep the status line true."""
    every = min(LOOK_AFTER, notifier.watchdog / 2) if notifier.watchdog else LOOK_AFTER
    while True:
        stalled = board.pulse.stalled
        if notifier.watchdog and not stalled:
            notifier.alive()
        notifier.status(status_line(board.current, stalled=stalled))
        await asyncio.sleep(every)


async def _serve(daemon: Daemon, board: Board, control: Control) -> None:
    await patiently(partial(daemon.serve, board, daemon.settings, control), daemon.notifier)


async def patiently(attempt: Callable[[], Awaitable[T]], notifier: Notifier) -> T:
    """Try again what fails for want of an address, as long as the host has only just been booted.

    A service that starts with the host comes before some of its addresses, and is not started again for
    what looks like a bad configuration.
    """
    said = False
    while True:
        try:
            return await attempt()
        except (AbsentSourceError, AbsentListenError) as absent:
            if not notifier.address or clock.monotonic() > SETTLED:
                raise
            if not said:
                log.warning("waiting for an address: this host was just booted", why=str(absent))
            said = True
            notifier.waiting(LOOK_AFTER, f"waiting for an address: {absent}")
        await asyncio.sleep(PAUSE)


async def _either(*events: asyncio.Event) -> None:
    """Wait for the first of several events."""
    done = asyncio.Event()

    async def watch(one: asyncio.Event) -> None:
        await one.wait()
        done.set()

    async with asyncio.TaskGroup() as group:
        watchers = [group.create_task(watch(one)) for one in events]
        await done.wait()
        for one in watchers:
            one.cancel()


@contextmanager
def _signals(control: Control) -> Iterator[None]:
    """Turn signals into intents while the daemon runs."""
    loop = asyncio.get_running_loop()
    wishes = {
        signal.SIGTERM: control.stop,
        signal.SIGINT: control.stop,
        signal.SIGHUP: control.ask_reload,
    }
    for number, wish in wishes.items():
        loop.add_signal_handler(number, wish)
    try:
        yield
    finally:
        for number in wishes:
            loop.remove_signal_handler(number)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what to tell: a user's mistake before a bug."""
    mistakes, bugs = group.split(EgressdError)
    found: BaseException = mistakes or bugs or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def host_identity() -> str:
    """Return what tells this host from others; it is only ever hashed."""
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip() or platform.node()
    except (OSError, UnicodeError):
        return platform.node()


def state_directory(settings: Settings) -> Path | None:
    """Return where state is kept: as configured, else where systemd says, else nowhere."""
    named = settings.state.directory or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(named) if named else None
