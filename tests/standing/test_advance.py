"""Standings change after enough results that agree, and a sweep applied twice changes nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.event import FindingClosed, FindingOpened, TargetChanged, TargetEvent, TargetRemoved
from egressd.model.standing import Lifecycle, Standing, Standings
from egressd.model.verdict import Outcome
from egressd.standing import advance
from egressd.standing.lifecycle import TRANSITIONS, Thresholds
from tests.standing.sweeps import at, sweep

WORDS = (
    "ok",
    "degraded:http_slow",
    "blocked:tls_reset",
    "blocked:tcp_refused",
    "down:dns_nxdomain",
    "unknown:tls_unknown",
)
KEYS = ("a/x:443", "b/y:443", "b/y:443@second")
THRESHOLDS = Thresholds()
history = st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(WORDS), min_size=1), max_size=14)
steady = st.lists(st.sampled_from(WORDS), min_size=1, max_size=20)


def apply_results(words: list[str], *, target: str = "a/x:443") -> tuple[list[Standing], list[TargetEvent]]:
    """Apply a result per word to one target; return its standing after each, and all events."""
    believed = Standings()
    seen: list[Standing] = []
    emitted: list[TargetEvent] = []
    for number, word in enumerate(words):
        believed, events = advance(believed, sweep(number, {target: word}), now=at(number))
        seen.append(believed.targets[0])
        emitted += events
    return seen, emitted


@given(history)
def test_applying_a_sweep_twice_changes_nothing(rows: list[dict[str, str]]) -> None:
    """Applying the same sweep again changes no standing and gives no event."""
    believed = Standings()
    for number, row in enumerate(rows):
        one = sweep(number, row)
        believed, _ = advance(believed, one, now=at(number))
        assert advance(believed, one, now=at(number + 1)) == (believed, ())


@given(history)
def test_standings_are_those_of_the_targets_of_the_sweep(rows: list[dict[str, str]]) -> None:
    """Each target and source of the sweep has one standing, sorted; removed targets have none."""
    believed = Standings()
    for number, row in enumerate(rows):
        one = sweep(number, row)
        believed, _ = advance(believed, one, now=at(number))
        known = [(v.target, s.source) for v in one.verdicts for s in v.by_source]
        assert [one.key for one in believed.targets] == sorted(known)


@given(steady)
def test_the_state_agrees_with_the_belief(words: list[str]) -> None:
    """OK means believed reachable, FAILING not; SUSPECT and RECOVERING wait for more results."""
    seen, _ = apply_results(words)
    for word, one in zip(words, seen, strict=True):
        reachable = Outcome(word.partition(":")[0]).reachable
        state = one.state.value
        if state == "flapping":
            continue
        assert state in (("ok", "recovering") if reachable else ("failing", "suspect"))
        assert one.up is (state == "ok" or (state == "suspect" and not one.unknown))
        assert state != "recovering" or one.pending is not None
        assert not one.unknown or state == "suspect"
        assert one.streak >= 1
        assert (one.pending is None) == (one.pending_since is None)


@given(steady)
def test_a_change_takes_as_many_results_as_the_threshold(words: list[str]) -> None:
    """A change takes as many consecutive results as its threshold."""
    _, emitted = apply_results(words)
    ok = [Outcome(word.partition(":")[0]).reachable for word in words]
    for event in emitted:
        assert isinstance(event, TargetChanged)
        moment = next(number for number in range(len(words)) if at(number) == event.at)
        needed = THRESHOLDS.better if event.after.outcome.reachable else THRESHOLDS.silent
        if event.before is None and event.after.outcome.reachable:
            needed = 1
        row = ok[max(0, moment - needed + 1) : moment + 1]
        assert row == [event.after.outcome.reachable] * needed
        assert event.since <= event.at


@given(steady)
def test_events_form_a_chain_to_the_current_belief(words: list[str]) -> None:
    """Each change starts from the belief after the one before; the last one leads to the current belief."""
    seen, emitted = apply_results(words)
    changes = [one for one in emitted if isinstance(one, TargetChanged)]
    for first, second in pairwise(changes):
        assert second.before is not None
        assert second.before.key == first.after.key
        assert first.after.key != second.after.key
    if changes:
        assert changes[-1].after.key == seen[-1].belief.key
        assert seen[-1].since == changes[-1].since


@given(steady, st.sampled_from(WORDS))
def test_enough_results_confirm_a_belief(words: list[str], last: str) -> None:
    """After any results, three that agree become the belief."""
    seen, _ = apply_results([*words, last, last, last])
    assert seen[-1].settled
    assert seen[-1].belief.reason == (last.partition(":")[2] or None)


def test_the_transition_table_is_complete() -> None:
    """Every state has a row, every row leads to known states, and every state can be left and reached."""
    assert set(TRANSITIONS) == set(Lifecycle)
    assert {after for row in TRANSITIONS.values() for after in row.values()} == set(Lifecycle)
    assert all(set(row.values()) - {state} for state, row in TRANSITIONS.items())


def test_one_failed_result_is_no_change() -> None:
    """A suspect target that recovers gives no event, and keeps its `since`."""
    seen, emitted = apply_results(["ok", "ok", "blocked", "ok"])
    assert [one.state for one in seen] == [Lifecycle.OK, Lifecycle.OK, Lifecycle.SUSPECT, Lifecycle.OK]
    assert emitted == []
    assert seen[-1].since == at(0)


def test_a_failure_begins_where_it_was_first_seen() -> None:
    """`since` is the first result that failed, `last_success` the last that did not."""
    seen, emitted = apply_results(["ok", "blocked", "blocked", "blocked", "blocked"])
    (event,) = emitted
    assert isinstance(event, TargetChanged)
    assert (event.at, event.since, event.before_since) == (at(3), at(1), at(0))
    assert (seen[-1].last_success, seen[-1].since, seen[-1].last_changed) == (at(0), at(1), at(3))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["blocked"], [0]),
        (["ok", "blocked", "blocked", "ok", "blocked"], [None, 1, 1, None, 4]),
        (["ok", *["blocked"] * 3, "ok", "blocked"], [None, 1, 1, 1, None, 5]),
        (["ok", "blocked:tls_reset", *["down:tcp_refused"] * 4], [None, *[1] * 5]),
        (["ok", "unknown", "blocked", "unknown", "down"], [None, None, 2, 2, 2]),
        (["unknown", "unknown", "degraded", "unknown"], [None] * 4),
    ],
    ids=["first", "again", "recovering", "another_reason", "unknown_between", "never"],
)
def test_since_when_a_target_fails(words: list[str], expected: list[int | None]) -> None:
    """At the first failure since a success, confirmed or not; unknown neither begins nor ends it."""
    seen, _ = apply_results(words)
    assert [one.failing_since for one in seen] == [None if n is None else at(n) for n in expected]


def test_a_standing_of_an_older_version_fails_since_it_was_believed() -> None:
    """Without the moment on disk, the failure that was known then has not begun just now."""
    seen, _ = apply_results(["ok", *["blocked"] * 3])
    for old, since in ((seen[-1], at(1)), (seen[1], at(1)), (seen[0], at(9))):
        before = Standings(targets=(replace(old, failing_since=None),))
        after, _ = advance(before, sweep(9, {old.target: "blocked"}), now=at(9))
        assert after.targets[0].failing_since == since


def test_a_target_that_is_ok_from_the_start_is_no_event() -> None:
    """A target that fails from the start gives an event when confirmed, without a previous belief."""
    assert apply_results(["ok"])[1] == []
    seen, emitted = apply_results(["down", "down", "down"])
    (event,) = emitted
    assert isinstance(event, TargetChanged)
    assert (event.before, event.since) == (None, at(0))
    assert [one.unknown for one in seen] == [True, True, False]


def test_stale_verdicts_are_not_applied() -> None:
    """A target that was not probed keeps its standing, though the sweep repeats its verdict."""
    believed, _ = advance(Standings(), sweep(0, {"a": "ok", "b": "ok"}), now=at(0))
    for number in range(1, 6):
        fresh = frozenset({("b", "default")})
        believed, events = advance(
            believed, sweep(number, {"a": "blocked", "b": "ok"}), now=at(number), fresh=fresh
        )
        assert events == ()
    assert believed.targets[0].state is Lifecycle.OK
    assert believed.targets[1].streak == 6


def test_a_finding_opens_and_closes_once() -> None:
    """A finding opens and closes after as many sweeps as the thresholds require."""
    believed = Standings()
    emitted: list[TargetEvent] = []
    shown = [(), ("m",), ("m",), ("m",), ("m",), (), ("m",), (), ()]
    for number, names in enumerate(shown):
        one = sweep(number, {"a": "ok"}, findings=dict.fromkeys(names, ("a",)))
        believed, events = advance(believed, one, now=at(number))
        emitted += events
    opened, closed = emitted
    assert isinstance(opened, FindingOpened)
    assert isinstance(closed, FindingClosed)
    assert (opened.at, opened.since, closed.at, closed.since) == (at(3), at(1), at(8), at(1))
    assert believed.findings == ()


@settings(max_examples=50)
@given(st.lists(st.sets(st.sampled_from("mn")), max_size=20))
def test_finding_events_alternate(rows: list[set[str]]) -> None:
    """Opened and closed events of a finding alternate, the first is an opening."""
    believed = Standings()
    emitted: list[TargetEvent] = []
    for number, names in enumerate(rows):
        one = sweep(number, {"a": "ok"}, findings=dict.fromkeys(sorted(names), ("a",)))
        believed, events = advance(believed, one, now=at(number))
        emitted += events
    for name in "mn":
        mine = [type(one) for one in emitted if getattr(one, "finding", "") == name]
        assert mine == ([FindingOpened, FindingClosed] * len(mine))[: len(mine)]


def test_a_finding_of_other_targets_is_unchanged() -> None:
    """Probing other targets neither opens nor closes a finding."""
    believed = Standings()
    for number in range(3):
        one = sweep(number, {"a": "blocked", "b": "ok"}, findings={"m": ("a",)})
        believed, _ = advance(believed, one, now=at(number))
    for number in range(3, 9):
        one = sweep(number, {"a": "blocked", "b": "ok"})
        believed, events = advance(believed, one, now=at(number), fresh=frozenset({("b", "default")}))
        assert events == ()
    assert [one.id for one in believed.findings] == ["m"]


def test_a_finding_closes_when_its_last_target_is_removed() -> None:
    """Removed targets leave a finding; without any left, it is closed."""
    believed = Standings()
    for number in range(3):
        one = sweep(number, {"a": "blocked", "b": "blocked", "c": "ok"}, findings={"m": ("a", "b")})
        believed, _ = advance(believed, one, now=at(number))
    elsewhere = frozenset({("c", "default")})
    without_a = sweep(3, {"b": "blocked", "c": "ok"})
    believed, events = advance(believed, without_a, now=at(3), fresh=elsewhere)
    assert [one.targets for one in believed.findings] == [("b",)]
    assert [type(one) for one in events] == [TargetRemoved]
    believed, events = advance(believed, sweep(4, {"c": "ok"}), now=at(4), fresh=elsewhere)
    assert believed.findings == ()
    assert [type(one) for one in events] == [TargetRemoved, FindingClosed]


def test_evidence_is_bounded() -> None:
    """Long evidence of a hostile server is truncated before it is stored."""
    one = sweep(0, {"a": "blocked"})
    long = (
        one.verdicts[0]
        .by_source[0]
        .verdict.__class__(
            outcome=Outcome.BLOCKED,
            reason="tls_reset",
            evidence=("x" * 100_000,) * 1000,
            advice="y" * 100_000,
        )
    )
    source = one.verdicts[0].by_source[0].__class__(source="default", verdict=long)
    target = one.verdicts[0].__class__(target="a", verdict=long, by_source=(source,))
    believed, _ = advance(
        Standings(), one.__class__(recording=one.recording, verdicts=(target,), findings=()), now=at(0)
    )
    pending = believed.targets[0].pending
    assert pending is not None
    assert sum(map(len, pending.evidence)) + len(pending.advice) < 4000
