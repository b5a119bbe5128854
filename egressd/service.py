"""The daemon put together: command line, configuration, web server and scheduler, in the foreground.

The only module that knows both the command line and the daemon; it is loaded when a daemon is started.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from egressd.cli.log import Form, Level, configure_logging, flush_log, lines_lost, register_secrets
from egressd.cli.service.instance import with_host_names
from egressd.cli.settings import WebFlags, read_settings, settings_secrets
from egressd.config import Flags, load_settings
from egressd.config.load import find_file
from egressd.daemon.reload import OnDisk, open_session
from egressd.daemon.run import Daemon, host_identity, run, state_directory
from egressd.daemon.sdnotify import SdNotifier
from egressd.errors import ExitCode
from egressd.log import get_logger
from egressd.metrics.limits import offline_limits
from egressd.model.catalog import Catalog
from egressd.model.settings import Settings
from egressd.web.access import check_file
from egressd.web.serve import serve

LAST_THREADS = 3.0
"""Seconds for threads that still read or write something at the end; what must be saved is saved by then."""
MOST_THREADS = 64
"""Threads for files, names and pages. Without DNS, names of receivers hang in theirs for a minute: Python's
usual number, a few more than processors, would leave none for state and metrics."""
YOUNG = 10_000
"""New objects between two collections of the youngest; a sweep makes many, and few of them in cycles."""


def run_daemon(
    config_file: Path | None, flags: Flags, web: WebFlags, *, level: Level | None, form: Form | None
) -> ExitCode:
    """Run until SIGTERM; the same configuration is read again on SIGHUP."""
    notifier = SdNotifier.from_environment()
    settings, catalog = read_settings(config_file, flags)
    settings = with_host_names(web.apply(settings))
    usual = Form.HUMAN if sys.stderr.isatty() else Form.JSON
    configure_logging(level or Level.INFO, form or usual, secrets=settings_secrets(settings))
    _warn(settings)
    path, identity = find_file(config_file), host_identity()

    def read_again() -> Settings:
        fresh = with_host_names(web.apply(load_settings(path, flags, catalog=catalog)))
        check_file(fresh.web.config_file)
        register_secrets(settings_secrets(fresh))
        _warn(fresh)
        return fresh

    daemon = Daemon(
        settings=settings,
        read=read_again,
        prepare=partial(open_session, catalog=catalog, identity=identity),
        serve=partial(serve, catalog=catalog),
        notifier=notifier,
        state=state_directory(settings),
        limits=offline_limits(catalog),
        on_disk=_on_disk(path, flags, catalog) if path is not None else None,
        lines_lost=lines_lost,
    )
    tune_garbage_collector()
    asyncio.run(_run(daemon))
    return ExitCode.OK


def _on_disk(path: Path, flags: Flags, catalog: Catalog) -> OnDisk:
    """Return what gives the digest of a configuration file; it is read when it has changed."""
    known: list[tuple[object, str]] = []

    def digest() -> str | None:
        try:
            seen = path.stat()
        except OSError:
            return None
        now = (seen.st_mtime_ns, seen.st_ino, seen.st_size)
        if not known or known[0][0] != now:
            known[:] = [(now, load_settings(path, flags, catalog=catalog).digest)]
        return known[0][1]

    return digest


async def _run(daemon: Daemon) -> None:
    """Run the daemon; once all is saved, end the process even if a thread hangs in a file."""
    threads = ThreadPoolExecutor(max_workers=MOST_THREADS, thread_name_prefix="egressd")
    asyncio.get_running_loop().set_default_executor(threads)
    await run(daemon)
    end = threading.Timer(LAST_THREADS, _leave)
    end.daemon = True
    end.start()


def _leave() -> None:
    get_logger("egressd").warning("a file can't be read to its end; ending without it")
    flush_log()
    os._exit(ExitCode.OK)


def _warn(settings: Settings) -> None:
    """Log the warnings of `config check`."""
    for one in settings.warnings:
        get_logger("egressd").warning("configuration", warning=one)


def tune_garbage_collector() -> None:
    """Exclude what lives as long as the process, modules and catalog, from garbage collection.

    Nothing else runs during a collection: over everything it takes a tenth of a second and more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
