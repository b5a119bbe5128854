"""The daemon's root task: it starts every other task in one TaskGroup, and ends them."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from egressd import __version__, clock
from egressd.bugs import BUGS, run_again
from egressd.daemon.delivery_store import DaemonDeliveryStore
from egressd.daemon.event_log import EventLog, current_status
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.daemon.reload import OnDisk, Prepare, Read, Reloader, watch_file
from egressd.daemon.scheduler import Scheduler
from egressd.daemon.sdnotify import SdNotifier
from egressd.daemon.state_store import StateStore
from egressd.errors import AbsentListenError, AbsentSourceError, EgressdError, Part
from egressd.log import get_logger
from egressd.model.event import DaemonStarted, DaemonStopped
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.dispatch import deliver
from egressd.notify.heartbeat import call_heartbeat
from egressd.notify.interface import Senders
from egressd.notify.supervisor import DeliverySupervisor
from egressd.notify.wakeup import Wakeup
from egressd.state import Persistence
from egressd.state.silences import SilencesFile

T = TypeVar("T")
log = get_logger(__name__)

Serve = Callable[[SnapshotHolder, Settings, Intents], Awaitable[None]]
"""Binds the port, sets `intents.listening`, and serves until cancelled. Raises EgressdError."""

SENDERS = Senders(deliver=deliver, push=push_alerts, beat=call_heartbeat)
LAST_DELIVERIES = 3.0
"""Seconds for deliveries at the end; what could not be delivered stays in the queue."""
SUPERVISE_EVERY = 5.0
"""Seconds between two runs of the supervisor, at most."""
BOOTED_AFTER = 180.0
"""Seconds from boot by which a host has all of its addresses."""
RETRY_AFTER = 1.0
MACHINE_ID = Path("/etc/machine-id")


class Daemon(Struct, frozen=True, kw_only=True):
    """The parts of a daemon that come from outside."""

    settings: Settings
    read: Read
    prepare: Prepare
    serve: Serve
    notifier: SdNotifier
    state: Path | None
    """The directory to keep state in; None: nothing is kept."""
    limits: Mapping[str, float]
    """Seconds a profile may be offline, by profile."""
    on_disk: OnDisk | None = None
    """What the configuration file holds; None: there is none."""
    lines_lost: Callable[[], int] = lambda: 0
    """How many lines of the log could not be written."""
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
    session = await retry_while_booting(prepare, daemon.notifier)
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
        on_events=EventLog(holder),
        limits=daemon.limits,
        silences_file=SilencesFile(daemon.state) if daemon.state else None,
    )
    store.adopt(holder.current)
    scheduler = Scheduler(holder=holder, store=store, session=session)
    try:
        with _signals(intents):
            await _run_tasks(daemon, holder=holder, intents=intents, scheduler=scheduler)
        await scheduler.store.record((DaemonStopped(at=clock.timestamp()),), scheduler.session.discoveries)
    except BaseExceptionGroup as group:
        raise _error_of(group) from None
    finally:
        await keeper.close(holder.current, scheduler.session.discoveries)


async def _run_tasks(
    daemon: Daemon, *, holder: SnapshotHolder, intents: Intents, scheduler: Scheduler
) -> None:
    """Start the tasks in order, and end them all once a stop is requested."""
    notifier = daemon.notifier
    reloader = Reloader(
        holder=holder,
        intents=intents,
        scheduler=scheduler,
        notifier=notifier,
        read=daemon.read,
        prepare=daemon.prepare,
    )
    deliveries = DaemonDeliveryStore(holder=holder, store=scheduler.store)
    serve = partial(daemon.serve, holder, daemon.settings, intents)
    keep = partial(run_again, on_restart=holder.watchdog.restarted)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(retry_while_booting(serve, notifier), name="server")]
        delivering: list[asyncio.Task[None]] = []
        await _wait_for_first(intents.listening, intents.stopping)
        if intents.listening.is_set() and not intents.stopping.is_set():
            await scheduler.store.refresh_silences()
            started = DaemonStarted(
                at=clock.timestamp(),
                egressd=__version__,
                config_digest=daemon.settings.digest,
                site=daemon.settings.chosen_site,
            )
            await scheduler.store.record((started,), scheduler.session.discoveries)
            notifier.ready(current_status(holder))
            supervisor = DeliverySupervisor(store=deliveries, senders=daemon.senders)
            deliver_all = keep(Part.DELIVERY, supervisor.run)
            delivering.append(group.create_task(deliver_all, name="deliveries"))
            tasks += [
                group.create_task(scheduler.run(), name="scheduler"),
                group.create_task(keep(Part.RELOAD, reloader.run), name="reloader"),
                group.create_task(
                    run_again(Part.RELOAD, partial(watch_file, holder, daemon.on_disk)), name="file"
                ),
                group.create_task(keep(Part.EVALUATION, scheduler.store.run), name="evaluation"),
                group.create_task(
                    keep(Part.WATCHDOG, partial(supervise, holder, notifier, daemon.lines_lost)),
                    name="supervisor",
                ),
            ]
            await intents.stopping.wait()
        notifier.stopping()
        for one in tasks:
            one.cancel()
        await _end_deliveries(delivering, deliveries.wakeup)


async def _end_deliveries(delivering: list[asyncio.Task[None]], wakeup: Wakeup) -> None:
    """Deliver what is due, for some seconds at most; the queue keeps the rest."""
    wakeup.close()
    if delivering:
        _, late = await asyncio.wait(delivering, timeout=LAST_DELIVERIES)
        for one in late:
            one.cancel()


async def supervise(
    holder: SnapshotHolder, notifier: SdNotifier, lines_lost: Callable[[], int] = lambda: 0
) -> None:
    """Feed systemd's watchdog unless the scheduler has stalled; update the status line and counts of bugs."""
    every = min(SUPERVISE_EVERY, notifier.watchdog / 2) if notifier.watchdog else SUPERVISE_EVERY
    while True:
        if notifier.watchdog and not holder.watchdog.stalled:
            notifier.alive()
        if lines_lost() != holder.current.log_lines_lost:
            holder.update(log_lines_lost=lines_lost())
        bugs = BUGS.totals()
        if bugs != holder.current.counters.bugs:
            holder.update(counters=replace(holder.current.counters, bugs=bugs))
        notifier.status(current_status(holder))
        holder.watchdog.progressed(Part.WATCHDOG)
        await asyncio.sleep(every)


