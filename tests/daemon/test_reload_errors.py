"""A reload fails in any way: the configuration in force stays, all who asked are answered, and it is said."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from egressd.bugs import BUGS, BugLog, run_again
from egressd.daemon.holder import MOST_RESTARTS, WatchdogDeadline
from egressd.daemon.intents import Intents
from egressd.daemon.reload import Reloader
from egressd.daemon.sdnotify import SdNotifier
from egressd.errors import ConfigError, Part
from egressd.model.settings import Settings
from tests.daemon.simulation import make_simulation

READ_ERRORS = (
    PermissionError(errno.EACCES, "Permission denied", "/etc/egressd/ca.pem"),
    OSError(errno.ENAMETOOLONG, "File name too long"),
    NotADirectoryError(errno.ENOTDIR, "Not a directory"),
    IsADirectoryError(errno.EISDIR, "Is a directory"),
    OSError(errno.ELOOP, "Too many levels of symbolic links"),
    OSError(errno.EMFILE, "Too many open files"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ValueError("embedded null byte"),
    ConfigError(("egressd.yml:1: bad",)),
)
BUGS_OF_OURS = (RecursionError("deep"), MemoryError(), KeyError("proxy"), AssertionError())


@contextmanager
def running_reloader(error: BaseException) -> Iterator[tuple[Reloader, Intents]]:
    """Return a reloader whose configuration can't be read for a reason."""

    def read() -> Settings:
        raise error

    simulation, intents = make_simulation(), Intents()
    reloader = Reloader(
        holder=simulation.holder,
        intents=intents,
        scheduler=simulation.scheduler,
        notifier=SdNotifier(),
        read=read,
        prepare=lambda *_: simulation.session,
    )
    task = asyncio.get_running_loop().create_task(reloader.run())
    try:
        yield reloader, intents
    finally:
        assert not task.done()
        task.cancel()


@pytest.mark.bugs
@pytest.mark.parametrize("error", [*READ_ERRORS, *BUGS_OF_OURS], ids=repr)
async def test_whatever_a_reload_meets_the_configuration_in_force_stays(error: Exception) -> None:
    """The old settings stay, the status says why, and the next reload is tried as well."""
    before = sum(BUGS.totals().values())
    with structlog.testing.capture_logs(), running_reloader(error) as (reloader, intents):
        settings = reloader.holder.current.settings
        for _ in range(2):
            status = await intents.reload()
            assert status.refused
            assert not reloader.holder.current.config.successful
            assert reloader.holder.current.settings is settings
    assert (sum(BUGS.totals().values()) > before) == (error in BUGS_OF_OURS)


@pytest.mark.bugs
async def test_a_task_that_never_gets_on_is_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that a bug ends again and again feeds no watchdog; one that gets something done does."""
    monkeypatch.setattr("egressd.bugs.LONGEST_PAUSE", 0.001)
    monkeypatch.setattr("egressd.bugs.FIRST_PAUSE", 0.001)
    watchdog, runs = WatchdogDeadline(), 0

    async def fail() -> None:
        nonlocal runs
        runs += 1
        if runs == MOST_RESTARTS - 1:
            watchdog.progressed(Part.RECHECKS)
        if runs == 2 * MOST_RESTARTS:
            return
        raise AssertionError(runs)

    with structlog.testing.capture_logs() as output:
        await run_again(Part.RECHECKS, fail, on_restart=watchdog.restarted)
    assert watchdog.stalled
    assert len(output) == 1
    watchdog.progressed(Part.RECHECKS)
    assert not watchdog.stalled


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(3)])
async def test_what_ends_a_program_ends_a_task(error: BaseException) -> None:
    """Cancellations, Ctrl-C and exits pass."""

    async def end() -> None:
        raise error

    with pytest.raises(type(error)):
        await run_again(Part.SWEEPS, end)


def test_a_bug_is_logged_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """One traceback for each kind, then a line an hour with the count; some hundreds of kinds at most."""
    bugs, now = BugLog(), [0.0]
    monkeypatch.setattr("egressd.clock.monotonic", lambda: now[0])
    with structlog.testing.capture_logs() as output:
        for _ in range(3 * 3600):
            bugs.report(Part.ALERTS, ValueError("x"))
            now[0] += 1.0
    assert [(one.get("again"), one["exc_info"] is not None) for one in output] == [
        (None, True),
        (3600, False),
        (3600, False),
    ]
    with structlog.testing.capture_logs() as output:
        for number in range(1000):
            bugs.report(Part.HTTP, type(f"Error{number}", (Exception,), {})())
    assert len(output) == 199
    assert bugs.totals()["http"] == 1000
