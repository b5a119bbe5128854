"""After any sequence of notices, outages, reloads and crashes: deliveries in order, once, losses counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.alert import Outbox
from egressd.model.notification import Receiver
from egressd.model.snapshot import Snapshot
from egressd.notify.outbox import bounds_of, dropped_of
from egressd.notify.result import DeliveryResult, arrived, failed, refused
from tests.daemon.jumping_clock import run
from tests.notify.simulation import CHAT, HOOK, Simulation, make_simulation, running_deliveries

MOVES = st.one_of(
    st.tuples(st.just("enqueue"), st.integers(1, 6)),
    st.tuples(st.just("pass"), st.sampled_from([0, 1, 7, 60, 600])),
    st.tuples(st.sampled_from(["hook", "chat"]), st.sampled_from(["down", "slow", "busy", "well"])),
    st.tuples(st.just("reload"), st.integers(0, 2)),
    st.tuples(st.just("crash"), st.just(0)),
)
BOUND = 7
ANSWERS: dict[str, Callable[[], DeliveryResult]] = {
    "down": lambda: failed("down"),
    "slow": arrived,
    "busy": lambda: failed("busy", retry_after=30.0),
    "well": arrived,
}


class Model:
    """What the receivers got over all runs, and its invariants."""

    def __init__(self) -> None:
        self.queued = 0
        self.left: Snapshot | None = None
        self.accepted: dict[str, list[str]] = {"hook": [], "chat": []}
        self.dropped_reported = {"hook": 0, "chat": 0}
        self.state = {"hook": "well", "chat": "well"}

    def listen(self, simulation: Simulation) -> None:
        """Set the answers of a simulation's receivers by their state, and record what they accept."""
        for name in self.accepted:
            simulation.answers[name] = lambda name=name: self._answer(simulation, name)  # type: ignore[misc]  # a default
            simulation.takes[name] = 5.0 if self.state[name] == "slow" else 0.0

    def _answer(self, simulation: Simulation, name: str) -> DeliveryResult:
        delivery = ANSWERS[self.state[name]]()
        if delivery.ok:
            sent = simulation.sent_to(name)[-1]
            self.accepted[name] += sent.ids
            self.dropped_reported[name] += sent.dropped
        return delivery

    def check(self, outbox: Outbox, *, crashes: int) -> None:
        """Check order, the bound, single delivery without a crash, and that every loss is counted."""
        for name, accepted in self.accepted.items():
            numbers = [int(one.removeprefix("n")) for one in accepted]
            once = sorted(set(numbers))
            assert len(numbers) - len(once) <= crashes * BOUND
            waiting = [int(one.notice.id.removeprefix("n")) for one in outbox.of(name)]
            assert len(waiting) <= BOUND
            assert waiting == sorted(set(waiting))
            if not crashes:
                assert numbers == once
                assert not set(once) & set(waiting)
                lost = dropped_of(outbox, name) + self.dropped_reported[name]
                assert len(once) + len(waiting) + lost == self.queued


@settings(max_examples=120)
@given(moves=st.lists(MOVES, max_size=30))
def test_any_sequence(moves: list[tuple[str, object]]) -> None:
    """Any sequence of events keeps the invariants, and every notice is delivered or counted as lost."""

    async def scenario() -> None:
        model, crashes, todo = Model(), 0, list(moves)
        while todo or model.left is None:
            async with running_deliveries(make_simulation(*receivers(0), before=model.left)) as simulation:
                simulation.count = model.queued
                model.listen(simulation)
                while todo:
                    what, how = todo.pop(0)
                    if what == "crash":
                        crashes += 1
                        break
                    await move(model, simulation, what, how)
                    await settle()
                    model.check(simulation.holder.current.outbox, crashes=crashes)
                else:
                    simulation.delivery_store.wakeup.close()
                    await settle()
            model.left = simulation.disk.saved or simulation.holder.current
        await drain(model)
        model.check(model.left.outbox, crashes=crashes)
        assert model.left.outbox.waiting == ()
        for accepted in model.accepted.values():
            assert len(set(accepted)) >= min(model.queued, 1)

    with pytest.MonkeyPatch.context() as patches:
        run(scenario(), patches)


async def settle() -> None:
    """Run every task until all of them wait."""
    for _ in range(200):
        await asyncio.sleep(0)


def receivers(number: int) -> tuple[Receiver, ...]:
    """Return the receivers of one of several configurations."""
    return tuple(replace(one, queue=BOUND, timeout=10.0 + number) for one in (HOOK, CHAT))


async def move(model: Model, simulation: Simulation, what: str, how: object) -> None:
    """Apply one event."""
    if what == "enqueue" and isinstance(how, int):
        for _ in range(how):
            model.queued += 1
            await simulation.enqueue()
    elif what == "pass" and isinstance(how, int):
        await asyncio.sleep(how)
    elif what == "reload" and isinstance(how, int):
        await simulation.configure(*receivers(how))
    else:
        model.state[what] = str(how)
        model.listen(simulation)


async def drain(model: Model) -> None:
    """Let both receivers accept, and wait until the queue is empty."""
    model.state = {"hook": "well", "chat": "well"}
    async with running_deliveries(make_simulation(*receivers(0), before=model.left)) as simulation:
        model.listen(simulation)
        await asyncio.sleep(3600)
        assert simulation.disk.saved is not None
        model.left = replace(simulation.disk.saved, outbox=simulation.holder.current.outbox)
        assert bounds_of(model.left.settings.notify) == {"hook": BOUND, "chat": BOUND}


def test_a_full_disk_stops_no_delivery() -> None:
    """On a full disk notices are delivered once from memory, and saved when there is room."""

    async def scenario() -> None:
        async with running_deliveries(make_simulation(HOOK)) as simulation:
            simulation.disk.full = True
            await simulation.enqueue(3)
            await asyncio.sleep(60)
            assert simulation.received("hook") == ["n1", "n2", "n3"]
            assert simulation.disk.saved is None
            simulation.answers["hook"] = lambda: refused("no")
            simulation.disk.full = False
            await simulation.enqueue()
            await asyncio.sleep(60)
            saved: Snapshot | None = simulation.disk.saved
            assert saved is not None
            assert saved.outbox.waiting == ()
            assert saved.outbox.next_number == 5

    with pytest.MonkeyPatch.context() as patches:
        run(scenario(), patches)
