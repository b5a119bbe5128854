"""What is believed changes slowly, for a reason, and never twice for the same look."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

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
PATIENCE = Thresholds()
history = st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(WORDS), min_size=1), max_size=14)
steady = st.lists(st.sampled_from(WORDS), min_size=1, max_size=20)


def fold(words: list[str], *, target: str = "a/x:443") -> tuple[list[Standing], list[TargetEvent]]:
    """Look at one target again and again; return its standing after each look, and all events."""
    believed = Standings()
    seen: list[Standing] = []
    told: list[TargetEvent] = []
    for number, word in enumerate(words):
        believed, events = advance(believed, sweep(number, {target: word}), now=at(number))
        seen.append(believed.targets[0])
        told += events
    return seen, told


@given(history)
def test_taking_a_sweep_in_twice_changes_nothing(rows: list[dict[str, str]]) -> None:
    """The second time nothing is believed anew and nothing is told."""
    believed = Standings()
    for number, row in enumerate(rows):
        one = sweep(number, row)
        believed, _ = advance(believed, one, now=at(number))
        assert advance(believed, one, now=at(number + 1)) == (believed, ())


@given(history)
def test_only_what_the_sweep_knows_is_believed(rows: list[dict[str, str]]) -> None:
    """A target that is gone is forgotten; each pair has one standing; they are sorted."""
    believed = Standings()
    for number, row in enumerate(rows):
        one = sweep(number, row)
        believed, _ = advance(believed, one, now=at(number))
        known = [(v.target, s.source) for v in one.verdicts for s in v.by_source]
        assert [one.key for one in believed.targets] == sorted(known)


@given(steady)
def test_the_state_follows_the_belief(words: list[str]) -> None:
    """OK is believed reachable, failing is not; suspects and recovering ones wait for more looks."""
    seen, _ = fold(words)
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
def test_a_change_takes_patience(words: list[str]) -> None:
    """No event without as many looks of its kind in a row as patience asks for."""
    _, told = fold(words)
    ok = [Outcome(word.partition(":")[0]).reachable for word in words]
    for event in told:
        assert isinstance(event, TargetChanged)
        moment = next(number for number in range(len(words)) if at(number) == event.at)
        needed = PATIENCE.better if event.after.outcome.reachable else PATIENCE.silent
        if event.before is None and event.after.outcome.reachable:
            needed = 1
        row = ok[max(0, moment - needed + 1) : moment + 1]
        assert row == [event.after.outcome.reachable] * needed
        assert event.since <= event.at


@given(steady)
def test_events_tell_the_whole_story(words: list[str]) -> None:
    """Each change starts from what the one before led to, and the last one is what is believed."""
    seen, told = fold(words)
    changes = [one for one in told if isinstance(one, TargetChanged)]
    for first, second in pairwise(changes):
        assert second.before is not None
        assert second.before.key == first.after.key
        assert first.after.key != second.after.key
    if changes:
        assert changes[-1].after.key == seen[-1].belief.key
        assert seen[-1].since == changes[-1].since


@given(steady, st.sampled_from(WORDS))
def test_enough_looks_settle_it(words: list[str], last: str) -> None:
    """Whatever was before, three looks that agree are believed."""
    seen, _ = fold([*words, last, last, last])
    assert seen[-1].settled
    assert seen[-1].belief.reason == (last.partition(":")[2] or None)


def test_the_table_has_every_move() -> None:
    """Every state has a row, every row leads to known states, and every state can be left and reached."""
    assert set(TRANSITIONS) == set(Lifecycle)
    assert {after for row in TRANSITIONS.values() for after in row.values()} == set(Lifecycle)
    assert all(set(row.values()) - {state} for state, row in TRANSITIONS.items())


def test_one_lost_packet_is_no_change() -> None:
    """A suspect that is well again was never believed to fail; since when it is well stays."""
    seen, told = fold(["ok", "ok", "blocked", "ok"])
    assert [one.state for one in seen] == [Lifecycle.OK, Lifecycle.OK, Lifecycle.SUSPECT, Lifecycle.OK]
    assert told == []
    assert seen[-1].since == at(0)


def test_a_failure_begins_where_it_was_first_seen() -> None:
    """`since` is the first look that failed, `last_success` the last that did not."""
    seen, told = fold(["ok", "blocked", "blocked", "blocked", "blocked"])
    (event,) = told
    assert isinstance(event, TargetChanged)
    assert (event.at, event.since, event.before_since) == (at(3), at(1), at(0))
    assert (seen[-1].last_success, seen[-1].since, seen[-1].last_changed) == (at(0), at(1), at(3))


def test_a_target_that_is_well_at_first_sight_is_no_event() -> None:
    """One that fails at first sight is told once it is confirmed, as what nothing was known of."""
    assert fold(["ok"])[1] == []
    seen, told = fold(["down", "down", "down"])
    (event,) = told
    assert isinstance(event, TargetChanged)
    assert (event.before, event.since) == (None, at(0))
    assert [one.unknown for one in seen] == [True, True, False]


def test_stale_verdicts_are_no_looks() -> None:
    """What was not looked at keeps its standing, whatever the sweep repeats about it."""
    believed, _ = advance(Standings(), sweep(0, {"a": "ok", "b": "ok"}), now=at(0))
    for number in range(1, 6):
        fresh = frozenset({("b", "default")})
        believed, events = advance(
            believed, sweep(number, {"a": "blocked", "b": "ok"}), now=at(number), fresh=fresh
        )
        assert events == ()
    assert believed.targets[0].state is Lifecycle.OK
    assert believed.targets[1].streak == 6


def test_a_cause_opens_and_closes_once() -> None:
    """It takes patience both ways, and what opened is what closes."""
    believed = Standings()
    told: list[TargetEvent] = []
    shown = [(), ("m",), ("m",), ("m",), ("m",), (), ("m",), (), ()]
    for number, names in enumerate(shown):
        one = sweep(number, {"a": "ok"}, findings=dict.fromkeys(names, ("a",)))
        believed, events = advance(believed, one, now=at(number))
        told += events
    opened, closed = told
    assert isinstance(opened, FindingOpened)
    assert isinstance(closed, FindingClosed)
    assert (opened.at, opened.since, closed.at, closed.since) == (at(3), at(1), at(8), at(1))
    assert believed.findings == ()


@settings(max_examples=50)
@given(st.lists(st.sets(st.sampled_from("mn")), max_size=20))
def test_no_cause_closes_that_was_not_open(rows: list[set[str]]) -> None:
    """Openings and closings of a cause take turns, beginning with an opening."""
    believed = Standings()
    told: list[TargetEvent] = []
    for number, names in enumerate(rows):
        one = sweep(number, {"a": "ok"}, findings=dict.fromkeys(sorted(names), ("a",)))
        believed, events = advance(believed, one, now=at(number))
        told += events
    for name in "mn":
        mine = [type(one) for one in told if getattr(one, "finding", "") == name]
        assert mine == ([FindingOpened, FindingClosed] * len(mine))[: len(mine)]


def test_a_cause_of_others_stays_untouched() -> None:
    """A look at a few targets neither opens nor closes what none of them belongs to."""
    believed = Standings()
    for number in range(3):
        one = sweep(number, {"a": "blocked", "b": "ok"}, findings={"m": ("a",)})
        believed, _ = advance(believed, one, now=at(number))
    for number in range(3, 9):
        one = sweep(number, {"a": "blocked", "b": "ok"})
        believed, events = advance(believed, one, now=at(number), fresh=frozenset({("b", "default")}))
        assert events == ()
    assert [one.id for one in believed.findings] == ["m"]


def test_a_cause_ends_with_the_last_target_that_anybody_asks_for() -> None:
    """What left the configuration is named no more, and keeps no cause open that no look can end."""
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
    """What a hostile server can put into evidence is cut before it is kept."""
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
