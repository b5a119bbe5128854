"""An event loop whose clock jumps ahead: hours of scheduling in milliseconds, to the exact second."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple, Unpack

import pytest

from egressd import clock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BEGIN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


class StuckError(AssertionError):
    """No timer and no event is left: a deadlock."""


class _Jump(selectors.DefaultSelector):
    """Advances the clock instead of sleeping."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise StuckError
        if not found and timeout is not None and timeout > 0:
            self.now += timeout
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop on a simulated clock."""

    def __init__(self) -> None:
        self.jump = _Jump()
        super().__init__(self.jump)

    def time(self) -> float:
        return self.jump.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run at once what would run in a thread: it takes no time on this clock."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the caller's, as with a thread
            done.set_exception(error)
        return done


class Times:
    """The wall clock of a test, which can be set."""

    step = timedelta()


def run(main: Coroutine[Any, Any, None], monkeypatch: pytest.MonkeyPatch, times: Times | None = None) -> None:
    """Run a coroutine on jumping time; both of egressd's clocks follow it."""
    times = times or Times()
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        loop = runner.get_loop()
        begin = loop.time()
        monkeypatch.setattr(clock, "monotonic", loop.time)
        monkeypatch.setattr(clock, "elapsed", loop.time)
        monkeypatch.setattr(clock, "now", lambda: BEGIN + timedelta(seconds=loop.time() - begin) + times.step)
        runner.run(main)
