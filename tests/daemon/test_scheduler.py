"""The scheduler on a clock that jumps: what is probed when, how fast changes are confirmed, overruns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from egressd import clock
from egressd.daemon.recheck import WITNESSES
from egressd.engine.schedule import CLEANUP, GAP, SETTLE, SLOW_EVERY, Schedule
from egressd.model.event import SweepFinished, SweepOverran
from egressd.model.settings import Limits, Settings
from egressd.model.standing import Lifecycle
from egressd.model.verdict import Outcome
from egressd.standing.lifecycle import Thresholds
from tests.daemon.jumping_clock import Times, run
from tests.daemon.simulation import FakeSession, SchedulerSimulation, make_simulation, plan_of

MINUTE = 60.0


@asynccontextmanager
async def sweeping(**kinds: Any) -> AsyncIterator[SchedulerSimulation]:
    """Run a scheduler until the end of the block."""
    one = make_simulation(**kinds)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.scheduler.run())
        yield one
        task.cancel()


Play = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def times() -> Times:
    """The wall clock of the test."""
    return Times()


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, times: Times) -> Play:
    """Run a test's scenario on jumping time."""
    return lambda main: run(main, monkeypatch, times)


def test_each_target_is_probed_every_interval(play: Play) -> None:
    """Starts are spread over half the interval; each target has a fixed offset."""

    async def scenario() -> None:
        async with sweeping(hosts=50) as one:
            await asyncio.sleep(10 * MINUTE)
        for number in range(50):
            probed = one.times_probed(f"h{number}")
            gaps = [round(b - a, 3) for a, b in pairwise(probed)]
            assert gaps[0] <= MINUTE  # the first sweep is quicker
            assert set(gaps[1:]) == {MINUTE}
        second = sorted(one.times_probed(f"h{number}")[2] for number in range(50))
        assert 20 < second[-1] - second[0] <= one.session.schedule.window == 30
        assert max(b - a for a, b in pairwise(second)) < 5

    play(scenario())


def test_two_hosts_have_different_schedules(play: Play) -> None:
    """The offsets depend on the host's identity."""

    async def scenario() -> None:
        orders = []
        for identity in ("one", "one", "two"):
            async with sweeping(hosts=30, identity=identity) as one:
                began = clock.monotonic()
                await asyncio.sleep(2 * MINUTE)
            orders.append([(round(when - began, 3), name) for when, name in one.network.probed])
        assert orders[0] == orders[1]
        assert [name for _, name in orders[0]] != [name for _, name in orders[2]]
        assert orders[0][0][0] != orders[2][0][0]

    play(scenario())


def detects_within(schedule: Schedule) -> float:
    """Return the longest time in seconds from a fault to its confirmation.

    The next start is at most an interval away; then the probe, a recheck that may be under way for others,
    and each further probe end by their deadlines, controls included.
    """
    thresholds = Thresholds()
    further = max(thresholds.silent, thresholds.explicit) - 1
    rounds = (1 + further) * (GAP + CLEANUP * schedule.deadline)
    return schedule.interval + CLEANUP * schedule.deadline + SETTLE + rounds


@pytest.mark.parametrize("how", ["refused", "timeout"])
@pytest.mark.parametrize("offset", [0.0, 7.0, 20.0, 31.0, 44.0, 59.0])
def test_a_fault_is_confirmed_within_the_stated_bound(play: Play, how: str, offset: float) -> None:
    """Any fault at any time is confirmed within the bound; an explicit one within an interval and seconds."""

    async def scenario() -> None:
        async with sweeping() as one:
            await asyncio.sleep(5 * MINUTE + offset)
            one.network.down["h3"] = how
            took = await _seconds_until_reported(one, "row/h3:443")
        assert took <= detects_within(one.session.schedule) == 167
        assert how == "timeout" or took <= MINUTE + 7

    play(scenario())


def test_the_manual_states_the_bound() -> None:
    """The manual has the bound for the defaults and the general formula."""
    text = " ".join(
        (Path(__file__).parents[2] / "docs" / "how-it-works.md").read_text(encoding="utf-8").split()
    )
    assert "`interval + 5 x probe.deadline + 7 s`, 167 s with the defaults" in text
    for interval, deadline in ((60.0, 20.0), (300.0, 8.0)):
        schedule = Schedule.of(Settings(interval=interval, limits=Limits(deadline=deadline)), "here")
        assert detects_within(schedule) == interval + 5 * deadline + 7


