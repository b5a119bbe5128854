"""The queue: bounded, in order, no duplicates, and losses are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from egressd.model.alert import Outbox
from egressd.model.notification import Notify
from egressd.notify.outbox import (
    batch_of,
    bounds_of,
    dropped_of,
    due_in,
    enqueue,
    remove_delivered,
    restrict,
)
from egressd.notify.receivers import BY_TYPE
from tests.notify.notices import notice
from tests.notify.samples import sample_receiver

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
HOOK = sample_receiver("webhook", wait=5.0)
CHAT = sample_receiver("slack", "chat", digest=3)


def filled(*numbers: int, bound: int = 10, receiver: str = "hook") -> Outbox:
    """Return a queue with notices."""
    outbox = Outbox()
    for number in numbers:
        outbox = enqueue(
            outbox, [(notice(number, at="2026-11-20T03:00:00.000Z"), [receiver])], {receiver: bound}
        )
    return outbox


def ids(outbox: Outbox, receiver: str = "hook") -> list[str]:
    return [one.notice.id for one in outbox.of(receiver)]


def test_numbers_count_up_over_all_receivers() -> None:
    """Notices are numbered in the order they were queued, over all receivers."""
    bounds = {"hook": 5, "chat": 5}
    outbox = enqueue(Outbox(next_number=41), [(notice(1), ["chat", "hook", "chat"])], bounds)
    outbox = enqueue(outbox, [(notice(2), ["hook", "nobody"])], bounds)
    assert [(one.number, one.receiver) for one in outbox.waiting] == [
        (41, "chat"),
        (42, "hook"),
        (43, "hook"),
    ]
    assert outbox.next_number == 44


def test_beyond_the_bound_the_oldest_is_dropped() -> None:
    """The newest are kept; the number dropped is counted until it was reported to the receiver."""
    outbox = filled(1, 2, 3, 4, 5, bound=3)
    assert ids(outbox) == ["n3", "n4", "n5"]
    assert dropped_of(outbox, "hook") == 2
    first = batch_of(outbox, HOOK)
    outbox = remove_delivered(outbox, [one.number for one in first], "hook", dropped_reported=2)
    assert (ids(outbox), outbox.dropped) == (["n4", "n5"], ())


def test_a_notice_dropped_while_it_was_sent_is_not_lost() -> None:
    """A notice that was dropped while being delivered is not counted as lost."""
    outbox = filled(1, 2, bound=2)
    on_its_way = batch_of(outbox, HOOK)
    outbox = enqueue(outbox, [(notice(3), ["hook"])], {"hook": 2})
    assert dropped_of(outbox, "hook") == 1
    outbox = remove_delivered(outbox, [one.number for one in on_its_way], "hook")
    assert (ids(outbox), outbox.dropped) == (["n2", "n3"], ())


@pytest.mark.parametrize(("age", "due"), [(0, 5.0), (3, 2.0), (5, 0.0), (60, 0.0), (-1, 0.0), (-9999, 0.0)])
def test_a_notice_waits_for_others_and_a_clock_set_back_delays_nothing(age: int, due: float) -> None:
    """A digest is due when its first notice has waited; after the clock was set back, at once."""
    assert due_in(filled(1, 2), HOOK, NOW + timedelta(seconds=age)) == due
    assert due_in(Outbox(), HOOK, NOW) is None
    assert due_in(filled(1), CHAT, NOW) is None


@pytest.mark.parametrize(("waiting", "taken"), [(1, 1), (3, 1), (4, 4), (9, 9)])
def test_many_notices_are_one_digest(waiting: int, taken: int) -> None:
    """Receivers for people get a digest; those for programs get notices one by one."""
    assert len(batch_of(filled(*range(waiting), receiver="chat"), CHAT)) == taken
    assert len(batch_of(filled(*range(waiting)), HOOK)) == 1


def test_a_removed_receiver_leaves_no_notices() -> None:
    """Notices of a removed receiver are deleted and counted for the log; a smaller bound applies at once."""
    outbox = enqueue(filled(1, 2, 3, 4), [(notice(9), ["chat"])], {"chat": 5})
    kept, lost = restrict(replace(outbox, dropped=(("chat", 7),)), {"hook": 2})
    assert (ids(kept), lost, kept.dropped) == (["n3", "n4"], (("chat", 1),), (("hook", 2),))
    assert kept.next_number == outbox.next_number


def test_alertmanager_and_heartbeat_have_no_queue() -> None:
    """Alertmanager is sent all alerts, a heartbeat is called after sweeps."""
    kinds = [sample_receiver(one, one, queue=7) for one in BY_TYPE]
    bounds = bounds_of(Notify(receivers=tuple(kinds)))
    assert set(BY_TYPE) - set(bounds) == {"alertmanager", "heartbeat"}
    assert set(bounds.values()) == {7}


NAMES = st.sampled_from(["hook", "chat"])


class QueueMachine(RuleBasedStateMachine):
    """Any order of queueing, delivering late, partly or not at all, and reloading."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox()
        self.bounds = {"hook": 3, "chat": 5}
        self.posted = {"hook": 0, "chat": 0}
        self.arrived: dict[str, list[int]] = {"hook": [], "chat": []}
        self.dropped_reported = {"hook": 0, "chat": 0}
        self.on_its_way: dict[str, tuple[list[int], int]] = {}
        self.count = 0

    @rule(names=st.sets(NAMES))
    def post(self, names: set[str]) -> None:
        self.count += 1
        made = notice(self.count)
        self.outbox = enqueue(self.outbox, [(made, names)], self.bounds)
        self.outbox = enqueue(self.outbox, [(made, names)], self.bounds)  # queueing it twice has no effect
        for name in names:
            self.posted[name] += 1

    @rule(name=NAMES)
    def set_out(self, name: str) -> None:
        batch = batch_of(self.outbox, CHAT if name == "chat" else HOOK)
        if name not in self.on_its_way and batch:
            numbers = [one.number for one in batch]
            self.on_its_way[name] = (numbers, dropped_of(self.outbox, name))

    @rule(name=NAMES, share=st.floats(0, 1))
    def arrive(self, name: str, share: float) -> None:
        numbers, dropped_reported = self.on_its_way.pop(name, ([], 0))
        there = numbers[: round(share * len(numbers))]
        if there:
            self.outbox = remove_delivered(self.outbox, there, name, dropped_reported=dropped_reported)
            self.dropped_reported[name] += dropped_reported
            self.arrived[name] += there

    @rule(name=NAMES)
    def fail(self, name: str) -> None:
        self.on_its_way.pop(name, None)

    @rule()
    def reload(self) -> None:
        self.outbox, lost = restrict(self.outbox, self.bounds)
        assert lost == ()

    @invariant()
    def bounded(self) -> None:
        assert all(len(self.outbox.of(name)) <= bound for name, bound in self.bounds.items())

    @invariant()
    def nothing_twice_and_in_order(self) -> None:
        for name in self.bounds:
            waiting = [one.number for one in self.outbox.of(name)]
            assert waiting == sorted(set(waiting))
            assert self.arrived[name] == sorted(set(self.arrived[name]))
            assert not set(waiting) & set(self.arrived[name])

    @invariant()
    def nothing_unaccounted_for(self) -> None:
        for name in self.bounds:
            waiting = len(self.outbox.of(name))
            dropped = dropped_of(self.outbox, name) + self.dropped_reported[name]
            assert self.posted[name] == waiting + len(self.arrived[name]) + dropped


TestPost = QueueMachine.TestCase


@given(st.integers(1, 40), st.floats(0, 0.999))
def test_the_backoff_grows_and_is_bounded(failures: int, chance: float) -> None:
    """The backoff doubles from a second to five minutes, with jitter."""
    from egressd.notify.retry import backoff

    grown = min(300.0, 2.0 ** (failures - 1))
    assert grown / 2 <= backoff(failures, asked=None, chance=chance) < grown or grown == 1.0
    assert backoff(failures, asked=120.0, chance=chance) >= 120.0
    assert backoff(failures, asked=1e9, chance=chance) == 3600.0
    assert backoff(failures, asked=0.0, chance=chance) == backoff(failures, asked=None, chance=chance)
