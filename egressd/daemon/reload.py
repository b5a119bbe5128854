"""Reload of the configuration: all of it is checked before any of it is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from egressd import clock
from egressd.bugs import report_bug
from egressd.daemon.event_log import current_status
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.daemon.scheduler import Scheduler
from egressd.daemon.sdnotify import SdNotifier
from egressd.engine.plan import refuse_absent_sources
from egressd.engine.session import Session
from egressd.errors import ConfigError, EgressdError, Part, describe_bug
from egressd.log import get_logger
from egressd.model.catalog import Catalog, Discovery
from egressd.model.event import ConfigRejected, ConfigReloaded
from egressd.model.observation import Timestamp
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus

MIN_WAIT = 0.2
"""Seconds a request waits for others: of many signals in a row, the last one counts."""
MAX_PROBLEMS = 20

Read = Callable[[], Settings]
"""Reads the file and the flags again. Raises EgressdError."""
Prepare = Callable[[Settings, tuple[Discovery, ...]], Session]
"""Opens a session, which checks what only shows in use. Raises EgressdError."""

OnDisk = Callable[[], str | None]
"""Returns the digest of the settings that the file holds now; None: there is none. Raises EgressdError."""

STALE_EVERY = 60.0
"""Seconds between two looks at the configuration file."""

log = get_logger(__name__)


async def watch_file(holder: SnapshotHolder, on_disk: OnDisk | None) -> None:
    """Note since when the configuration file says something else than what is in force."""
    while on_disk is not None:
        await asyncio.sleep(STALE_EVERY)
        try:
            found = await asyncio.to_thread(on_disk)
        except EgressdError:
            found = None
        config = holder.current.config
        since = None if found == config.digest else config.stale_since or clock.timestamp()
        if since != config.stale_since:
            holder.update(config=replace(config, stale_since=since))


def open_session(
    settings: Settings, discoveries: tuple[Discovery, ...] = (), *, catalog: Catalog, identity: str
) -> Session:
    """Check all that can be wrong with settings before they are in force.

    Raises:
        ConfigError: a trust store can't be read, or a source is not on this host.
        UsageError: there is nothing to plan.
    """
    refuse_absent_sources(settings)
    return Session(settings, catalog, identity=identity, discoveries=discoveries)


class Reloader(Struct, frozen=True, kw_only=True):
    """The task that reloads, one request after the other."""

    holder: SnapshotHolder
    intents: Intents
    scheduler: Scheduler
    notifier: SdNotifier
    read: Read
    prepare: Prepare

    async def run(self) -> None:
        """Reload whenever requested."""
        while True:
            await self.intents.reload_wanted.wait()
            self.notifier.reloading()  # at once: `systemctl reload` waits only for a reload that it saw begin
            await asyncio.sleep(MIN_WAIT)
            waiting = self.intents.begin_reload()
            try:
                status = await self._reload_safely()
            finally:
                self.notifier.ready(current_status(self.holder))
            for future in waiting:
                if not future.done():
                    future.set_result(status)
            self.holder.watchdog.progressed(Part.RELOAD)

    async def _reload_safely(self) -> ConfigStatus:
        """Reload; whatever goes wrong with it, the daemon runs on with the configuration in force."""
        now = clock.timestamp()
        try:
            return await self._reload(now)
        except Exception as bug:  # noqa: BLE001 - it is reported
            report_bug(Part.RELOAD, bug)
            return await self._refuse((f"internal error: {describe_bug(bug)}; see the log",), now)

    async def _reload(self, now: Timestamp) -> ConfigStatus:
        discoveries = self.scheduler.session.discoveries
        try:
            settings = await asyncio.to_thread(self.read)
            session = await asyncio.to_thread(self.prepare, settings, discoveries)
        except EgressdError as mistake:
            problems = mistake.problems if isinstance(mistake, ConfigError) else (str(mistake),)
            return await self._refuse(problems, now)
        except (OSError, ValueError) as error:  # of a file that can't be read, or of its name
            return await self._refuse((f"the configuration can't be read: {error}",), now)
        before = self.holder.current.settings
        self._warn_of_restart(before, settings)
        store, still = self.scheduler.store, self.holder.current.config.web_problems
        status = ConfigStatus(digest=settings.digest, since=now).with_web(still, now)
        store.adopt(replace(self.holder.current, settings=settings, config=status))
        self.scheduler.adopt(session, hurry=settings != before)
        await store.record(
            (ConfigReloaded(at=now, digest=settings.digest, site=settings.chosen_site),), discoveries
        )
        await store.tick()
        return status

    async def _refuse(self, problems: tuple[str, ...], now: Timestamp) -> ConfigStatus:
        before = self.holder.current.config
        refused = replace(before, problems=problems[:MAX_PROBLEMS], web_problems=())
        status = refused.with_web(before.web_problems, now)
        self.holder.update(config=status)
        event = ConfigRejected(at=now, problems=status.refused)
        await self.scheduler.store.record((event,), self.scheduler.session.discoveries)
        return status

    def _warn_of_restart(self, before: Settings, after: Settings) -> None:
        """Warn of changed settings that are read at start only."""
        if before.web.listen != after.web.listen:
            log.warning("web.listen needs a restart", listening=before.web.listen, wanted=after.web.listen)
        if before.state.directory != after.state.directory:
            log.warning("state.directory needs a restart")
