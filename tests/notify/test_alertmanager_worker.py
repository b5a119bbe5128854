"""Alertmanager peers on a clock that jumps: each gets all alerts repeatedly, whatever the other does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from egressd import clock
from egressd.model.alert import Alert, AlertState, Resolution
from egressd.model.notification import Matcher, Notify, Route, Severity
from egressd.notify.result import DeliveryResult, failed, refused
from egressd.notify.transport.http import HttpTransport
from tests.daemon.jumping_clock import run
from tests.notify.notices import alert, condition
from tests.notify.simulation import PEERS, Simulation, make_simulation, running_deliveries

Play = Callable[[Coroutine[Any, Any, None]], None]
MINUTE = 60.0
ONE, TWO = "http://one.example", "http://two.example"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run a test's coroutine on jumping time."""
    return lambda main: run(main, monkeypatch)


def down() -> DeliveryResult:
    return failed("two.example:80: refused")


def over(one: Alert) -> Alert:
    """Return an alert that ends now."""
    return replace(one, state=AlertState.RESOLVED, closed=clock.timestamp(), resolution=Resolution.FIXED)


def test_alerts_are_pushed_at_once_and_every_minute(play: Play) -> None:
    """Changes are pushed at once, all alerts every minute; new evidence alone is no change."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            await asyncio.sleep(10 * MINUTE)
            assert simulation.sent == []
            await simulation.set_alerts(alert("a"), alert("b", AlertState.PENDING))
            await asyncio.sleep(150)
            for number in range(20):
                newer = replace(alert("a"), condition=condition("a", evidence=(f"line {number}",)))
                await simulation.set_alerts(newer)
                await asyncio.sleep(1)
            await simulation.set_alerts(alert("a"), alert("b"))
            await asyncio.sleep(1)
            for url in (ONE, TWO):
                assert [(one.at, one.ids) for one in simulation.sent_to(url)] == [
                    (600, ("a",)),
                    (660, ("a",)),
                    (720, ("a",)),
                    (770, ("a", "b")),
                ]
            assert simulation.holder.current.counters.notifications == {"am": 8}

    play(scenario())


def test_a_dead_peer_delays_no_other_and_gets_everything_when_it_is_back(play: Play) -> None:
    """A peer that hangs delays no other; once it is back, it gets firing and ended alerts within a minute."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            simulation.answers[TWO], simulation.takes[TWO] = down, 10.0
            await simulation.set_alerts(alert("a"), alert("b"))
            await asyncio.sleep(5 * MINUTE)
            await simulation.set_alerts(over(alert("a")), alert("b"))
            await asyncio.sleep(8 * MINUTE)
            gaps = [b.at - a.at for a, b in pairwise(simulation.sent_to(ONE))]
            assert max(gaps) <= 60
            assert simulation.status("am").why == "peer 2: two.example:80: refused"
            assert all(60 <= round(b.at - a.at) <= 70 for a, b in pairwise(simulation.sent_to(TWO)[8:]))
            assert simulation.sent_to(ONE)[-1].ids == (
                "b",
            )  # the end was pushed for five minutes, and it was accepted
            del simulation.answers[TWO]
            await asyncio.sleep(80)
            assert simulation.sent_to(TWO)[-1].ids == ("-a", "b")
            assert simulation.status("am").failing_since is None

    play(scenario())


def test_it_is_known_since_when_no_peer_is_reached(play: Play) -> None:
    """One peer of two is enough; with none, the time counts from when the last failed, until any answers."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            await simulation.set_alerts(alert("a"))
            simulation.answers[TWO] = down
            await asyncio.sleep(2 * MINUTE)
            assert simulation.status("am").failing_since is not None
            assert simulation.status("am").unreached_since is None
            simulation.answers[ONE] = down
            await asyncio.sleep(5 * MINUTE)
            since = simulation.status("am").unreached_since
            assert since is not None
            assert 240 < (clock.now() - datetime.fromisoformat(since)).total_seconds() <= 300
            del simulation.answers[TWO]
            await asyncio.sleep(80)
            assert simulation.status("am").failing_since is not None
            assert simulation.status("am").unreached_since is None

    play(scenario())


def test_the_end_of_an_alert_is_pushed_for_a_limited_time(play: Play) -> None:
    """The end is pushed for at least five minutes where accepted, at most 15 minutes where never accepted."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            await simulation.set_alerts(alert("a"))
            await asyncio.sleep(1)
            simulation.answers[TWO] = down
            begun = simulation.sent_to(ONE)[-1].at
            await simulation.set_alerts(over(alert("a")))
            await asyncio.sleep(60 * MINUTE)
            times = [one.at - begun for one in simulation.sent_to(ONE) if one.ids == ("-a",)]
            assert 240 <= times[-1] <= 301
            tried = [one.at - begun for one in simulation.sent_to(TWO) if one.ids == ("-a",)]
            assert 840 <= tried[-1] <= 901

    play(scenario())


