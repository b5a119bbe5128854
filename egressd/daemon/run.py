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
from egressd.daemon.delivery_store import DaemonDeliveryStore
from egressd.daemon.event_log import log_event, status_line
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.daemon.reload import Prepare, Read, Reloader
from egressd.daemon.scheduler import Scheduler
from egressd.daemon.sdnotify import SdNotifier
from egressd.daemon.state_store import StateStore
from egressd.errors import AbsentListenError, AbsentSourceError, EgressdError
from egressd.model.event import DaemonStarted, DaemonStopped
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.dispatch import deliver
from egressd.notify.interface import Senders
from egressd.notify.supervisor import DeliverySupervisor
from egressd.notify.transport.http import send_get
from egressd.notify.wakeup import Wakeup
from egressd.state import Persistence
from egressd.state.silences import SilencesFile

T = TypeVar("T")
log = structlog.get_logger(__name__)

Serve = Callable[[SnapshotHolder, Settings, Intents], Awaitable[None]]
"""Binds the port, sets `intents.listening`, and serves until cancelled. Raises EgressdError."""

SENDERS = Senders(deliver=deliver, push=push_alerts, beat=send_get)
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
    notifier: SdNotifier
    state: Path | None
    """The directory to keep state in; None: nothing is kept."""
    limits: Mapping[str, float]
    """Seconds a profile may be offline, by profile."""
    senders: Senders = SENDERS
    """How receivers are reached."""


async def run(daemon: Daemon) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        EgressdError: the settings can't be used, the port can't be bound, the state is another's.
    """
    intents = Intents()
    keeper = Persistence(daemon.state)
    saved_state, state = await keeper.open()
    prepare = partial(asyncio.to_thread, daemon.prepare, daemon.settings, saved_state.discoveries)
    session = await patiently(prepare, daemon.notifier)
    now = clock.timestamp()
    holder = SnapshotHolder(
        Snapshot(
            settings=daemon.settings,
            config=ConfigStatus(digest=daemon.settings.digest, since=now),
            started=now,
            plan=session.plan,
            standings=saved_state.standings,
            counters=Counters(profiles=dict(saved_state.profiles)),
            state=state,
            alerts=saved_state.alerts,
            outbox=saved_state.outbox,
        )
    )
    store = StateStore(
        holder=holder,
        keeper=keeper,
        on_event=log_event,
        limits=daemon.limits,
        silences_file=SilencesFile(daemon.state) if daemon.state else None,
    )
    store.adopt(holder.current)
    scheduler = Scheduler(holder=holder, store=store, session=session)
    try:
        with _signals(intents):
            await _children(daemon, holder=holder, intents=intents, scheduler=scheduler)
        await scheduler.store.record((DaemonStopped(at=clock.timestamp()),), scheduler.session.discoveries)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        await keeper.close(holder.current, scheduler.session.discoveries)


async def _children(
    daemon: Daemon, *, holder: SnapshotHolder, intents: Intents, scheduler: Scheduler
) -> None:
    """Start the children in order, and end them all once the end is asked for."""
    notifier = daemon.notifier
    reloader = Reloader(
        holder=holder,
        intents=intents,
        scheduler=scheduler,
        notifier=notifier,
        read=daemon.read,
        prepare=daemon.prepare,
    )
    desk = DaemonDeliveryStore(holder=holder, store=scheduler.store)
    async with asyncio.TaskGroup() as group:
        children = [group.create_task(_serve(daemon, holder, intents), name="server")]
        couriers: list[asyncio.Task[None]] = []
        await _either(intents.listening, intents.stopping)
        if intents.listening.is_set() and not intents.stopping.is_set():
            await scheduler.store.refresh_silences()
            started = DaemonStarted(
                at=clock.timestamp(), egressd=__version__, config_digest=daemon.settings.digest
            )
            await scheduler.store.record((started,), scheduler.session.discoveries)
            notifier.ready(status_line(holder.current, stalled=False))
            courier = DeliverySupervisor(store=desk, senders=daemon.senders)
            couriers.append(group.create_task(courier.run(), name="courier"))
            children += [
                group.create_task(scheduler.run(), name="scheduler"),
                group.create_task(reloader.run(), name="reloader"),
                group.create_task(scheduler.store.run(), name="evaluation"),
                group.create_task(supervise(holder, notifier), name="supervisor"),
            ]
            await intents.stopping.wait()
        notifier.stopping()
        for child in children:
            child.cancel()
        await _send_home(couriers, desk.wakeup)


async def _send_home(couriers: list[asyncio.Task[None]], wakeup: Wakeup) -> None:
    """Let the couriers try what is due, for some seconds; the queue keeps the rest."""
    wakeup.close()
    if couriers:
        _, late = await asyncio.wait(couriers, timeout=LAST_TRIES)
        for one in late:
            one.cancel()


async def supervise(holder: SnapshotHolder, notifier: SdNotifier) -> None:
    """Feed systemd's watchdog as long as the scheduler keeps its word, and keep the status line true."""
    every = min(LOOK_AFTER, notifier.watchdog / 2) if notifier.watchdog else LOOK_AFTER
    while True:
        stalled = holder.watchdog.stalled
        if notifier.watchdog and not stalled:
            notifier.alive()
        notifier.status(status_line(holder.current, stalled=stalled))
        await asyncio.sleep(every)


async def _serve(daemon: Daemon, holder: SnapshotHolder, intents: Intents) -> None:
    await patiently(partial(daemon.serve, holder, daemon.settings, intents), daemon.notifier)


async def patiently(attempt: Callable[[], Awaitable[T]], notifier: SdNotifier) -> T:
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
def _signals(intents: Intents) -> Iterator[None]:
    """Turn signals into intents while the daemon runs."""
    loop = asyncio.get_running_loop()
    wishes = {
        signal.SIGTERM: intents.stop,
        signal.SIGINT: intents.stop,
        signal.SIGHUP: intents.request_reload,
    }
    for number, wish in wishes.items():
        loop.add_signal_handler(number, wish)
    try:
        yield
    finally:
        for number in wishes:
            loop.remove_signal_handler(number)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what to raise: a user's mistake before a bug."""
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
