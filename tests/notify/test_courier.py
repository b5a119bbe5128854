"""Couriers on a clock that jumps: order, patience, refusals, reloads, the end; and who delays whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from egressd.notify.result import DeliveryResult, failed, refused
from tests.daemon.timeless import run
from tests.notify.place import CHAT, HEART, HOOK, Place, at_work, make_place
from tests.notify.samples import sample_receiver

Play = Callable[[Coroutine[Any, Any, None]], None]
MINUTE = 60.0
OTHER = replace(HOOK, name="other")


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run a test's content on jumping time."""
    return lambda main: run(main, monkeypatch)


def down() -> DeliveryResult:
    return failed("hook.example:443: refused")


def ids(*numbers: int) -> list[str]:
    return [f"n{number}" for number in numbers]


def test_in_order_once_and_never_before_it_was_saved(play: Play) -> None:
    """However slow the disk is: what is sent is on it, and is gone from it before the next is sent."""

    async def scenario() -> None:
        async with at_work(make_place(HOOK, OTHER)) as place:
            place.disk.slow = 3.0
            for _ in range(5):
                await place.say(2)
            await asyncio.sleep(2 * MINUTE)
            assert place.told("hook") == place.told("other") == ids(*range(1, 11))
            assert place.unsaved == []
            assert place.to("hook")[0].at >= 3
            assert place.holder.current.outbox.waiting == ()
            assert place.holder.current.counters.notifications == {"hook": 10, "other": 10}
            assert place.holder.current.counters.notifications_failed == {"hook": 0, "other": 0}

    play(scenario())


def test_a_notice_waits_for_others_and_many_are_a_digest(play: Play) -> None:
    """Each waits, and few are messages of their own; more than the receiver's digest are one."""

    async def scenario() -> None:
        async with at_work(make_place(CHAT)) as place:
            await place.say()
            await asyncio.sleep(2)
            await place.say()
            await asyncio.sleep(MINUTE)
            assert [(one.at, one.ids) for one in place.to("chat")] == [(5, ("n1",)), (7, ("n2",))]
            await place.say(7)
            await asyncio.sleep(MINUTE)
            assert [one.ids for one in place.to("chat")][2:] == [tuple(ids(*range(3, 10)))]

    play(scenario())


def test_who_does_not_answer_delays_nobody(play: Play) -> None:
    """One hangs for its whole timeout again and again; the others hear at once."""

    async def scenario() -> None:
        async with at_work(make_place(HOOK, OTHER)) as place:
            place.answers["hook"], place.takes["hook"] = down, 10.0
            for _ in range(20):
                await place.say()
                await asyncio.sleep(30)
            assert [one.at for one in place.to("other")] == [30.0 * number for number in range(20)]
            assert set(place.told("hook")) == {"n1"}
            assert place.status("hook").waiting == 20
            del place.answers["hook"]
            await asyncio.sleep(10 * MINUTE)
            assert [one for one in place.told("hook") if one != "n1"] == ids(*range(2, 21))

    play(scenario())


