"""The compact history: one line for each change, hosts once, what one cause did as one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd.model.event import (
    ConfigRejected,
    Event,
    FindingClosed,
    FindingOpened,
    History,
    SweepActivity,
    SweepFinished,
    SweepOverran,
    TargetChanged,
    TargetRemoved,
)
from egressd.model.standing import Belief
from egressd.model.verdict import Blame, Confidence, Outcome, OutcomeCounts
from egressd.report.history import change_lines_of, render_compact
from tests.report.test_history import BLOCKED, POSTED

START = datetime(2026, 11, 20, 3, 10, tzinfo=UTC)
OK = Belief(outcome=Outcome.OK)


def at(seconds: float) -> str:
    """Return a time of the test."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bad(
    host: str, seconds: float, *, endpoint: str = "row", source: str = "default", after: Belief = BLOCKED
) -> TargetChanged:
    """A target that begins to fail."""
    return TargetChanged(
        at=at(seconds),
        since=at(seconds - 5),
        target=f"{endpoint}/{host}:443",
        source=source,
        before=OK,
        before_since=at(-3600),
        after=after,
    )


def good(host: str, seconds: float, *, endpoint: str = "row", before: Belief = BLOCKED) -> TargetChanged:
    """A target that works again."""
    return TargetChanged(
        at=at(seconds),
        since=at(seconds - 5),
        target=f"{endpoint}/{host}:443",
        source="default",
        before=before,
        before_since=at(seconds - 305),
        after=OK,
    )


def opened(*hosts: str, seconds: float, reason: str = "site_rule_missing") -> FindingOpened:
    """A finding that is opened."""
    return FindingOpened(
        at=at(seconds),
        since=at(seconds - 5),
        finding="f",
        reason=reason,
        blame=Blame.FIREWALL_L7,
        confidence=Confidence.HIGH,
        title="A rule is missing",
        blame_confidence=Confidence.MEDIUM,
        targets=tuple(f"row/{one}:443" for one in hosts),
        evidence=("seen",),
        advice="Ask.",
    )


def closed(seconds: float) -> FindingClosed:
    """The same finding, closed."""
    return FindingClosed(
        at=at(seconds),
        since=at(seconds - 300),
        finding="f",
        reason="site_rule_missing",
        title="A rule is missing",
    )


def lines(*events: Event, already: tuple[Event, ...] = ()) -> list[str]:
    """Return the lines of events, without times."""
    return [f"{one.word} {one.text}" for one in change_lines_of(events, already=already)]


def test_a_change_is_one_line_with_its_host_once() -> None:
    """What, which host, what changed, why, who and since when; no id and no evidence."""
    assert lines(bad("a.example", 0)) == [
        "BAD a.example:443 blocked: tls_sni_reset, firewall_l7, since 03:09:55Z"
    ]
    assert lines(good("a.example", 0)) == [
        "GOOD a.example:443 ok again after 5 min, was blocked: tls_sni_reset"
    ]


def test_what_changes_alike_is_one_line() -> None:
    """Targets that change in the same way within two minutes are counted, and the first are named."""
    events = [bad(f"h{number}.example", number) for number in range(41)]
    assert lines(*events) == [
        (
            "BAD 41 targets blocked: tls_sni_reset, firewall_l7, since 03:09:55Z: "
            "h0.example:443, h1.example:443, h2.example:443 and 38 more"
        )
    ]


def test_a_host_of_several_endpoints_is_named_once() -> None:
    """Two endpoints of one host are two targets and one name."""
    (line,) = lines(bad("a.example", 0), bad("a.example", 1, endpoint="other"))
    assert line.count("a.example") == 1
    assert line.startswith("BAD 2 targets blocked")


def test_changes_of_different_reasons_and_far_times_are_apart() -> None:
    """Another reason, another source or three minutes later is another line."""
    other = replace(BLOCKED, reason="tcp_refused")
    assert len(lines(bad("a.example", 0), bad("b.example", 1, after=other))) == 2
    assert len(lines(bad("a.example", 0), bad("b.example", 180))) == 2
    assert lines(bad("a.example", 0), bad("b.example", 1, source="second")) == [
        "BAD a.example:443 from default blocked: tls_sni_reset, firewall_l7, since 03:09:55Z",
        "BAD b.example:443 from second blocked: tls_sni_reset, firewall_l7, since 03:09:56Z",
    ]


def test_flapping_keeps_its_order() -> None:
    """A target that changes to and fro has a line for each change, in order."""
    words = [one.split()[0] for one in lines(bad("a.e", 0), good("a.e", 10), bad("a.e", 20), good("a.e", 30))]
    assert words == ["BAD", "GOOD", "BAD", "GOOD"]


