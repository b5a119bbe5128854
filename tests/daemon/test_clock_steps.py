"""A clock that is set, by an hour or by 200 days: alerts open and close on time, and the history stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from egressd import clock
from egressd.daemon.state_store import StateStore
from egressd.model.alert import AlertState, NoticeKind
from egressd.model.event import ConfigReloaded, NoticePosted
from egressd.state.history import read_history
from egressd.state.store import SavedState, Store
from tests.daemon.jumping_clock import Times, run
from tests.daemon.simulation import FakeKeeper, SchedulerSimulation, make_simulation

MINUTE, DAY = 60.0, 86400.0
STEPS = [timedelta(days=200), timedelta(hours=1), timedelta(hours=-1), timedelta(days=-200)]
Play = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def times() -> Times:
    """The wall clock."""
    return Times()


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, times: Times) -> Play:
    """Run a test on a simulated clock."""
    return lambda main: run(main, monkeypatch, times)


@asynccontextmanager
async def watching() -> AsyncIterator[SchedulerSimulation]:
    """Run a daemon on the simulated network until the end of the block."""
    one = make_simulation(hosts=6)
    tasks = [asyncio.create_task(one.scheduler.run()), asyncio.create_task(one.scheduler.store.run())]
    try:
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def notices(one: SchedulerSimulation) -> list[NoticeKind]:
    """Return the kinds of all notices so far."""
    return [event.notice_kind for event in one.events if isinstance(event, NoticePosted)]


@pytest.mark.parametrize("step", STEPS)
def test_an_alert_opens_and_closes_on_time(step: timedelta, play: Play, times: Times) -> None:
    """One notice of each kind: no duration ends early, none lasts until the clock is where it was."""

    async def scenario() -> None:
        async with watching() as one:
            await asyncio.sleep(5 * MINUTE)
            one.network.down["h2"] = "refused"
            await asyncio.sleep(5 * MINUTE)
            assert notices(one) == [NoticeKind.OPENED]
            times.step = step
            await asyncio.sleep(5 * MINUTE)
            assert notices(one) == [NoticeKind.OPENED]
            one.network.down.clear()
            await asyncio.sleep(10 * MINUTE)
            assert notices(one) == [NoticeKind.OPENED, NoticeKind.CLOSED]
            (change, fixed) = one.changes
            assert fixed.after.outcome.value == "ok"
            assert change.at < fixed.at or step < timedelta()

    play(scenario())


@pytest.mark.parametrize("step", STEPS)
def test_a_step_while_an_alert_is_pending(step: timedelta, play: Play, times: Times) -> None:
    """It opens when it has held for as long as it should, by the time that passed."""

    async def opened(with_step: bool) -> float:
        times.step = timedelta()
        async with watching() as one:
            await asyncio.sleep(5 * MINUTE)
            began = clock.monotonic()
            one.network.down["h2"] = "timeout"
            pending = [AlertState.PENDING]
            while [alert.state for alert in one.holder.current.alerts] != pending:
                await asyncio.sleep(0.5)
                assert clock.monotonic() - began < 10 * MINUTE
                if notices(one):
                    break
            times.step = step if with_step else timedelta()
            while not notices(one):
                await asyncio.sleep(0.5)
                assert clock.monotonic() - began < 20 * MINUTE
            return clock.monotonic() - began

    async def scenario() -> None:
        usual = await opened(False)
        assert abs(await opened(True) - usual) <= 15.0

    play(scenario())


def test_a_state_from_the_future_is_taken_for_one_of_now(play: Play, times: Times) -> None:
    """A daemon whose clock was ahead has saved it, and the clock was set before the next one began."""

    async def scenario() -> None:
        times.step = timedelta(days=200)
        async with watching() as one:
            one.network.down["h2"] = "refused"
            await asyncio.sleep(10 * MINUTE)
            ahead = one.holder.current
        times.step = timedelta()
        one.holder.current = ahead
        store = StateStore(holder=one.holder, keeper=FakeKeeper(), on_events=one.events.extend)
        now, current = clock.timestamp(), store.holder.current
        moments = [
            text for alert in current.alerts for text in (alert.started, alert.opened, *alert.openings)
        ]
        moments += [one.since for one in current.standings.targets]
        moments += list(current.counters.profiles.values())
        assert moments
        assert all(text is None or text <= now for text in moments)

    play(scenario())


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float, float], int]]:
    """Return a function that lets seconds pass, sets the clock, prunes, and counts the events kept."""
    now, elapsed = clock.now(), [0.0]
    monkeypatch.setattr(clock, "elapsed", lambda: elapsed[0])
    store = Store(tmp_path)
    for age in range(78, -2, -2):
        event = ConfigReloaded(at=clock.timestamp(now - timedelta(days=age)), digest="x")
        store.save(SavedState(), (event,), whole=False)

    def prune(passed: float, ahead: float) -> int:
        nonlocal store
        elapsed[0] += passed
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=ahead))
        store.prune(90 * DAY)
        store.close()
        store = Store(tmp_path)  # a daemon that is started again prunes at once
        return len(read_history(tmp_path, since="2000", until="3000", target=None).events)

    yield prune
    store.close()


def test_a_clock_set_ahead_does_not_empty_the_history(history: Callable[[float, float], int]) -> None:
    """200 days ahead for a day, with restarts: a few days of the oldest events go, the rest stays."""
    assert history(0.0, 0.0) == 40
    kept = [history(3600.0, 200 * DAY) for _ in range(24)]
    assert kept[0] == 40
    assert kept[-1] >= 38
    assert history(60.0, 0.0) == kept[-1]
    assert history(60.0, -200 * DAY) == kept[-1]


def test_a_daemon_that_was_off_for_long_catches_up(history: Callable[[float, float], int]) -> None:
    """Events older than the retention go within weeks, not after as many months."""
    assert history(0.0, 0.0) == 40
    kept = [history(DAY, (60 + day) * DAY) for day in range(1, 25)]
    assert kept[0] >= 38
    assert kept[-1] == 0 or kept[-1] < 6
