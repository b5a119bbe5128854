"""`egressd` without a command: the daemon, in the foreground, as systemd or a container starts it."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from egressd.cli.log import Form, Level, configure_logging, register_secrets
from egressd.cli.service.instance import with_instance
from egressd.cli.settings import read, settings_secrets
from egressd.config import Flags, load_settings
from egressd.config.load import find_file
from egressd.daemon.run import Daemon, host_identity, run, state_directory
from egressd.daemon.sdnotify import SdNotifier
from egressd.daemon.sweeping.prober import Prober, prepare
from egressd.errors import ExitCode, UsageError
from egressd.fields.parse import parse_listen
from egressd.metrics.limits import offline_limits
from egressd.model.catalog import Catalog, Discovery
from egressd.model.settings import Settings
from egressd.web.access import check_file
from egressd.web.serve import serve

LAST_THREADS = 3.0
"""Seconds for threads that still read or write something at the end; what must be saved is saved by then."""
YOUNG = 10_000
"""New objects between two walks over the youngest; a sweep makes many, and few of them in cycles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFlags:
    """What the command line says of the HTTP server; it wins over the file."""

    listen: str | None = None
    config_file: Path | None = None

    def apply(self, settings: Settings) -> Settings:
        """Put the flags over settings. Raises UsageError."""
        web = settings.web
        if self.listen is not None:
            try:
                web = replace(web, listen=parse_listen(self.listen))
            except ValueError as error:
                raise UsageError(f"--web.listen-address {error}") from None
        if self.config_file is not None:
            web = replace(web, config_file=str(self.config_file))
        return replace(settings, web=web)


def run_daemon(
    config_file: Path | None, flags: Flags, web: WebFlags, *, level: Level | None, form: Form | None
) -> ExitCode:
    """Run until SIGTERM; the same configuration is read again on SIGHUP."""
    notifier = SdNotifier.from_environment()
    settings, catalog = read(config_file, flags)
    settings = with_instance(web.apply(settings))
    usual = Form.HUMAN if sys.stderr.isatty() else Form.JSON
    configure_logging(level or Level.INFO, form or usual, secrets=settings_secrets(settings))
    _warn(settings)
    path, identity = find_file(config_file), host_identity()

    def again() -> Settings:
        fresh = with_instance(web.apply(load_settings(path, flags, catalog=catalog)))
        check_file(fresh.web.config_file)
        register_secrets(settings_secrets(fresh))
        _warn(fresh)
        return fresh

    daemon = Daemon(
        settings=settings,
        read=again,
        prepare=_preparing(catalog, identity),
        serve=partial(serve, catalog=catalog),
        notifier=notifier,
        state=state_directory(settings),
        limits=offline_limits(catalog),
    )
    spare_the_loop()
    asyncio.run(_to_the_end(daemon))
    return ExitCode.OK


async def _to_the_end(daemon: Daemon) -> None:
    """Run; once all is saved, let no thread that hangs in a file keep the process from its end."""
    await run(daemon)
    end = threading.Timer(LAST_THREADS, _leave)
    end.daemon = True
    end.start()


def _leave() -> None:
    structlog.get_logger("egressd").warning("a file can't be read to its end; ending without it")
    sys.stderr.flush()
    os._exit(ExitCode.OK)


def _warn(settings: Settings) -> None:
    """Log what is allowed and probably not meant, as `config check` says it."""
    for one in settings.warnings:
        structlog.get_logger("egressd").warning("configuration", warning=one)


def spare_the_loop() -> None:
    """Leave what lives as long as the process, modules and catalog, out of the garbage collector's walks.

    Nothing else runs during a walk: over everything it takes a tenth of a second and more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def _preparing(catalog: Catalog, identity: str) -> Callable[[Settings, tuple[Discovery, ...]], Prober]:
    return lambda settings, found: prepare(settings, catalog, identity=identity, discoveries=found)