async def retry_while_booting(attempt: Callable[[], Awaitable[T]], notifier: SdNotifier) -> T:
    """Retry what fails because an address is absent, while the host is still booting.

    A service that starts at boot may come before some addresses, and systemd does not restart what ends
    with a configuration error.
    """
    logged = False
    while True:
        try:
            return await attempt()
        except (AbsentSourceError, AbsentListenError) as absent:
            if not notifier.address or clock.monotonic() > BOOTED_AFTER:
                raise
            if not logged:
                log.warning("waiting for an address: this host was just booted", why=str(absent))
            logged = True
            notifier.waiting(SUPERVISE_EVERY, f"waiting for an address: {absent}")
        await asyncio.sleep(RETRY_AFTER)


async def _wait_for_first(*events: asyncio.Event) -> None:
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
    handlers = {
        signal.SIGTERM: intents.stop,
        signal.SIGINT: intents.stop,
        signal.SIGHUP: intents.request_reload,
    }
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def _error_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception to raise: a user's mistake before a bug."""
    mistakes, bugs = group.split(EgressdError)
    found: BaseException = mistakes or bugs or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def host_identity() -> str:
    """Return an identifier of this host; only its hash is used."""
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip() or platform.node()
    except (OSError, UnicodeError):
        return platform.node()


def state_directory(settings: Settings) -> Path | None:
    """Return where state is kept: as configured, else where systemd says, else nowhere."""
    named = settings.state.directory or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(named) if named else None
