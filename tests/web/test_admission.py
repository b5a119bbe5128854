"""Who may connect: shares by address, places for this host, idle connections that give way, one log line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from egressd import clock
from egressd.web.connection.admission import LOOPBACK, QUIET, Admission, Slot, group_of

NEAR, FAR, OTHER = "127.0.0.1", "192.0.2.1", "192.0.2.2"


def admission() -> Admission:
    """Return a small one: six in all, three of one address, two for this host."""
    return Admission(most=6, share=3, for_loopback=2)


def opened(admitted: Admission, address: str, *, answering: bool = False) -> tuple[Slot, list[str]]:
    """Open a connection; the list is filled when it is closed for another."""
    slot = admitted.admit(address)
    assert slot is not None
    closed: list[str] = []
    slot.close = lambda: closed.append(address)
    slot.answering = answering
    return slot, closed


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.9.9.9", LOOPBACK),
        ("::1", LOOPBACK),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_an_address_is_counted_for(address: str, group: str) -> None:
    """This host is one, whatever the address; a network of IPv6 is one."""
    assert group_of(address) == group


def test_the_longest_idle_of_an_address_gives_way_to_its_next() -> None:
    """A client that leaks connections loses its own, and nobody else's."""
    admitted = admission()
    near, leaks = opened(admitted, NEAR), [opened(admitted, FAR) for _ in range(8)]
    assert [bool(closed) for _, closed in leaks] == [True] * 5 + [False] * 3
    assert near[1] == []
    assert len(admitted) == 4


def test_a_request_that_is_answered_does_not_give_way() -> None:
    """While an address has its share of requests under way, its next connection is refused."""
    admitted = admission()
    busy = [opened(admitted, FAR, answering=True) for _ in range(3)]
    assert admitted.admit(FAR) is None
    assert admitted.admit(OTHER) is not None
    busy[1][0].blocked = True  # it does not read what it asked for
    assert admitted.admit(FAR) is not None
    assert [bool(closed) for _, closed in busy] == [False, True, False]


def test_others_never_use_up_the_places_of_this_host() -> None:
    """However many addresses are busy here, this host's own health check is let in."""
    admitted = admission()
    for number in range(4):
        opened(admitted, f"192.0.2.{number}", answering=True)
    assert admitted.admit("192.0.2.77") is None
    opened(admitted, NEAR, answering=True)
    opened(admitted, NEAR, answering=True)
    assert admitted.admit(NEAR) is None


def test_of_many_addresses_the_largest_gives_way() -> None:
    """Where all places are taken, the address that has most loses its longest idle one."""
    admitted = admission()
    one, two = [opened(admitted, FAR) for _ in range(3)], opened(admitted, OTHER)
    opened(admitted, "192.0.2.3")
    assert [bool(closed) for _, closed in one] == [True, False, False]
    assert two[1] == []


def test_an_episode_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand connections too many are two lines: one when it begins, one with figures when it is over."""
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    admitted = admission()
    with capture_logs() as logged:
        for _ in range(1000):
            opened(admitted, FAR)
            admitted.report()
        now += QUIET - 1
        admitted.report()
        assert [one["log_level"] for one in logged] == ["warning"]
        now += 2
        admitted.report()
        admitted.report()
        assert [(one["log_level"], one.get("closed")) for one in logged] == [("warning", None), ("info", 997)]
        opened(admitted, FAR)
        assert [one["log_level"] for one in logged] == ["warning", "info", "warning"]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans(), st.booleans()), max_size=60))
def test_bounds_hold_in_any_order(steps: list[tuple[int, bool, bool, bool]]) -> None:
    """In any order of clients, no bound is passed, and this host is refused only by its own requests."""
    admitted, slots = admission(), list[Slot]()
    for client, answering, blocked, ends in steps:
        address = NEAR if client == 0 else f"192.0.2.{client}"
        slot = admitted.admit(address)
        if slot is not None:
            slot.answering, slot.blocked = answering, blocked
            slots.append(slot)
        elif address == NEAR:
            assert sum(one.group == LOOPBACK for one in slots if one in admitted._open) >= 2
        if ends and slots:
            admitted.release(slots.pop(0))
        groups = [one.group for one in admitted._open]
        assert len(groups) <= 6
        assert all(groups.count(one) <= 3 for one in groups)
        assert sum(one != LOOPBACK for one in groups) <= 4
