"""Alertmanagers on a clock that jumps: each is told what is so, again and again, whatever the other does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from egressd import clock
from egressd.model.alert import Alert, AlertState, Resolution
from egressd.model.notification import Matcher, Notify, Route, Severity
from egressd.notify.result import DeliveryResult, failed, refused
from egressd.notify.transport.http import HttpTransport
from tests.daemon.timeless import run
from tests.notify.notices import alert, condition
from tests.notify.place import PEERS, Place, at_work, make_place

Play = Callable[[Coroutine[Any, Any, None]], None]
MINUTE = 60.0
ONE, TWO = "http://one.example", "http://two.example"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run a test's content on jumping time."""
    return lambda main: run(main, monkeypatch)


def down() -> DeliveryResult:
    return failed("two.example:80: refused")


def over(one: Alert) -> Alert:
    """Return an alert that ends now."""
    return replace(one, state=AlertState.RESOLVED, closed=clock.timestamp(), resolution=Resolution.FIXED)


def test_what_is_so_is_said_at_once_and_every_minute(play: Play) -> None:
    """News goes out when it comes; without any, all is repeated; new evidence alone is no news."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            await asyncio.sleep(10 * MINUTE)
            assert place.sent == []
            await place.show(alert("a"), alert("b", AlertState.PENDING))
            await asyncio.sleep(150)
            for number in range(20):
                newer = replace(alert("a"), condition=condition("a", evidence=(f"line {number}",)))
                await place.show(newer)
                await asyncio.sleep(1)
            await place.show(alert("a"), alert("b"))
            await asyncio.sleep(1)
            for url in (ONE, TWO):
                assert [(one.at, one.ids) for one in place.to(url)] == [
                    (600, ("a",)),
                    (660, ("a",)),
                    (720, ("a",)),
                    (770, ("a", "b")),
                ]
            assert place.holder.current.counters.notifications == {"am": 8}

    play(scenario())


def test_a_dead_peer_delays_nobody_and_hears_all_when_it_is_back(play: Play) -> None:
    """One that hangs costs the other nothing; back, it hears within a minute what is so and what is over."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            place.answers[TWO], place.takes[TWO] = down, 10.0
            await place.show(alert("a"), alert("b"))
            await asyncio.sleep(5 * MINUTE)
            await place.show(over(alert("a")), alert("b"))
            await asyncio.sleep(8 * MINUTE)
            gaps = [b.at - a.at for a, b in pairwise(place.to(ONE))]
            assert max(gaps) <= 60
            assert place.status("am").why == "peer 2: two.example:80: refused"
            assert all(60 <= round(b.at - a.at) <= 70 for a, b in pairwise(place.to(TWO)[8:]))
            assert place.to(ONE)[-1].ids == ("b",)  # the end was said for five minutes, and it was heard
            del place.answers[TWO]
            await asyncio.sleep(80)
            assert place.to(TWO)[-1].ids == ("-a", "b")
            assert place.status("am").failing_since is None

    play(scenario())


def test_an_end_is_said_for_a_while_and_not_for_ever(play: Play) -> None:
    """At least five minutes where it was taken, at most a quarter of an hour where it never was."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            await place.show(alert("a"))
            await asyncio.sleep(1)
            place.answers[TWO] = down
            begun = place.to(ONE)[-1].at
            await place.show(over(alert("a")))
            await asyncio.sleep(60 * MINUTE)
            heard = [one.at - begun for one in place.to(ONE) if one.ids == ("-a",)]
            assert 240 <= heard[-1] <= 301
            tried = [one.at - begun for one in place.to(TWO) if one.ids == ("-a",)]
            assert 840 <= tried[-1] <= 901

    play(scenario())


def test_other_labels_end_the_old_ones(play: Play) -> None:
    """When the reason becomes known Alertmanager sees another alert: the one under the old labels ends."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            await place.show(alert("a"))
            await asyncio.sleep(1)
            known = condition("a", labels=(("reason", "tls_reset"), ("target", "a")))
            await place.show(replace(alert("a"), condition=known))
            await asyncio.sleep(1)
            assert place.to(ONE)[-1].ids == ("tls_reset/a", "-a")
            await asyncio.sleep(10 * MINUTE)
            assert place.to(ONE)[-1].ids == ("tls_reset/a",)
            await place.show(alert("a"))
            await asyncio.sleep(1)
            assert place.to(ONE)[-1].ids == ("a", "-tls_reset/a")

    play(scenario())


