"""Evaluating alerts after a sweep and as time passes, on a simulated clock and without a network."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from egressd import clock
from egressd.alerting import active_silences, advance_alerts
from egressd.daemon import state_store
from egressd.daemon.evaluate import Evaluation, fit_receivers, take_over_alerts
from egressd.daemon.event_log import status_line
from egressd.daemon.holder import SnapshotHolder
from egressd.model.alert import AlertName, AlertState, NoticeKind, Outbox, Silence
from egressd.model.endpoint import Need
from egressd.model.event import NoticePosted
from egressd.model.notification import Alerting, Notify, Receiver, Severity, TimeInterval
from egressd.model.snapshot import ReceiverStatus, Snapshot
from egressd.notify.outbox import enqueue
from egressd.state.silences import FILE, SilencesFile, write_silences
from tests.alerting.simulation import AlertSimulation
from tests.daemon.jumping_clock import run
from tests.daemon.simulation import SchedulerSimulation, make_simulation
from tests.notify.notices import alert, condition, notice
from tests.notify.samples import sample_receiver
from tests.notify.simulation import CHAT, HOOK, PEERS

Play = Callable[[Coroutine[Any, Any, None]], None]
MINUTE = 60.0


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run a test on a simulated clock."""
    return lambda main: run(main, monkeypatch)


def failing(*receivers: Receiver) -> tuple[AlertSimulation, Snapshot]:
    """Return a simulation in which a target has failed for long enough, and no notice was sent."""
    simulation = AlertSimulation(targets={"a": Need.REQUIRED, "b": Need.REQUIRED})
    simulation.repeat(2)
    simulation.repeat(4, {"a": "blocked:tls_reset"})
    settings = replace(simulation.snapshot.settings, notify=Notify(receivers=receivers))
    return simulation, replace(simulation.snapshot, alerts=(), settings=settings)


def evaluate(snapshot: Snapshot, silences: tuple[Silence, ...], *, now: datetime) -> Evaluation:
    """Advance the alerts and queue their notices."""
    return take_over_alerts(snapshot, *advance_alerts(snapshot, silences, now=now), silences)


def test_an_evaluation_queues_the_notices_that_are_due() -> None:
    """An evaluation queues a notice for each receiver with a queue, and one event that names them."""
    simulation, snapshot = failing(HOOK, CHAT, PEERS)
    evaluation = evaluate(snapshot, (), now=simulation.now)
    (event,) = evaluation.events
    assert (event.notice_kind, event.alertname, event.targets) == (
        NoticeKind.OPENED,
        AlertName.UNREACHABLE,
        ("a",),
    )
    assert event.receivers == ("hook", "chat", "am")
    waiting = [(one.receiver, one.notice.id) for one in evaluation.snapshot.outbox.waiting]
    assert waiting == [("hook", event.notice), ("chat", event.notice)]
    assert [(one.name, one.waiting) for one in evaluation.snapshot.receivers] == [
        ("hook", 1),
        ("chat", 1),
        ("am", 0),
    ]
    again = evaluate(evaluation.snapshot, (), now=simulation.now)
    assert (again.events, again.snapshot.outbox) == ((), evaluation.snapshot.outbox)


def test_an_evaluation_shows_silences_and_sends_nothing() -> None:
    """A silenced alert stays pending, and is notified when the silence ends."""
    simulation, snapshot = failing(HOOK)
    ends = simulation.now + timedelta(minutes=30)
    by_hand = Silence(
        name="change",
        began=clock.timestamp(simulation.now),
        ends=clock.timestamp(ends),
        reason="a rule",
        by="ann",
    )
    planned = TimeInterval(name="nightly", schedule="0 3 * * *", seconds=3600)
    snapshot = replace(
        snapshot, settings=replace(snapshot.settings, alerting=Alerting(instance="x", maintenance=(planned,)))
    )
    silences = active_silences((planned,), (by_hand,), simulation.now)
    evaluation = evaluate(snapshot, silences, now=simulation.now)
    assert (evaluation.events, evaluation.snapshot.outbox.waiting) == ((), ())
    assert [(one.name, one.by, one.reason) for one in evaluation.snapshot.silences] == [
        ("nightly", "", ""),
        ("change", "ann", "a rule"),
    ]
    (quiet,) = evaluation.snapshot.alerts
    assert quiet.suppressed_by == ("maintenance/nightly", "maintenance/change")
    later = simulation.now + timedelta(hours=1)
    after = evaluate(evaluation.snapshot, active_silences((planned,), (by_hand,), later), now=later)
    assert [one.notice_kind for one in after.events] == [NoticeKind.OPENED]
    assert after.snapshot.silences == ()


