"""Which events of the history are shown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.model.event import ConfigReloaded, Event, EventKind
from egressd.state.selection import Selection
from tests.report.test_history import POSTED
from tests.report.test_history_compact import at, bad, closed, good, opened

NOTICE = replace(POSTED, targets=("row/a:443",), reason="site_rule_missing")
EVENTS: tuple[Event, ...] = (
    bad("a", 0),
    bad("b", 1, source="second"),
    opened("a", seconds=2),
    NOTICE,
    ConfigReloaded(at=at(3), digest="d"),
    good("a", 9),
    closed(9),
)
CHANGED = (("row/a:443", "default"), ("row/b:443", "second"))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), (0, 1, 2, 3, 4, 5, 6)),
        (Selection(target="a"), (0, 2, 3, 4, 5, 6)),
        (Selection(target="b"), (1, 4)),
        (Selection(sources=("def*",)), (0, 2, 3, 4, 5, 6)),
        (Selection(sources=("second",)), (1, 4)),
        (Selection(reasons=("tls_*",)), (0, 1, 5)),
        (Selection(reasons=("site_*",)), (2, 3, 6)),
        (Selection(kinds=(EventKind.TARGET,)), (0, 1, 5)),
        (Selection(kinds=(EventKind.CAUSE, EventKind.ALERT)), (2, 3, 6)),
        (Selection(kinds=(EventKind.EGRESSD,)), (4,)),
        (Selection(kinds=(EventKind.TARGET,), sources=("second",), reasons=("tcp_*",)), ()),
    ],
)
def test_every_field_that_is_given_must_match(selection: Selection, expected: tuple[int, ...]) -> None:
    """A selection keeps what all of its fields match, and the end of a cause with its beginning."""
    assert tuple(selection.select(EVENTS, changed=CHANGED)) == tuple(EVENTS[one] for one in expected)