def test_routes_hold_for_alertmanagers_too(play: Play) -> None:
    """What goes elsewhere is not pushed; what is not critical any more ends where only that goes."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            route = Route(receivers=("am",), match=Matcher(severity=(Severity.CRITICAL,)))
            notify = Notify(receivers=(PEERS,), routes=(route,))
            settings = replace(place.holder.current.settings, notify=notify)
            place.desk.store.adopt(replace(place.holder.current, settings=settings))
            mild = replace(alert("b"), condition=condition("b", severity=Severity.WARNING))
            await place.show(alert("a"), mild)
            await asyncio.sleep(1)
            assert place.to(ONE)[-1].ids == ("a",)
            await place.show(replace(alert("a"), condition=condition("a", severity=Severity.WARNING)), mild)
            await asyncio.sleep(1)
            assert place.to(ONE)[-1].ids == ("-a",)

    play(scenario())


def test_a_refusal_is_counted_and_said_again_next_minute(play: Play) -> None:
    """What one peer will not take is no storm of attempts; it may take it when something has changed."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            place.answers[TWO] = lambda: refused("two.example: 400 bad labels")
            await place.show(alert("a"))
            await asyncio.sleep(10 * MINUTE)
            assert [one.at for one in place.to(TWO)] == [60.0 * number for number in range(10)]
            assert place.holder.current.counters.notifications_failed == {"am": 10}
            assert place.status("am").failing_since == "2026-11-20T03:00:00.000Z"

    play(scenario())


def test_after_a_restart_all_is_said_at_once(play: Play) -> None:
    """Open alerts are pushed before any look, and so is the end of one that was closed just before."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            await place.show(alert("a"), over(alert("b")))
        async with at_work(make_place(PEERS, before=place.disk.saved)) as again:
            await asyncio.sleep(0.1)
            assert again.to(ONE)[0].ids == again.to(TWO)[0].ids == ("-b", "a")

    play(scenario())


def test_a_peer_comes_and_goes_with_the_configuration(play: Play) -> None:
    """A new one hears all at once; one that is gone hears no more, also in the middle of its patience."""

    async def scenario() -> None:
        place: Place
        async with at_work(make_place(PEERS)) as place:
            place.answers[TWO] = down
            await place.show(alert("a"))
            await asyncio.sleep(5 * MINUTE)
            three = "http://three.example"
            await place.configure(replace(PEERS, transport=HttpTransport(urls=(ONE, three))))
            tries = len(place.to(TWO))
            await asyncio.sleep(5 * MINUTE)
            assert len(place.to(TWO)) == tries
            assert [one.at for one in place.to(three)][:2] == [300, 360]
            assert place.status("am").failing_since is None
            place.answers[three] = down
            await asyncio.sleep(2 * MINUTE)
            assert place.status("am").why == "peer 2: two.example:80: refused"
            await place.configure(replace(PEERS, transport=HttpTransport(urls=(ONE,))))
            await asyncio.sleep(2 * MINUTE)
            assert place.status("am").failing_since is None

    play(scenario())


def test_the_end_is_said_before_going_home(play: Play) -> None:
    """At the end news is pushed once more; who fails is left alone."""

    async def scenario() -> None:
        async with at_work(make_place(PEERS)) as place:
            place.answers[TWO] = down
            await place.show(alert("a"))
            await asyncio.sleep(5)
            place.holder.update(alerts=(over(alert("a")),))
            await place.desk.store.record(())
            place.desk.wakeup.close()
            await asyncio.sleep(0.1)
            assert place.to(ONE)[-1].ids == ("-a",)

    play(scenario())
