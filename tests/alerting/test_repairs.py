"""A repair raises no alert: targets that share a cause are repaired in every order, and nothing opens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.model.alert import AlertName, AlertState, NoticeKind, Resolution
from egressd.model.notification import Alerting
from tests.alerting.repair_simulation import FAULTS, WITNESSES, RepairSimulation, failing
from tests.alerting.simulation import silence, words_of

NAMES = ("a.example", "b.example", "c.example", "d.example")
STRIDE = 5
"""One order in so many is tried of those that differ little."""
OPENED, CLOSED = NoticeKind.OPENED, NoticeKind.CLOSED


def broken(fault: str, *names: str, **how: object) -> RepairSimulation:
    """Return names that fail alike, and whose cause was notified."""
    one = RepairSimulation(names=NAMES, **how)  # type: ignore[arg-type]
    one.look()
    one.breaks(fault, *(names or NAMES))
    for _ in range(4):
        one.look(seconds=3)
    return one


def unsettled(one: RepairSimulation) -> tuple[str, ...]:
    """Return the names that a recheck looks at."""
    return tuple(name for name in one.names if not one.of(name).settled)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("how", [{}, {"witnesses": ()}, {"pattern": "*.example"}])
@pytest.mark.parametrize("looks", [1, 2])
def test_one_by_one_in_every_order_the_cause_opens_once_and_closes_once(
    fault: str, how: dict[str, object], looks: int
) -> None:
    """Whichever is repaired first, and however many looks there are between two repairs."""
    for order in [*permutations(NAMES)][:: STRIDE * looks]:
        one = broken(fault, **how)
        first = words_of(one.notices)
        assert len(first) == 1, first
        for name in order:
            one.repair(name)
            for _ in range(looks):
                one.look(seconds=3)
        for _ in range(3):
            one.look()
        assert words_of(one.notices) == [*first, first[0].replace("opened", "closed")]
        assert one.open == {}
        assert one.notices[-1].alert.resolution is Resolution.FIXED


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("how", [{}, {"witnesses": ()}, {"pattern": "*.example"}])
def test_rechecks_between_sweeps_open_nothing(fault: str, how: dict[str, object]) -> None:
    """What was not settled is looked at again alone, beside old looks at the others."""
    for order in [*permutations(NAMES, 2)][::STRIDE]:
        one = broken(fault, **how)
        said = len(one.notices)
        for name in order:
            one.repair(name)
            one.look()
            while again := unsettled(one):
                one.look((*again, *one.witnesses), seconds=2)
        one.repair(*NAMES)
        one.look()
        one.look(NAMES[:2], seconds=2)
        one.look(NAMES[2:], seconds=2)
        one.look()
        assert [each.kind for each in one.notices[said:]] == [CLOSED]
        assert one.open == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_repairs_far_apart_supersede_the_cause_once_at_most(fault: str) -> None:
    """With an hour between two repairs what is left may get a cause or an alert of its own: one at a time."""
    one = broken(fault, pattern="*.example")
    for name in NAMES:
        one.repair(name)
        opened: list[str] = []
        for _ in range(30):
            said = one.look(seconds=120)
            opened += [each.alert.id for each in said if each.kind is OPENED]
            assert sum(each.kind is OPENED for each in said) <= 1
            assert bool(one.open) is bool(failing(one))
        assert len(opened) <= 1
    assert one.open == {}


def test_what_fails_again_is_not_lost() -> None:
    """A target that answered once and fails again is under an open alert all the time."""
    one = broken("resets")
    one.repair("a.example")
    one.look(seconds=3)
    one.breaks("resets", "a.example")
    one.look(seconds=3)
    one.repair("b.example", "c.example", "d.example")
    for _ in range(3):
        one.look(seconds=3)
    assert any("row/a.example:443" in each.condition.targets for each in one.open.values())
    assert [each.kind for each in one.notices] == [OPENED]


def test_what_is_repaired_and_breaks_once_more_later_is_a_new_alert() -> None:
    """Confirmed to work, then broken again: an alert of its own, though the cause of the others is open."""
    one = broken("resets")
    one.repair("a.example")
    for _ in range(4):
        one.look(seconds=3)
    one.breaks("no name", "a.example")
    for _ in range(4):
        one.look(seconds=3)
    assert set(one.open) == {
        f"{AlertName.UNREACHABLE}/row/a.example:443@default",
        "EgressCause/tls_reset_after_hello",
    }


def test_another_fault_in_the_middle_of_a_repair_is_an_alert_of_its_own() -> None:
    """While others are repaired one target begins to fail in another phase."""
    one = broken("resets")
    one.repair("a.example")
    one.look(seconds=3)
    one.breaks("no name", "b.example")
    for _ in range(4):
        one.look(seconds=3)
    assert f"{AlertName.UNREACHABLE}/row/b.example:443@default" in one.open
    assert "EgressCause/tls_reset_after_hello" in one.open


def test_a_larger_fault_in_the_middle_of_a_repair_opens_at_once() -> None:
    """A cause that touches more than what is being repaired is no part of the repair."""
    one = broken("resets")
    one.repair("a.example")
    one.look(seconds=3)
    one.breaks("dead resolver", *NAMES, *WITNESSES)
    for _ in range(4):
        one.look(seconds=3)
    opened = [each.alert.condition.reason for each in one.notices if each.kind is OPENED]
    assert opened == ["tls_reset_after_hello", "dns_resolver_unreachable"]
    assert not any("tls_reset" in each for each in one.open)


def test_the_rest_is_named_rightly_once_repairs_have_ended() -> None:
    """Names that are not the whole wildcard any more get the cause that fits, once, without a gap."""
    one = broken("resets", pattern="*.example")
    one.repair("a.example")
    for _ in range(20):
        one.look()
        assert len([each for each in one.open.values() if each.state is AlertState.FIRING]) == 1
    opened = [each.alert.condition.reason for each in one.notices if each.kind is OPENED]
    assert opened == ["site_suffix_rule_missing", "tls_reset_after_hello"]
    assert [each.alert.resolution for each in one.notices if each.kind is CLOSED] == [Resolution.SUPERSEDED]


def test_a_row_that_is_looked_at_later_stays_with_its_cause() -> None:
    """The others are repaired and confirmed minutes before it is looked at: no alert of its own meanwhile."""
    one = broken("drops", pattern="*.example")
    slow = NAMES[3]
    one.repair(*NAMES)
    others = (*NAMES[:3], *WITNESSES)
    for _ in range(15):
        one.look(others)
        assert any(f"row/{slow}:443" in each.condition.targets for each in one.open.values())
    one.look()
    one.look((slow,), seconds=2)
    one.look()
    assert [each.kind for each in one.notices] == [OPENED, CLOSED]
    assert one.open == {}


def test_sources_are_repaired_one_after_the_other() -> None:
    """The first source reaches everything again, then the second; nothing opens."""
    for order in (("default", "second"), ("second", "default")):
        one = broken("resets", sources=("default", "second"))
        first = words_of(one.notices)
        for source in order:
            one.repair(*NAMES, source=source)
            for _ in range(3):
                one.look(seconds=3)
        one.look()
        assert words_of(one.notices) == [*first, first[0].replace("opened", "closed")]


def test_a_restart_in_the_middle_of_a_repair_opens_nothing() -> None:
    """Who is recovering is part of the state on disk."""
    one = broken("drops")
    for name in NAMES:
        one.repair(name)
        one.look(seconds=3)
        one.restart()
        one.look(seconds=3)
    one.look()
    one.look()
    assert [each.kind for each in one.notices] == [OPENED, CLOSED]
    assert one.open == {}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("repair"), st.sampled_from(NAMES)),
        st.tuples(st.just("repair"), st.sampled_from(NAMES)),
        st.tuples(st.just("break"), st.sampled_from(NAMES), st.sampled_from(sorted(FAULTS))),
        st.tuples(st.just("look"), st.sampled_from([2.0, 60.0, 700.0])),
        st.tuples(st.just("look"), st.sampled_from([2.0, 60.0, 700.0])),
        st.tuples(st.just("recheck")),
        st.tuples(st.just("tick"), st.sampled_from([15.0, 400.0])),
        st.tuples(st.just("restart")),
        st.tuples(st.just("silence"), st.booleans()),
    ),
    max_size=25,
)


@settings(max_examples=max(30, settings().max_examples // 3))
@given(
    steps=steps,
    fault=st.sampled_from(sorted(FAULTS)),
    pattern=st.sampled_from(["", "*.example"]),
    witnesses=st.sampled_from([(), WITNESSES]),
    sources=st.sampled_from([("default",), ("default", "second")]),
)
def test_any_sequence_of_repairs_and_faults(
    steps: list[tuple[str, ...]],
    fault: str,
    pattern: str,
    witnesses: tuple[str, ...],
    sources: tuple[str, ...],
) -> None:
    """No alert opens for what has just answered, none is lost, in the end all are closed, each in turn."""
    one = broken(fault, pattern=pattern, witnesses=witnesses, sources=sources, rules=Alerting(instance="x:1"))
    for what, *more in steps:
        apply(one, what, more)
    one.silences = ()
    one.repair(*NAMES)
    seen = len(one.notices)
    one.look(seconds=2)
    for _ in range(40):
        one.look(seconds=120)
    assert not [each for each in one.notices[seen:] if each.kind is OPENED]
    assert one.open == {}
    order = defaultdict(list)
    for notice in one.notices:
        order[notice.alert.id].append(notice.kind)
    for said in order.values():
        told = [kind for kind in said if kind in (OPENED, CLOSED)]
        assert told == [OPENED, CLOSED] * (len(told) // 2)


def apply(one: RepairSimulation, what: str, more: Sequence[object]) -> None:
    """Apply one step; each look checks the invariants."""
    match what, *more:
        case "repair", str(name):
            one.repair(name)
        case "break", str(name), str(fault):
            one.breaks(fault, name)
        case "look", float(seconds):
            one.look(seconds=seconds)
        case "recheck", *_ if again := unsettled(one):
            one.look((*again, *one.witnesses), seconds=2)
        case "tick", float(seconds):
            one.tick(seconds)
        case "restart", *_:
            one.restart()
            one.look(seconds=10)
        case "silence", bool(begins):
            one.silences = (silence("change", minutes=10**6),) if begins else ()