def test_notices_dropped_by_a_full_queue_are_counted() -> None:
    """The evaluation returns the number dropped; the counter only grows."""
    simulation, snapshot = failing(replace(HOOK, queue=1))
    full = enqueue(Outbox(), [(notice(1, at=clock.timestamp(simulation.now)), ["hook"])], {"hook": 1})
    evaluation = evaluate(replace(snapshot, outbox=full), (), now=simulation.now)
    assert evaluation.dropped == (("hook", 1),)
    assert evaluation.snapshot.counters.notifications_dropped == {"hook": 1}
    assert evaluation.snapshot.receivers[0].waiting == 1


def test_state_is_adapted_to_the_configured_receivers() -> None:
    """New receivers start at 0, removed ones' notices are named, and failures outlast a restart."""
    simulation, snapshot = failing(HOOK, PEERS)
    outbox = enqueue(Outbox(), [(notice(1, at=clock.timestamp(simulation.now)), ["gone"])], {"gone": 5})
    about = condition(
        "hook",
        id=f"{AlertName.NOTIFICATIONS_FAILING}/hook",
        alertname=AlertName.NOTIFICATIONS_FAILING,
        labels=(("instance", "x"), ("receiver", "hook")),
        evidence=("refused",),
    )
    fitted, lost = fit_receivers(replace(snapshot, outbox=outbox, alerts=(alert("hook", condition=about),)))
    assert lost == (("gone", 1),)
    assert fitted.outbox.waiting == ()
    for counts in (
        fitted.counters.notifications,
        fitted.counters.notifications_failed,
        fitted.counters.notifications_dropped,
    ):
        assert counts == {"hook": 0, "am": 0}
    hook, peers = fitted.receivers
    assert (hook.failing_since, hook.unreached_since, hook.why) == (about.since, about.since, "refused")
    assert peers == ReceiverStatus(name="am")


def test_alerts_are_evaluated_between_sweeps(play: Play) -> None:
    """An alert with a hold time fires when it is over, also between two sweeps an hour apart."""

    async def main() -> None:
        one = with_receiver(make_simulation(hosts=3, interval=3600.0))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.scheduler.run()), group.create_task(one.scheduler.store.run())]
            await asyncio.sleep(10 * MINUTE)
            one.holder.update(
                receivers=(ReceiverStatus(name="hook", failing_since=clock.timestamp(), why="x"),)
            )
            await asyncio.sleep(4 * MINUTE)
            assert notices(one) == []
            await asyncio.sleep(90)
            assert notices(one) == [(NoticeKind.OPENED, AlertName.NOTIFICATIONS_FAILING)]
            for task in tasks:
                task.cancel()

    play(main())


async def inline(work: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Run work in place of a thread, which a simulated clock does not wait for."""
    return work(*given, **named)


def test_a_silence_opened_by_hand_is_active_at_once(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is checked every few seconds; a damaged one changes nothing, and is logged once."""

    async def main() -> None:
        one = with_receiver(make_simulation(hosts=3))
        store = one.scheduler.store
        async with asyncio.TaskGroup() as group:
            store.silences_file = SilencesFile(tmp_path)
            task = group.create_task(store.run())
            await asyncio.sleep(10)
            now = clock.now()
            silence = Silence(
                name="change",
                began=clock.timestamp(now),
                ends=clock.timestamp(now + timedelta(minutes=10)),
                reason="r",
            )
            write_silences(tmp_path, (silence,), now=now)
            await asyncio.sleep(3)
            assert [each.name for each in one.holder.current.silences] == ["change"]
            (tmp_path / FILE).write_text("{", encoding="utf-8")
            await asyncio.sleep(30)
            assert [each.name for each in one.holder.current.silences] == ["change"]
            await asyncio.sleep(10 * MINUTE)
            assert one.holder.current.silences == ()
            task.cancel()

    monkeypatch.setattr(asyncio, "to_thread", inline)
    with capture_logs() as log:
        play(main())
    assert [line["event"] for line in log].count("silences can't be read, those before stay") == 1


def test_a_fault_is_notified_with_the_pass_that_confirms_it(play: Play) -> None:
    """Alert, queued notice and event are set in one snapshot, and saved together."""

    async def main() -> None:
        one = with_receiver(make_simulation(hosts=5))
        swaps: list[tuple[int, int]] = []
        keeper: Any = one.scheduler.store.keeper
        plain = keeper.save

        async def save(snapshot: Snapshot, events: tuple[Any, ...], found: tuple[Any, ...]) -> Any:
            posted = sum(isinstance(each, NoticePosted) for each in events)
            swaps.append((posted, len(snapshot.outbox.waiting)))
            return await plain(snapshot, events, found)

        keeper.save = save
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.scheduler.run())
            await asyncio.sleep(3 * MINUTE)
            one.network.down["h3"] = "refused"
            await asyncio.sleep(2 * MINUTE)
            task.cancel()
        assert notices(one) == [(NoticeKind.OPENED, AlertName.UNREACHABLE)]
        assert [pair for pair in swaps if pair[0]] == [(1, 1)]
        assert next(waiting for posted, waiting in swaps if not posted) == 0

    play(main())


