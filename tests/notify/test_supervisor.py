"""Delivery tasks on a clock that jumps: order, retries, refusals, reloads, shutdown, and independence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from egressd.model.notification import Receiver
from egressd.notify.result import DeliveryResult, failed, refused
from tests.daemon.jumping_clock import run
from tests.notify.samples import sample_receiver
from tests.notify.simulation import CHAT, HEARTBEAT, HOOK, Simulation, make_simulation, running_deliveries

Play = Callable[[Coroutine[Any, Any, None]], None]
MINUTE = 60.0
OTHER = replace(HOOK, name="other")


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run a test's coroutine on jumping time."""
    return lambda main: run(main, monkeypatch)


def down() -> DeliveryResult:
    return failed("hook.example:443: refused")


def ids(*numbers: int) -> list[str]:
    return [f"n{number}" for number in numbers]


def test_notices_arrive_in_order_once_and_only_after_they_were_saved(play: Play) -> None:
    """With a slow disk a notice is saved before it is sent, and removed before the next is sent."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK, OTHER)) as simulation:
            simulation.disk.slow = 3.0
            for _ in range(5):
                await simulation.enqueue(2)
            await asyncio.sleep(2 * MINUTE)
            assert simulation.received("hook") == simulation.received("other") == ids(*range(1, 11))
            assert simulation.unsaved == []
            assert simulation.sent_to("hook")[0].at >= 3
            assert simulation.holder.current.outbox.waiting == ()
            assert simulation.holder.current.counters.notifications == {"hook": 10, "other": 10}
            assert simulation.holder.current.counters.notifications_failed == {"hook": 0, "other": 0}

    play(scenario())


def test_a_notice_waits_for_others_and_many_are_a_digest(play: Play) -> None:
    """Few notices are messages of their own; more than the receiver's digest setting are one message."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(CHAT)) as simulation:
            await simulation.enqueue()
            await asyncio.sleep(2)
            await simulation.enqueue()
            await asyncio.sleep(MINUTE)
            assert [(one.at, one.ids) for one in simulation.sent_to("chat")] == [(5, ("n1",)), (7, ("n2",))]
            await simulation.enqueue(7)
            await asyncio.sleep(MINUTE)
            assert [one.ids for one in simulation.sent_to("chat")][2:] == [tuple(ids(*range(3, 10)))]

    play(scenario())


