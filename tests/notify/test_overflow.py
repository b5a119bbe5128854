"""What a full queue drops: never a critical notice while a less urgent one waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.alert import Notice, NoticeKind, Outbox
from egressd.model.notification import Severity
from egressd.notify.outbox import dropped_of, enqueue
from tests.notify.notices import alert, condition, notice

OPENED, CHANGED, REMINDED, CLOSED = (
    NoticeKind.OPENED,
    NoticeKind.CHANGED,
    NoticeKind.REMINDED,
    NoticeKind.CLOSED,
)
CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO


def about(number: int, name: str, kind: NoticeKind = OPENED, severity: Severity = CRITICAL) -> Notice:
    """Return a notice about an alert."""
    made = alert(name, condition=condition(name, severity=severity))
    return replace(notice(number, kind, at="2026-11-20T03:00:00.000Z"), alert=made)


def kept(bound: int, *notices: Notice) -> tuple[list[int], int]:
    """Queue notices one by one; return the numbers of those that wait, and how many were dropped."""
    outbox = Outbox()
    for one in notices:
        outbox = enqueue(outbox, [(one, ["hook"])], {"hook": bound})
    return [int(one.notice.id[1:]) for one in outbox.waiting], dropped_of(outbox, "hook")


@pytest.mark.parametrize(
    ("bound", "notices", "left"),
    [
        (2, [about(1, "a"), about(2, "b"), about(3, "c")], [2, 3]),
        (2, [about(1, "a"), about(2, "b", severity=WARNING), about(3, "c")], [1, 3]),
        (2, [about(1, "a"), about(2, "b"), about(3, "c", severity=INFO)], [1, 2]),
        (
            2,
            [about(1, "a", severity=INFO), about(2, "b", severity=WARNING), about(3, "c", severity=INFO)],
            [2, 3],
        ),
        (2, [about(1, "a"), about(2, "b"), about(3, "b", CLOSED)], [1]),
        (3, [about(1, "a"), about(2, "b"), about(3, "b", CLOSED), about(4, "b")], [1, 4]),
        (2, [about(1, "a", CLOSED), about(2, "a"), about(3, "b", severity=WARNING)], [1, 2]),
        (2, [about(1, "a", REMINDED), about(2, "b"), about(3, "a", REMINDED)], [2, 3]),
        (
            2,
            [about(1, "a", CHANGED, WARNING), about(2, "b", severity=WARNING), about(3, "a", CLOSED)],
            [1, 3],
        ),
    ],
)
def test_the_least_urgent_go_first(bound: int, notices: list[Notice], left: list[int]) -> None:
    """By severity of the alert; then what was repeated, what is over before it was told, and the oldest."""
    assert kept(bound, *notices) == (left, len(notices) - len(left))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"),
            st.sampled_from((OPENED, CHANGED, REMINDED, CLOSED)),
            st.sampled_from(Severity),
        ),
        max_size=40,
    ),
    st.integers(1, 8),
)
def test_no_critical_alert_is_dropped_before_others(
    made: list[tuple[str, NoticeKind, Severity]], bound: int
) -> None:
    """Where something critical was dropped at the last notice, nothing less urgent is left waiting."""
    rows = [about(number, name, kind, severity) for number, (name, kind, severity) in enumerate(made, 1)]
    outbox = Outbox()
    for one in rows:
        before = outbox
        outbox = enqueue(outbox, [(one, ["hook"])], {"hook": bound})
        assert len(outbox.waiting) <= bound
        known = {*before.waiting, *outbox.waiting}
        gone = known - set(outbox.waiting)
        rank = {
            name: min(
                each.notice.alert.condition.severity.rank for each in known if each.notice.alert.id == name
            )
            for name in {each.notice.alert.id for each in known}
        }
        if any(rank[each.notice.alert.id] == 0 for each in gone):
            assert all(rank.get(each.notice.alert.id, 0) == 0 for each in outbox.waiting)