async def _seconds_until_reported(one: SchedulerSimulation, target: str) -> float:
    begun = clock.monotonic()
    while target not in [change.target for change in one.changes]:  # noqa: ASYNC110 - time jumps
        await asyncio.sleep(0.5)
    return clock.monotonic() - begun


@pytest.mark.parametrize("offset", range(0, 60, 7))
def test_rechecks_of_other_targets_do_not_exceed_the_bound(play: Play, offset: int) -> None:
    """A silent fault of another target, confirmed at the same time, adds at most one round."""

    async def scenario() -> None:
        async with sweeping() as one:
            await asyncio.sleep(5 * MINUTE)
            one.network.down["h1"] = "timeout"
            await asyncio.sleep(offset)
            one.network.down["h3"] = "timeout"
            took = await _seconds_until_reported(one, "row/h3:443")
        assert took <= detects_within(one.session.schedule)

    play(scenario())


def test_changes_are_confirmed_within_seconds(play: Play) -> None:
    """A failure and a recovery are confirmed within seconds of the first probe that shows them."""

    async def scenario() -> None:
        async with sweeping() as one:
            await asyncio.sleep(2 * MINUTE)
            one.network.down["h3"] = "refused"
            await asyncio.sleep(2 * MINUTE)
            one.network.down.clear()
            await asyncio.sleep(2 * MINUTE)
        failed, fixed = one.changes
        for change in (failed, fixed):
            first, confirmed = (datetime.fromisoformat(text) for text in (change.since, change.at))
            assert confirmed - first < timedelta(seconds=6)
        standing = one.holder.current.standings.of("row/h3:443", "default")
        assert standing is not None
        assert standing.state is Lifecycle.OK

    play(scenario())


def test_a_single_suspect_is_rechecked_with_a_few_other_targets(play: Play) -> None:
    """A single suspect is rechecked with a few healthy targets, not with everything."""

    async def scenario() -> None:
        async with sweeping(hosts=40) as one:
            await asyncio.sleep(3 * MINUTE)
            one.network.probed.clear()
            one.network.down["h3"] = "refused"
            await asyncio.sleep(MINUTE)
        assert len(one.times_probed("h3")) == 2
        others = [name for _, name in one.network.probed if name != "h3"]
        assert len(others) - 39 <= WITNESSES

    play(scenario())


def test_an_outage_rechecks_everything(play: Play) -> None:
    """An outage is confirmed for all targets together, soon after the first of them."""

    async def scenario() -> None:
        async with sweeping(hosts=40) as one:
            await asyncio.sleep(3 * MINUTE)
            one.network.down = {f"h{number}": "refused" for number in range(40)}
            await asyncio.sleep(MINUTE + 20)
        assert len(one.changes) == 40
        moments = sorted(datetime.fromisoformat(one.at) for one in one.changes)
        assert moments[-1] - moments[0] < timedelta(seconds=15)

    play(scenario())


def test_a_flapping_target_does_not_delay_sweeps(play: Play) -> None:
    """Rechecks of a flapping target are limited, and the schedule is kept."""

    async def scenario() -> None:
        async with sweeping(hosts=5) as one:
            await asyncio.sleep(3 * MINUTE)
            begun = clock.monotonic()
            while clock.monotonic() - begun < 10 * MINUTE:
                one.network.down["h1"] = "refused"
                await asyncio.sleep(1.1)
                one.network.down.clear()
                await asyncio.sleep(1.7)
        assert len([moment for moment in one.times_probed("h1") if moment > begun]) <= 10 * 11
        sweeps = [event for event in one.events if isinstance(event, SweepFinished)]
        assert 12 <= len(sweeps) <= 14

    play(scenario())