def test_a_receiver_that_stalls_delays_no_other(play: Play) -> None:
    """While one receiver hangs for its timeout each time, the others get their notices at once."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK, OTHER)) as simulation:
            simulation.answers["hook"], simulation.takes["hook"] = down, 10.0
            for _ in range(20):
                await simulation.enqueue()
                await asyncio.sleep(30)
            assert [one.at for one in simulation.sent_to("other")] == [30.0 * number for number in range(20)]
            assert set(simulation.received("hook")) == {"n1"}
            assert simulation.status("hook").waiting == 20
            del simulation.answers["hook"]
            await asyncio.sleep(10 * MINUTE)
            assert [one for one in simulation.received("hook") if one != "n1"] == ids(*range(2, 21))

    play(scenario())


def test_retries_back_off(play: Play) -> None:
    """Retries wait a second, doubling to five minutes, at least Retry-After; a success resets them."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK)) as simulation:
            simulation.answers["hook"] = down
            await simulation.enqueue()
            await asyncio.sleep(40 * MINUTE)
            gaps = [b.at - a.at for a, b in pairwise(simulation.sent_to("hook"))]
            wanted = [1.0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
            assert gaps[:12] == pytest.approx(wanted, rel=0.01)
            assert simulation.status("hook").failing_since == "2026-11-20T03:00:00.000Z"
            assert simulation.status("hook").why == "hook.example:443: refused"
            simulation.answers["hook"] = lambda: failed("busy", retry_after=900.0)
            await asyncio.sleep(20 * MINUTE)
            first, second = [one.at for one in simulation.sent_to("hook")][-2:]
            assert second - first == pytest.approx(900, rel=0.01)
            del simulation.answers["hook"]
            await asyncio.sleep(20 * MINUTE)
            status = simulation.status("hook")
            assert (status.failing_since, status.why, status.waiting) == (None, "", 0)
            counters = simulation.holder.current.counters
            tries = len(simulation.sent_to("hook"))
            assert (counters.notifications["hook"], counters.notifications_failed["hook"]) == (
                tries,
                tries - 1,
            )

    play(scenario())


def test_a_refused_notice_is_dropped_and_logged(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused notice is dropped, counted and logged; the next one is delivered."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK)) as simulation:
            answers = iter([refused("hook.example: 400 no such room")])
            simulation.answers["hook"] = lambda: next(answers, DeliveryResult(ok=True))
            await simulation.enqueue(3)
            await asyncio.sleep(MINUTE)
            assert simulation.received("hook") == ids(1, 2, 3)
            assert simulation.holder.current.counters.notifications_dropped == {"hook": 1}
            assert simulation.holder.current.outbox.waiting == ()

    play(scenario())
    output = capsys.readouterr().err
    assert output.count("notifications were refused and are dropped") == 1
    assert "400 no such room" in output


@pytest.mark.bugs
@pytest.mark.parametrize("bug", [True, False])
def test_one_notice_that_cannot_be_written_costs_no_other(play: Play, bug: bool) -> None:
    """A digest that fails for one of its notices is taken apart: only that one is dropped, in order."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(CHAT)) as simulation:

            def answer() -> DeliveryResult:
                if "n4" not in simulation.sent[-1].ids:
                    return DeliveryResult(ok=True)
                if bug:
                    raise UnicodeError("a character that nobody can write")
                return refused("chat.example answered 413")

            simulation.answers["chat"] = answer
            await simulation.enqueue(7)
            await asyncio.sleep(10 * MINUTE)
            told = [one.ids for one in simulation.sent_to("chat") if "n4" not in one.ids]
            assert told == [("n1",), ("n2",), ("n3",), ("n5",), ("n6",), ("n7",)]
            assert simulation.holder.current.counters.notifications_dropped == {"chat": 1}
            assert simulation.holder.current.outbox.waiting == ()
            await simulation.enqueue(7)
            await asyncio.sleep(MINUTE)
            assert len(simulation.sent_to("chat")[-1].ids) == 7

    with capture_logs():
        play(scenario())


@pytest.mark.parametrize("receiver", [HOOK, CHAT])
def test_a_notice_that_its_receiver_never_takes_does_not_keep_the_others(
    play: Play, receiver: Receiver
) -> None:
    """A receiver that answers one message by an error for ever gets the next ones; the one is set aside."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(receiver)) as simulation:
            simulation.answers[receiver.name] = lambda: (
                failed("answered 500", answered=True)
                if "n2" in simulation.sent[-1].ids
                else DeliveryResult(ok=True)
            )
            await simulation.enqueue(5)
            await asyncio.sleep(60 * MINUTE)
            told = [one.ids for one in simulation.sent_to(receiver.name) if "n2" not in one.ids]
            assert sorted(told) == [("n1",), ("n3",), ("n4",), ("n5",)]
            assert simulation.holder.current.outbox.waiting == ()
            assert simulation.holder.current.counters.notifications_dropped == {receiver.name: 1}

    play(scenario())


def test_a_receiver_that_takes_nothing_loses_nothing(play: Play) -> None:
    """Where the next message fails too, it is the receiver: all waits, and arrives in order, once."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK)) as simulation:
            simulation.answers["hook"] = lambda: failed("answered 403", answered=True)
            await simulation.enqueue(4)
            await asyncio.sleep(300 * MINUTE)
            assert len(simulation.holder.current.outbox.waiting) == 4
            del simulation.answers["hook"]
            simulation.sent.clear()
            await asyncio.sleep(10 * MINUTE)
            assert simulation.received("hook") == ids(1, 2, 3, 4)
            assert simulation.holder.current.counters.notifications_dropped == {"hook": 0}

    play(scenario())


def test_dropped_notices_are_counted_logged_and_reported_once(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest are kept, the number dropped is reported to the receiver and logged once."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(replace(HOOK, queue=4))) as simulation:
            simulation.answers["hook"] = down
            for _ in range(10):
                await simulation.overflow()
                await asyncio.sleep(MINUTE)
                assert simulation.status("hook").waiting <= 4
            del simulation.answers["hook"]
            await asyncio.sleep(10 * MINUTE)
            arrived = [one for one in simulation.sent_to("hook") if one.at > 10 * MINUTE]
            assert [one.ids[0] for one in arrived] == ids(7, 8, 9, 10)
            assert [one.dropped for one in arrived] == [6, 0, 0, 0]
            assert simulation.holder.current.counters.notifications_dropped == {"hook": 6}

    play(scenario())
    output = capsys.readouterr().err
    assert output.count("the queue of a receiver is full") == 1
    assert output.count("dropped notifications were reported to a receiver") == 1


def test_a_message_that_arrived_in_part_is_continued(play: Play) -> None:
    """Delivered notices leave the queue, and a message continues with the part that failed."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(CHAT)) as simulation:
            answers = iter([DeliveryResult(ok=False, retry=True, why="cut off", parts=2)])
            simulation.answers["chat"] = lambda: next(answers, DeliveryResult(ok=True))
            await simulation.enqueue(5)
            await asyncio.sleep(5.5)
            await simulation.enqueue(5)  # must not change the message that has begun
            await asyncio.sleep(MINUTE)
            first, again, rest = simulation.sent_to("chat")
            assert first.ids == again.ids == tuple(ids(1, 2, 3, 4, 5))
            assert (first.skip, again.skip, rest.skip) == (0, 2, 0)
            assert rest.ids == tuple(ids(6, 7, 8, 9, 10))

    play(scenario())


def test_a_restart_loses_and_repeats_nothing(play: Play) -> None:
    """With repeated restarts while the receiver is down, all notices arrive in order, once."""

    async def scenario() -> None:
        left, received = None, list[str]()
        for life in range(6):
            async with running_deliveries(make_simulation(HOOK, before=left)) as simulation:
                simulation.count = 10 * life
                if life < 5:
                    simulation.answers["hook"] = down
                    for _ in range(10):
                        await simulation.enqueue()
                        await asyncio.sleep(MINUTE)
                else:
                    await asyncio.sleep(MINUTE)
                    received = simulation.received("hook")
            left = simulation.disk.saved
        assert received == ids(*range(1, 51))

    play(scenario())


def test_reloads_change_transports_and_lose_nothing(play: Play) -> None:
    """A running delivery completes; a changed transport is tried at once; a removed receiver gets nothing."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK, OTHER)) as simulation:
            simulation.takes["hook"] = 8.0
            await simulation.enqueue(3)
            for number in range(100):
                await simulation.configure(replace(HOOK, timeout=10.0 + number % 3), OTHER)
                await asyncio.sleep(0.1)
            await asyncio.sleep(MINUTE)
            assert simulation.received("hook") == simulation.received("other") == ids(1, 2, 3)
            simulation.answers["hook"], simulation.takes["hook"] = down, 0.0
            await simulation.enqueue()
            await asyncio.sleep(30 * MINUTE)
            del simulation.answers["hook"]
            tries = len(simulation.sent_to("hook"))
            await simulation.configure(replace(HOOK, timeout=20.0), OTHER)
            await asyncio.sleep(1)
            assert len(simulation.sent_to("hook")) == tries + 1
            simulation.answers["other"] = down
            await simulation.enqueue(2)
            await simulation.configure(HOOK)
            await asyncio.sleep(30 * MINUTE)
            assert simulation.received("other")[-1] == "n5"
            assert simulation.holder.current.outbox.waiting == ()
            assert set(simulation.holder.current.counters.notifications) == {"hook"}
            await simulation.configure(HOOK, OTHER)
            await simulation.enqueue()
            await asyncio.sleep(30 * MINUTE)
            assert set(simulation.received("other")[-1:]) == {"n7"}

    play(scenario())


def test_at_shutdown_due_notices_are_tried_and_the_rest_is_kept(play: Play) -> None:
    """Nothing waits for a digest any more; a failed delivery is not retried; one that hangs is abandoned."""

    async def scenario() -> None:
        simulation = make_simulation(HOOK, CHAT, OTHER)
        simulation.answers["other"] = down
        async with running_deliveries(simulation):
            await asyncio.sleep(1)
            await simulation.enqueue(2)
            await asyncio.sleep(0.1)
            tries = len(simulation.sent_to("other"))
            simulation.delivery_store.wakeup.close()
            await asyncio.sleep(0.1)
            assert simulation.received("chat") == simulation.received("hook") == ids(1, 2)
            assert len(simulation.sent_to("other")) == tries
        assert simulation.disk.saved is not None
        assert [one.receiver for one in simulation.disk.saved.outbox.waiting] == ["other", "other"]

    play(scenario())


@pytest.mark.bugs
def test_an_unexpected_exception_costs_one_notice_at_most(play: Play) -> None:
    """It is logged once with a traceback and retried; then the next notice is tried. Others go on."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK, OTHER)) as simulation:

            def raise_once() -> DeliveryResult:
                return DeliveryResult(ok=1 // len(simulation.sent_to("hook")[5:]) >= 0)

            simulation.answers["hook"] = raise_once
            await simulation.enqueue(2)
            await asyncio.sleep(5 * MINUTE)
            assert simulation.received("hook") == ids(1, 1, 1, 1, 1, 2)
            assert simulation.received("other") == ids(1, 2)
            assert simulation.holder.current.counters.notifications_dropped["hook"] == 1

    with capture_logs() as output:
        play(scenario())
    (bug,) = [line for line in output if line["event"].startswith("internal error")]
    assert (bug["receiver"], bug["part"], type(bug["exc_info"])) == ("hook", "delivery", ZeroDivisionError)


def test_a_heartbeat_is_called_after_sweeps_only(play: Play) -> None:
    """One call for each completed sweep, none as time passes, and none for sweeps before a restart."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HEARTBEAT, HOOK)) as simulation:
            await simulation.enqueue()
            await asyncio.sleep(10 * MINUTE)
            assert simulation.sent_to("heart") == []
            for _ in range(3):
                await simulation.sweep()
                await asyncio.sleep(MINUTE)
            assert [one.at for one in simulation.sent_to("heart")] == [600, 660, 720]
            await asyncio.sleep(60 * MINUTE)
            assert len(simulation.sent_to("heart")) == 3

    play(scenario())


def test_a_heartbeat_is_not_retried_after_its_interval(play: Play) -> None:
    """A sweep whose call failed within its interval is not called for later."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(replace(HEARTBEAT, timeout=500.0))) as simulation:
            simulation.answers["heart"] = down
            await simulation.sweep()
            await asyncio.sleep(60 * MINUTE)
            tries = simulation.sent_to("heart")
            assert 3 < len(tries) < 8
            assert tries[-1].at <= MINUTE
            assert {one.timeout for one in tries} == {48.0}
            del simulation.answers["heart"]
            await asyncio.sleep(60 * MINUTE)
            assert len(simulation.sent_to("heart")) == len(tries)
            await simulation.sweep()
            await asyncio.sleep(1)
            assert len(simulation.sent_to("heart")) == len(tries) + 1
            assert simulation.status("heart").failing_since is None

    play(scenario())


def test_a_changed_type_gets_another_worker(play: Play) -> None:
    """A webhook that becomes a heartbeat is called for sweeps and gets no more notices."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK)) as simulation:
            simulation.answers["hook"] = down
            await simulation.enqueue()
            await asyncio.sleep(1)
            await simulation.configure(sample_receiver("heartbeat"))
            tries = len(simulation.sent_to("hook"))
            await asyncio.sleep(1)
            await simulation.sweep()
            await asyncio.sleep(10)
            assert [one.ids for one in simulation.sent_to("hook")][tries:][0] == ()
            assert simulation.holder.current.outbox.waiting == ()

    play(scenario())


def test_the_store_implements_the_protocol(play: Play) -> None:
    """The simulation detects a delivery of a notice that is not on the disk."""

    async def scenario() -> None:
        simulation: Simulation = make_simulation(HOOK)
        async with running_deliveries(simulation):
            await simulation.enqueue()
            simulation.disk.saved = replace(
                simulation.holder.current, outbox=replace(simulation.holder.current.outbox, waiting=())
            )
            await asyncio.sleep(1)
            assert len(simulation.unsaved) == 1

    play(scenario())
