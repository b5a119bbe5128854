"""Conspicuous controls are not repeated sweep after sweep: their answers stand for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Control
from egressd.probe import control_cache
from egressd.probe.control_cache import MAX_ENTRIES, TTL_SECONDS, ControlCache

ASKED = ControlPlan(
    id="hops:x",
    kind=ControlKind.HOPS,
    source="here",
    why="",
    host="a.example",
    address="203.0.113.9",
    port=443,
)


def answer(plan: ControlPlan) -> Control:
    return Control(
        id=plan.id,
        kind=plan.kind,
        source=plan.source,
        subject=plan.subject,
        why=plan.why,
        host=plan.host,
        address=plan.address,
        port=plan.port,
        trails=(),
        url=plan.url,
    )


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [1000.0]
    monkeypatch.setattr(control_cache, "monotonic", lambda: moment[0])
    return moment


def test_hops_are_counted_once_an_hour(now: list[float]) -> None:
    """The answer stands for an hour, and not a second longer."""
    known = ControlCache()
    known.put(answer(ASKED))
    now[0] += 3599.0
    assert known.get(ASKED) == answer(ASKED)
    now[0] += 1.0
    assert known.get(ASKED) is None
    assert TTL_SECONDS[ControlKind.HOPS] == 3600.0


@pytest.mark.parametrize("other", [{"address": "203.0.113.10"}, {"host": "b.example"}, {"port": 80}])
def test_another_place_is_another_question(now: list[float], other: dict[str, object]) -> None:
    """A name that moved is asked again, although the control is called the same."""
    known = ControlCache()
    known.put(answer(ASKED))
    assert known.get(replace(ASKED, **other)) is None  # type: ignore[arg-type]  # fields by name


def test_what_decides_now_is_asked_now(now: list[float]) -> None:
    """A repeat is worth nothing when it is old."""
    known, repeat = ControlCache(), replace(ASKED, kind=ControlKind.REPEAT)
    known.put(answer(repeat))
    assert known.get(repeat) is None


def test_it_does_not_grow_without_end(now: list[float]) -> None:
    """The oldest makes room."""
    known = ControlCache()
    plans = [replace(ASKED, id=f"hops:{number}") for number in range(MAX_ENTRIES + 1)]
    for plan in plans:
        known.put(answer(plan))
    assert known.get(plans[0]) is None
    assert known.get(plans[-1]) is not None