@pytest.mark.parametrize("order", [(0, 5), (5, 0)])
def test_a_cause_and_what_it_did_is_one_line(order: tuple[int, int]) -> None:
    """The targets of a finding are in its line, before it and after it, and those it took later."""
    hosts = [f"h{number}" for number in range(5)]
    late = bad("late", 60, after=replace(BLOCKED, reason="site_rule_missing"))
    events: list[Event] = sorted(
        (opened(*hosts, seconds=order[0]), *(bad(one, order[1]) for one in hosts), late),
        key=lambda one: one.at,
    )
    assert lines(*events) == [
        (
            "CAUSE 6 targets: site_rule_missing, firewall_l7 (medium): A rule is missing: "
            "h0:443, h1:443, h2:443 and 3 more"
        )
    ]


def test_the_end_of_a_cause_is_one_line() -> None:
    """The recoveries of a finding's targets are in the line of its end, also where it was open before."""
    found = opened("a", "b", seconds=-4000)
    assert lines(good("a", 0), good("b", 1), closed(20), already=(found,)) == [
        "OVER 2 targets ok again after 5 min: site_rule_missing: A rule is missing"
    ]
    assert lines(closed(0)) == ["OVER gone after 5 min: site_rule_missing: A rule is missing"]


def test_what_was_over_before_a_cause_is_not_its() -> None:
    """A fault that was repaired before the finding opened has lines of its own."""
    found = lines(bad("a", 0), good("a", 20), bad("a", 50), opened("a", "b", seconds=55), bad("b", 56))
    assert [one.split()[0] for one in found] == ["BAD", "GOOD", "CAUSE"]


def test_a_failure_while_another_cause_ends_is_kept() -> None:
    """Only recoveries belong to an end, only failures to a beginning."""
    found = lines(
        opened("a", "b", seconds=0), bad("a", 0), bad("b", 0), good("a", 50), closed(60), bad("b", 65)
    )
    assert [one.split()[0] for one in found] == ["CAUSE", "OVER", "BAD"]


def test_other_events_have_their_line() -> None:
    """Alerts say to whom, sweeps that took too long are counted, a refused configuration says why."""
    removed = TargetRemoved(
        at=at(0), target="row/a:443", source="default", before=BLOCKED, before_since=at(-9)
    )
    overran = [SweepOverran(at=at(number), seconds=50 + number, missed=1) for number in range(3)]
    finished = SweepFinished(
        at=at(9),
        recording="r",
        started=at(0),
        seconds=9,
        tally=OutcomeCounts(targets=2, ok=2, degraded=0, blocked=0, down=0, unknown=0),
    )
    assert lines(
        removed, POSTED, *overran, ConfigRejected(at=at(5), problems=("x:1: no", "y")), finished
    ) == [
        "GONE a:443 not probed any more, was blocked: tls_sni_reset",
        "ALERT critical opened: x can't be reached; to chat, noc",
        "EGRESSD 3 sweeps in a row took up to 52 s, longer than the interval; 3 sweeps skipped",
        "EGRESSD configuration refused, the one before stays: x:1: no and 1 more",
        "EGRESSD swept in 9.0 s: 2 targets, 2 ok",
    ]


def rendered(width: int | None, *, colour: bool = False) -> str:
    """Render a history of every kind."""
    hostile = replace(bad("\x1b]0;x\x07\u202ehost", 0), target="row/\x1b[2J\u202eevil.example:443")
    events: tuple[Event, ...] = (
        *(bad(f"h{number}", number) for number in range(9)),
        hostile,
        opened("z", seconds=90_000),
    )
    watch = SweepActivity(sweeps=2, first=at(0), last=at(9))
    history = History(since=at(0), until=at(9), already=(bad("old", -90_000),), events=events, watch=watch)
    return render_compact(history, width=width, colour=colour)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_a_terminal(width: int) -> None:
    """On a terminal no line wraps, each day is named once, and nothing moves the cursor."""
    text = rendered(width)
    assert max(len(one) for one in text.splitlines()) <= width
    assert "".join(text.splitlines()).isprintable()
    assert [one for one in text.splitlines() if one.startswith("2026") and len(one) == 10] == [
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
    ]
    assert "\x1b[1;31m" in rendered(width, colour=True)


def test_lines_of_a_file_are_whole() -> None:
    """In a file or a pipe, each line has its date and is not cut, so that grep finds it."""
    found = [one for one in rendered(None).splitlines() if "BAD" in one or "CAUSE" in one]
    assert found
    assert all(one.startswith("2026-11-") and one[19] == "." and "\u2026" not in one for one in found)
