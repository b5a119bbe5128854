"""Results of conspicuous controls are reused by later sweeps for a while."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Control
from egressd.probe import control_cache
from egressd.probe.control_cache import MAX_ENTRIES, TTL_SECONDS, ControlCache

ASKED = ControlPlan(
    id="large_hello:x",
    kind=ControlKind.LARGE_HELLO,
    source="here",
    why="",
    host="a.example",
    address="203.0.113.9",
    port=443,
)


def result_of(plan: ControlPlan) -> Control:
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


def test_a_result_is_reused_for_its_time(now: list[float]) -> None:
    """The result is reused for ten minutes, and not a second longer."""
    known = ControlCache()
    known.put(result_of(ASKED))
    now[0] += 599.0
    assert known.get(ASKED) == result_of(ASKED)
    now[0] += 1.0
    assert known.get(ASKED) is None
    assert TTL_SECONDS[ControlKind.LARGE_HELLO] == 600.0


@pytest.mark.parametrize("other", [{"address": "203.0.113.10"}, {"host": "b.example"}, {"port": 80}])
def test_other_target_is_a_miss(now: list[float], other: dict[str, object]) -> None:
    """A control with the same id and another target runs again."""
    known = ControlCache()
    known.put(result_of(ASKED))
    assert known.get(replace(ASKED, **other)) is None


def test_what_a_failure_is_explained_by_is_not_reused() -> None:
    """A repeat, a contrast or a hop sweep of another episode explains nothing."""
    reused = {ControlKind.HOPS, ControlKind.REPEAT, ControlKind.SNI_CONTRAST, ControlKind.SMALL_MSS}
    assert not reused & set(TTL_SECONDS)


def test_what_is_known_of_a_probe_is_forgotten(now: list[float]) -> None:
    """A probe that ends otherwise has its controls run again; those of others stay."""
    known, other = ControlCache(), replace(ASKED, id="large_hello:y", subject="y")
    mine = replace(ASKED, subject="x")
    known.put(result_of(mine))
    known.put(result_of(other))
    known.forget("x")
    assert known.get(mine) is None
    assert known.get(other) is not None


def test_repeats_are_not_cached(now: list[float]) -> None:
    """A repeat must be recent."""
    known, repeat = ControlCache(), replace(ASKED, kind=ControlKind.REPEAT)
    known.put(result_of(repeat))
    assert known.get(repeat) is None


def test_size_is_bounded(now: list[float]) -> None:
    """The oldest entry is dropped."""
    known = ControlCache()
    plans = [replace(ASKED, id=f"hops:{number}") for number in range(MAX_ENTRIES + 1)]
    for plan in plans:
        known.put(result_of(plan))
    assert known.get(plans[0]) is None
    assert known.get(plans[-1]) is not None