def test_changed_labels_end_the_old_label_set(play: Play) -> None:
    """Alertmanager sees changed labels as another alert: the one with the old labels is ended."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            await simulation.set_alerts(alert("a"))
            await asyncio.sleep(1)
            known = condition("a", labels=(("reason", "tls_reset"), ("target", "a")))
            await simulation.set_alerts(replace(alert("a"), condition=known))
            await asyncio.sleep(1)
            assert simulation.sent_to(ONE)[-1].ids == ("tls_reset/a", "-a")
            await asyncio.sleep(10 * MINUTE)
            assert simulation.sent_to(ONE)[-1].ids == ("tls_reset/a",)
            await simulation.set_alerts(alert("a"))
            await asyncio.sleep(1)
            assert simulation.sent_to(ONE)[-1].ids == ("a", "-tls_reset/a")

    play(scenario())


def test_routes_apply_to_alertmanager(play: Play) -> None:
    """Alerts of other routes are not pushed; one that leaves its route by severity is ended there."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            route = Route(receivers=("am",), match=Matcher(severity=(Severity.CRITICAL,)))
            notify = Notify(receivers=(PEERS,), routes=(route,))
            settings = replace(simulation.holder.current.settings, notify=notify)
            simulation.delivery_store.store.adopt(replace(simulation.holder.current, settings=settings))
            mild = replace(alert("b"), condition=condition("b", severity=Severity.WARNING))
            await simulation.set_alerts(alert("a"), mild)
            await asyncio.sleep(1)
            assert simulation.sent_to(ONE)[-1].ids == ("a",)
            await simulation.set_alerts(
                replace(alert("a"), condition=condition("a", severity=Severity.WARNING)), mild
            )
            await asyncio.sleep(1)
            assert simulation.sent_to(ONE)[-1].ids == ("-a",)

    play(scenario())


def test_a_refused_push_is_counted_and_repeated_next_minute(play: Play) -> None:
    """A refused push is counted and repeated after a minute, or after a change."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            simulation.answers[TWO] = lambda: refused("two.example: 400 bad labels")
            await simulation.set_alerts(alert("a"))
            await asyncio.sleep(10 * MINUTE)
            assert [one.at for one in simulation.sent_to(TWO)] == [60.0 * number for number in range(10)]
            assert simulation.holder.current.counters.notifications_failed == {"am": 10}
            assert simulation.status("am").failing_since == "2026-11-20T03:00:00.000Z"

    play(scenario())


def test_after_a_restart_everything_is_pushed_at_once(play: Play) -> None:
    """Open alerts are pushed before the first sweep, and so is the end of one that was just resolved."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            await simulation.set_alerts(alert("a"), over(alert("b")))
        async with running_deliveries(make_simulation(PEERS, before=simulation.disk.saved)) as again:
            await asyncio.sleep(0.1)
            assert again.sent_to(ONE)[0].ids == again.sent_to(TWO)[0].ids == ("-b", "a")

    play(scenario())


def test_a_peer_comes_and_goes_with_the_configuration(play: Play) -> None:
    """A new peer gets everything at once; a removed one gets nothing more, also while it waits to retry."""

    async def scenario() -> None:
        simulation: Simulation
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            simulation.answers[TWO] = down
            await simulation.set_alerts(alert("a"))
            await asyncio.sleep(5 * MINUTE)
            three = "http://three.example"
            await simulation.configure(replace(PEERS, transport=HttpTransport(urls=(ONE, three))))
            tries = len(simulation.sent_to(TWO))
            await asyncio.sleep(5 * MINUTE)
            assert len(simulation.sent_to(TWO)) == tries
            assert [one.at for one in simulation.sent_to(three)][:2] == [300, 360]
            assert simulation.status("am").failing_since is None
            simulation.answers[three] = down
            await asyncio.sleep(2 * MINUTE)
            assert simulation.status("am").why == "peer 2: two.example:80: refused"
            await simulation.configure(replace(PEERS, transport=HttpTransport(urls=(ONE,))))
            await asyncio.sleep(2 * MINUTE)
            assert simulation.status("am").failing_since is None

    play(scenario())


def test_at_shutdown_ends_are_pushed(play: Play) -> None:
    """At shutdown changes are pushed once more; a failing peer is not waited for."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(PEERS)) as simulation:
            simulation.answers[TWO] = down
            await simulation.set_alerts(alert("a"))
            await asyncio.sleep(5)
            simulation.holder.update(alerts=(over(alert("a")),))
            await simulation.delivery_store.store.record(())
            simulation.delivery_store.wakeup.close()
            await asyncio.sleep(0.1)
            assert simulation.sent_to(ONE)[-1].ids == ("-a",)

    play(scenario())