def with_receiver(one: SchedulerSimulation) -> SchedulerSimulation:
    """Configure a receiver."""
    hook = sample_receiver("webhook")
    settings = replace(one.holder.current.settings, notify=Notify(receivers=(hook,)))
    one.scheduler.store.adopt(replace(one.holder.current, settings=settings))
    return one


def notices(one: SchedulerSimulation) -> list[tuple[NoticeKind, AlertName]]:
    return [(each.notice_kind, each.alertname) for each in one.events if isinstance(each, NoticePosted)]


def test_the_status_line_counts_alerts() -> None:
    """The status line counts open alerts by severity, active silences and failing receivers."""
    _, snapshot = failing(HOOK)
    assert "alert" not in status_line(snapshot, stalled=False)
    mild = alert("b", condition=condition("b", severity=Severity.WARNING))
    shown = replace(
        snapshot,
        alerts=(alert("a"), mild, alert("c", AlertState.PENDING), alert("d", AlertState.RESOLVED)),
        silences=(Silence(name="change", began="", ends=""),),
        receivers=(ReceiverStatus(name="hook", failing_since="2026-11-20T03:00:00.000Z"),),
    )
    assert status_line(shown, stalled=False).endswith(
        "; 2 alerts (1 critical, 1 warning); silenced: change; notifications can't be delivered to hook"
    )
    assert (
        json.dumps(status_line(replace(shown, alerts=(mild,)), stalled=False)).count("1 alert (1 warning)")
        == 1
    )


def test_what_changes_while_a_pass_is_taken_in_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standings and alerts advance beside the loop, so that scrapes go on; deliveries and reloads that happen
    meanwhile stay.
    """
    threads: list[bool] = []
    began, changed = threading.Event(), threading.Event()

    def slow(snapshot: Snapshot, *rest: Any, **named: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        began.set()
        assert changed.wait(20)
        return advance_alerts(snapshot, *rest, **named)

    monkeypatch.setattr(state_store, "advance_alerts", slow)

    async def change_during(step: Coroutine[Any, Any, Any], holder: SnapshotHolder) -> Snapshot:
        """Let a delivery and a reload happen while something advances; return what is current then."""
        running = asyncio.create_task(step)
        assert await asyncio.to_thread(began.wait, 20)
        holder.update(
            settings=replace(holder.current.settings, interval=77.0),
            counters=replace(holder.current.counters, notifications={"hook": 5}),
            outbox=enqueue(Outbox(), [(notice(1), ["hook"])], {"hook": 9}),
        )
        changed.set()
        await running
        return holder.current

    async def main() -> None:
        simulation = make_simulation(hosts=3)
        one = simulation.scheduler
        of = await one.session.probe()
        probes = frozenset(one.session.results.records)
        passing = one.store.apply(one.session, of=of, probes=probes, seconds=1.0)
        for step in (passing, one.store.tick()):
            after = await change_during(step, one.store.holder)
            assert (after.settings.interval, after.counters.notifications) == (77.0, {"hook": 5})
            assert [each.receiver for each in after.outbox.waiting] == ["hook"]
            assert (after.counters.sweeps, len(after.counters.probes)) == (1, 3)
            assert len(after.standings.targets) == 3
            one.store.holder.update(outbox=Outbox())
            began.clear()
            changed.clear()

    asyncio.run(main())
    assert threads == [False, False]


def test_an_evaluation_without_news_leaves_the_snapshot_as_it_is() -> None:
    """What was written of a snapshot, such as the metrics, holds until something changes: a second scraper
    costs little.
    """

    async def main() -> None:
        one = make_simulation(hosts=3)
        one.network.down["h1"] = "refused"
        store, session = one.scheduler.store, one.scheduler.session
        for _ in range(2):
            of = await session.probe()
            await store.apply(session, of=of, probes=frozenset(session.results.records), seconds=1.0)
        before = one.holder.current
        assert before.alerts
        await store.tick()
        assert one.holder.current is before
        store.silences = (Silence(name="change", began="2020-01-01T00:00:00Z", ends="2099-01-01T00:00:00Z"),)
        await store.tick()
        assert one.holder.current is not before
        assert [each.name for each in one.holder.current.silences] == ["change"]

    asyncio.run(main())