def test_it_is_tried_again_later_and_later(play: Play) -> None:
    """A second, doubling to five minutes; what the server asks for is not undercut; success begins anew."""

    async def scenario() -> None:
        async with at_work(make_place(HOOK)) as place:
            place.answers["hook"] = down
            await place.say()
            await asyncio.sleep(40 * MINUTE)
            gaps = [b.at - a.at for a, b in pairwise(place.to("hook"))]
            wanted = [1.0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
            assert gaps[:12] == pytest.approx(wanted, rel=0.01)
            assert place.status("hook").failing_since == "2026-11-20T03:00:00.000Z"
            assert place.status("hook").why == "hook.example:443: refused"
            place.answers["hook"] = lambda: failed("busy", retry_after=900.0)
            await asyncio.sleep(20 * MINUTE)
            first, second = [one.at for one in place.to("hook")][-2:]
            assert second - first == pytest.approx(900, rel=0.01)
            del place.answers["hook"]
            await asyncio.sleep(20 * MINUTE)
            status = place.status("hook")
            assert (status.failing_since, status.why, status.waiting) == (None, "", 0)
            counters = place.holder.current.counters
            tries = len(place.to("hook"))
            assert (counters.notifications["hook"], counters.notifications_failed["hook"]) == (
                tries,
                tries - 1,
            )

    play(scenario())


def test_what_is_refused_is_given_up_aloud(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    """It is dropped, counted and said; the next one goes on."""

    async def scenario() -> None:
        async with at_work(make_place(HOOK)) as place:
            answers = iter([refused("hook.example: 400 no such room")])
            place.answers["hook"] = lambda: next(answers, DeliveryResult(ok=True))
            await place.say(3)
            await asyncio.sleep(MINUTE)
            assert place.told("hook") == ids(1, 2, 3)
            assert place.holder.current.counters.notifications_dropped == {"hook": 1}
            assert place.holder.current.outbox.waiting == ()

    play(scenario())
    said = capsys.readouterr().out
    assert said.count("notifications were refused and are dropped") == 1
    assert "400 no such room" in said


def test_what_the_bound_costs_is_counted_told_and_said_once(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest are kept, the receiver is told how many are missing, and the log once that it happens."""

    async def scenario() -> None:
        async with at_work(make_place(replace(HOOK, queue=4))) as place:
            place.answers["hook"] = down
            for _ in range(10):
                await place.overflow()
                await asyncio.sleep(MINUTE)
                assert place.status("hook").waiting <= 4
            del place.answers["hook"]
            await asyncio.sleep(10 * MINUTE)
            arrived = [one for one in place.to("hook") if one.at > 10 * MINUTE]
            assert [one.ids[0] for one in arrived] == ids(7, 8, 9, 10)
            assert [one.dropped for one in arrived] == [6, 0, 0, 0]
            assert place.holder.current.counters.notifications_dropped == {"hook": 6}

    play(scenario())
    said = capsys.readouterr().out
    assert said.count("the queue of a receiver is full") == 1
    assert said.count("dropped notifications were reported to a receiver") == 1


def test_a_message_in_parts_is_gone_on_with(play: Play) -> None:
    """What has arrived of a batch leaves the queue, and a message goes on with the part that failed."""

    async def scenario() -> None:
        async with at_work(make_place(CHAT)) as place:
            answers = iter([DeliveryResult(ok=False, retry=True, why="cut off", parts=2)])
            place.answers["chat"] = lambda: next(answers, DeliveryResult(ok=True))
            await place.say(5)
            await asyncio.sleep(5.5)
            await place.say(5)  # must not change the message that has begun
            await asyncio.sleep(MINUTE)
            first, again, rest = place.to("chat")
            assert first.ids == again.ids == tuple(ids(1, 2, 3, 4, 5))
            assert (first.skip, again.skip, rest.skip) == (0, 2, 0)
            assert rest.ids == tuple(ids(6, 7, 8, 9, 10))

    play(scenario())


def test_a_restart_loses_and_repeats_nothing(play: Play) -> None:
    """Cut off in the middle of a cut network, again and again: all arrives in order, once."""

    async def scenario() -> None:
        left, told = None, list[str]()
        for life in range(6):
            async with at_work(make_place(HOOK, before=left)) as place:
                place.count = 10 * life
                if life < 5:
                    place.answers["hook"] = down
                    for _ in range(10):
                        await place.say()
                        await asyncio.sleep(MINUTE)
                else:
                    await asyncio.sleep(MINUTE)
                    told = place.told("hook")
            left = place.disk.saved
        assert told == ids(*range(1, 51))

    play(scenario())


def test_reloads_change_ways_and_lose_nothing(play: Play) -> None:
    """A delivery under way ends; a changed transport is tried at once; a removed receiver gets nothing."""

    async def scenario() -> None:
        async with at_work(make_place(HOOK, OTHER)) as place:
            place.takes["hook"] = 8.0
            await place.say(3)
            for number in range(100):
                await place.configure(replace(HOOK, timeout=10.0 + number % 3), OTHER)
                await asyncio.sleep(0.1)
            await asyncio.sleep(MINUTE)
            assert place.told("hook") == place.told("other") == ids(1, 2, 3)
            place.answers["hook"], place.takes["hook"] = down, 0.0
            await place.say()
            await asyncio.sleep(30 * MINUTE)
            del place.answers["hook"]
            tries = len(place.to("hook"))
            await place.configure(replace(HOOK, timeout=20.0), OTHER)
            await asyncio.sleep(1)
            assert len(place.to("hook")) == tries + 1
            place.answers["other"] = down
            await place.say(2)
            await place.configure(HOOK)
            await asyncio.sleep(30 * MINUTE)
            assert place.told("other")[-1] == "n5"
            assert place.holder.current.outbox.waiting == ()
            assert set(place.holder.current.counters.notifications) == {"hook"}
            await place.configure(HOOK, OTHER)
            await place.say()
            await asyncio.sleep(30 * MINUTE)
            assert set(place.told("other")[-1:]) == {"n7"}

    play(scenario())


def test_at_the_end_what_is_due_is_tried_and_the_rest_is_kept(play: Play) -> None:
    """Nobody waits for others any more; who failed is not tried again; who hangs is left."""

    async def scenario() -> None:
        place = make_place(HOOK, CHAT, OTHER)
        place.answers["other"] = down
        async with at_work(place):
            await asyncio.sleep(1)
            await place.say(2)
            await asyncio.sleep(0.1)
            tries = len(place.to("other"))
            place.desk.wakeup.close()
            await asyncio.sleep(0.1)
            assert place.told("chat") == place.told("hook") == ids(1, 2)
            assert len(place.to("other")) == tries
        assert place.disk.saved is not None
        assert [one.receiver for one in place.disk.saved.outbox.waiting] == ["other", "other"]

    play(scenario())


def test_a_bug_of_ours_costs_one_notice_at_most(play: Play) -> None:
    """It is logged with a traceback and tried again; then the next one goes on, and nobody else notices."""

    async def scenario() -> None:
        async with at_work(make_place(HOOK, OTHER)) as place:

            def stumble() -> DeliveryResult:
                return DeliveryResult(ok=1 // len(place.to("hook")[5:]) >= 0)

            place.answers["hook"] = stumble
            await place.say(2)
            await asyncio.sleep(5 * MINUTE)
            assert place.told("hook") == ids(1, 1, 1, 1, 1, 2)
            assert place.told("other") == ids(1, 2)
            assert place.holder.current.counters.notifications_dropped["hook"] == 1

    with capture_logs() as said:
        play(scenario())
    bugs = [line for line in said if line["event"] == "a bug in a delivery"]
    assert [(line["receiver"], line["exc_info"]) for line in bugs] == [("hook", True)] * 5


def test_a_heartbeat_beats_for_sweeps_only(play: Play) -> None:
    """One call for each completed sweep, none because time passes, and none for a sweep of a life before."""

    async def scenario() -> None:
        async with at_work(make_place(HEART, HOOK)) as place:
            await place.say()
            await asyncio.sleep(10 * MINUTE)
            assert place.to("heart") == []
            for _ in range(3):
                await place.sweep()
                await asyncio.sleep(MINUTE)
            assert [one.at for one in place.to("heart")] == [600, 660, 720]
            await asyncio.sleep(60 * MINUTE)
            assert len(place.to("heart")) == 3

    play(scenario())


def test_a_heartbeat_is_never_late(play: Play) -> None:
    """A sweep that could not be told of within its interval is not told of later: it says nothing of now."""

    async def scenario() -> None:
        async with at_work(make_place(replace(HEART, timeout=500.0))) as place:
            place.answers["heart"] = down
            await place.sweep()
            await asyncio.sleep(60 * MINUTE)
            tries = place.to("heart")
            assert 3 < len(tries) < 8
            assert tries[-1].at <= MINUTE
            assert {one.timeout for one in tries} == {48.0}
            del place.answers["heart"]
            await asyncio.sleep(60 * MINUTE)
            assert len(place.to("heart")) == len(tries)
            await place.sweep()
            await asyncio.sleep(1)
            assert len(place.to("heart")) == len(tries) + 1
            assert place.status("heart").failing_since is None

    play(scenario())


def test_a_kind_that_changes_is_another_task(play: Play) -> None:
    """What was a webhook and is a heartbeat now is called for sweeps, and hears no notice more."""

    async def scenario() -> None:
        async with at_work(make_place(HOOK)) as place:
            place.answers["hook"] = down
            await place.say()
            await asyncio.sleep(1)
            await place.configure(sample_receiver("heartbeat"))
            tries = len(place.to("hook"))
            await asyncio.sleep(1)
            await place.sweep()
            await asyncio.sleep(10)
            assert [one.ids for one in place.to("hook")][tries:][0] == ()
            assert place.holder.current.outbox.waiting == ()

    play(scenario())


def test_a_place_is_what_it_says(play: Play) -> None:
    """The fake would notice a notice that is not on the disk."""

    async def scenario() -> None:
        place: Place = make_place(HOOK)
        async with at_work(place):
            await place.say()
            place.disk.saved = replace(
                place.holder.current, outbox=replace(place.holder.current.outbox, waiting=())
            )
            await asyncio.sleep(1)
            assert len(place.unsaved) == 1

    play(scenario())