def test_slow_rows_are_probed_hourly(play: Play) -> None:
    """Random labels of wildcards are probed once an hour, spread over it."""

    async def scenario() -> None:
        async with sweeping(hosts=3, slow=6) as one:
            await asyncio.sleep(6 * SLOW_EVERY)
        for number in range(6):
            probed = one.times_probed(f"w{number}")
            assert 5 <= len(probed) <= 7
            assert all(b - a >= SLOW_EVERY / 2 for a, b in pairwise(probed))
            assert all(abs(b - a - SLOW_EVERY) < MINUTE for a, b in pairwise(probed[1:]))
        assert (
            len({moment // MINUTE for number in range(6) for moment in one.times_probed(f"w{number}")[1:2]})
            > 3
        )
        assert len(one.times_probed("h0")) >= 359
        sweep = one.holder.current.sweep
        assert sweep is not None
        assert len(sweep.verdicts) == 9

    play(scenario())


def test_a_slow_row_that_fails_is_probed_more_often(play: Play) -> None:
    """A failing hourly target is probed more often, so that its recovery is seen soon."""

    async def scenario() -> None:
        async with sweeping(hosts=3, slow=1) as one:
            one.network.down["w0"] = "refused"
            await asyncio.sleep(10 * MINUTE)
            assert [change.target for change in one.changes] == ["row/w0:443"]
            one.network.down.clear()
            await asyncio.sleep(12 * MINUTE)
            assert len(one.changes) == 2

    play(scenario())


def test_discovery_is_refreshed_hourly(play: Play) -> None:
    """Discovery runs at the start, then once an hour, between sweeps."""

    async def scenario() -> None:
        async with sweeping(hosts=2) as one:
            await asyncio.sleep(5 * SLOW_EVERY + MINUTE)
        assert len(one.session.refreshes) in (5, 6)
        assert all(SLOW_EVERY <= b - a <= SLOW_EVERY + 2 * MINUTE for a, b in pairwise(one.session.refreshes))

    play(scenario())


def test_silence_everywhere_does_not_overrun(play: Play) -> None:
    """With the defaults a sweep of silent targets ends before the next one is due."""

    async def scenario() -> None:
        async with sweeping(hosts=30) as one:
            one.network.down = {f"h{number}": "timeout" for number in range(30)}
            await asyncio.sleep(30 * MINUTE)
        assert not [event for event in one.events if isinstance(event, SweepOverran)]
        assert one.holder.current.counters.sweeps == 30

    play(scenario())


def test_overruns_are_counted_and_sweeps_never_overlap(play: Play) -> None:
    """Where probes take longer than the interval, starts are skipped, logged and counted."""

    async def scenario() -> None:
        async with sweeping(hosts=10, interval=10.0) as one:
            one.network.down = {f"h{number}": "timeout" for number in range(10)}
            await asyncio.sleep(10 * MINUTE)
        overran = [event for event in one.events if isinstance(event, SweepOverran)]
        assert one.network.most_running == 1
        assert sum(event.missed for event in overran) == one.holder.current.counters.overruns > 20
        done = one.holder.current.counters.sweeps
        assert 55 <= done + one.holder.current.counters.overruns <= 61

    play(scenario())


@pytest.mark.parametrize("hours", [-1, 1])
def test_setting_the_wall_clock_moves_no_sweep(play: Play, times: Times, hours: int) -> None:
    """Setting the wall clock by hours changes no probe time, no standing and no overrun count."""

    async def scenario() -> None:
        async with sweeping(hosts=5) as one:
            await asyncio.sleep(5 * MINUTE)
            times.step = timedelta(hours=hours)
            await asyncio.sleep(5 * MINUTE)
            gaps = {round(b - a, 3) for a, b in pairwise(one.times_probed("h2")[1:])}
            assert gaps == {MINUTE}
            assert one.changes == []
            assert not one.holder.watchdog.stalled
            one.network.down["h2"] = "refused"
            await asyncio.sleep(2 * MINUTE)
            assert len(one.changes) == 1

    play(scenario())


def test_a_sweep_that_hangs_counts_as_stalled(play: Play) -> None:
    """A sweep that hangs is past the watchdog deadline soon after its own deadline."""

    async def scenario() -> None:
        async with sweeping(hosts=2) as one:
            for _ in range(10 * 60):
                await asyncio.sleep(1)
                assert not one.holder.watchdog.stalled
            one.session.hung = asyncio.Event()
            seen = []
            for _ in range(2):
                await asyncio.sleep(2 * MINUTE)
                seen.append(one.holder.watchdog.stalled)
            one.session.hung.set()
            await asyncio.sleep(1)
            assert [*seen, one.holder.watchdog.stalled] == [False, True, False]

    play(scenario())


@pytest.mark.parametrize("offset", [1.0, 20.0, 45.0])
def test_new_targets_are_not_shown_before_they_were_probed(play: Play, offset: float) -> None:
    """New targets are not shown before their first probe; a fault right after a reload is confirmed."""

    async def scenario() -> None:
        async with sweeping() as one:
            await asyncio.sleep(5 * MINUTE + offset)
            fresh = FakeSession(one.network, one.session.settings, plan=plan_of(60), identity="here")
            one.scheduler.adopt(fresh, hurry=True)
            one.network.down["h3"] = "refused"
            for _ in range(150):
                await asyncio.sleep(1)
                shown = one.holder.current.sweep
                outcomes = [row.verdict.outcome for row in shown.verdicts] if shown else []
                assert Outcome.UNKNOWN not in outcomes
            assert len(outcomes) == 60
            assert [row.target for row in one.changes] == ["row/h3:443"]

    play(scenario())


def test_a_new_configuration_takes_effect_between_sweeps(play: Play) -> None:
    """After a reload removed targets have no standing, others keep theirs, and the new schedule applies."""

    async def scenario() -> None:
        async with sweeping(hosts=5) as one:
            await asyncio.sleep(3 * MINUTE)
            since = one.holder.current.standings.targets[0].since
            other = make_simulation(hosts=3, interval=30.0).session
            other.network = one.network
            one.scheduler.adopt(other, hurry=True)
            await asyncio.sleep(3 * MINUTE)
        standings = one.holder.current.standings.targets
        assert [item.target for item in standings] == [f"row/h{number}:443" for number in range(3)]
        assert standings[0].since == since
        assert {round(b - a, 3) for a, b in pairwise(one.times_probed("h1")[-4:])} == {30.0}
        assert len(one.holder.current.counters.probes) == 3
        assert one.network.most_running == 1

    play(scenario())


@pytest.mark.parametrize(("hosts", "together"), [(1, 1), (20, 3), (150, 12), (1500, 12), (20_000, 16)])
def test_a_few_probes_start_together(hosts: int, together: int) -> None:
    """About five probes start together, of few targets fewer; over the whole window, at other moments on
    another host, and where the first window is shorter in the same order.
    """
    probes = plan_of(hosts).probes
    schedule = Schedule.of(Settings(), "here")
    regular = schedule.starts(probes, window=schedule.window)
    moments = Counter(regular.values())
    assert max(moments.values()) <= together
    assert hosts < 150 or len(moments) * 3 < hosts
    assert all(0 <= one < schedule.window for one in moments)
    assert hosts < 150 or max(b - a for a, b in pairwise(sorted(moments))) < 2
    elsewhere = Schedule.of(Settings(), "there").starts(probes, window=schedule.window)
    assert moments.keys().isdisjoint(elsewhere.values())
    first = schedule.starts(probes, window=schedule.first_window)
    shorter = schedule.first_window / schedule.window
    assert first == pytest.approx({name: at * shorter for name, at in regular.items()})


@pytest.mark.parametrize("interval", [1.0, 10.0, 30.0, 60.0, 300.0, 3600.0])
@pytest.mark.parametrize("deadline", [0.5, 5.0, 20.0, 120.0])
def test_the_schedule_never_waits_longer_than_the_interval(interval: float, deadline: float) -> None:
    """With any settings a target's next start is at most an interval after the last one."""
    schedule = Schedule.of(Settings(interval=interval, limits=Limits(deadline=deadline)), "here")
    assert 0 < schedule.first_window <= schedule.window <= interval / 2
    for place in (0.0, 0.3, 0.999):
        starts = [0.0 + place * schedule.first_window]
        starts += [schedule.start(number) + place * schedule.window for number in range(1, 5)]
        assert all(0 < b - a <= interval + 1e-6 for a, b in pairwise(starts))
    for elapsed in (0.1, interval * 0.99, interval * 1.5, interval * 7.2):
        number = schedule.after(elapsed)
        assert schedule.start(number) >= elapsed - 1e-6 or number == 1
        assert number == 1 or schedule.start(number - 1) < elapsed
