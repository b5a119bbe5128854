"""The clock offset needs several hosts, and fresh responses."""

from __future__ import annotations

from itertools import count

import pytest
from msgspec.structs import replace

from egressd.model.observation import HttpObservation, NtpObservation, Observation
from egressd.model.recording import ProbeRecord, Trail
from egressd.model.settings import Family
from egressd.probe.clock_offset import clock_offset

OURS = "2026-11-20T12:00:00.000Z"
NUMBERS = count()
LATER, NOW = "Fri, 20 Nov 2026 13:00:00 GMT", "Fri, 20 Nov 2026 12:00:00 GMT"


def http(host: str, date: str, **more: str) -> HttpObservation:
    """Return a response with a `Date` header."""
    headers = (("date", date), *((name, value) for name, value in more.items()))
    return HttpObservation(
        started=OURS,
        elapsed_ms=0.0,
        method="GET",
        host=host,
        url_path="/",
        version="1.1",
        status=200,
        headers=headers,
    )


def record(*seen: Observation, address: str = "") -> ProbeRecord:
    """Return a probe record with one trail of these observations, at an address of its own."""
    number = next(NUMBERS)
    trail = Trail(
        source="default",
        family=Family.IPV4,
        address=address or f"198.51.{number // 256}.{number % 256}",
        path="direct",
        observations=seen,
    )
    return ProbeRecord(probe="p", trails=(trail,))


def test_two_hosts_give_an_offset() -> None:
    """It is the median over hosts, theirs minus ours."""
    readings, offset = clock_offset(
        [
            record(http("a", "Fri, 20 Nov 2026 13:00:00 GMT")),
            record(http("b", "Fri, 20 Nov 2026 13:00:02 GMT")),
        ]
    )

    assert [one.offset_seconds for one in readings] == [3600.5, 3602.5]
    assert offset == 3601.5


def test_one_host_is_not_enough() -> None:
    """Many readings of one host give no offset."""
    same = record(http("a", "Fri, 20 Nov 2026 13:00:00 GMT"))

    assert clock_offset([same, same])[1] is None


def test_cached_and_broken_dates_do_not_count() -> None:
    """A response with `Age`, and an invalid `Date`, give no reading."""
    cached = record(http("a", "Fri, 20 Nov 2026 13:00:00 GMT", age="5"))
    broken = record(http("b", "yesterday"))
    naive = record(http("c", "Fri, 20 Nov 2026 13:00:00 -0000"))

    assert clock_offset([cached, broken, naive]) == ((), None)


def test_ntp_counts_too() -> None:
    """An NTP reply is a reading of its host."""
    ntp = NtpObservation(
        started=OURS, elapsed_ms=1.0, remote_address="192.0.2.7", remote_port=123, offset_seconds=-0.5
    )

    readings, offset = clock_offset([record(ntp), record(http("a", "Fri, 20 Nov 2026 12:00:00 GMT"))])

    assert {one.origin for one in readings} == {"ntp", "http-date"}
    assert offset == 0.0


@pytest.mark.parametrize(
    "date",
    [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Sat, 01 Jan 2000 00:00:00 GMT",
        "Wed, 01 Jan 2098 00:00:00 GMT",
    ],
)
def test_a_time_that_cannot_be_now_is_no_reading(date: str) -> None:
    """However many servers have it: their clocks were never set, or they do not mean it."""
    assert clock_offset([record(http(host, date)) for host in "abc"]) == ((), None)


def test_a_clock_that_was_never_set_is_told_by_others() -> None:
    """The time that must be plausible is theirs: ours may be of 1970."""
    ours = [replace(http(host, NOW), started="1970-01-01T00:00:10.000Z") for host in "ab"]
    offset = clock_offset([record(one) for one in ours])[1]
    assert offset is not None
    assert offset > 50 * 365 * 86400


def test_clocks_that_differ_prove_nothing() -> None:
    """One of two is wrong, and nothing tells which; more that agree outvote one that lies."""
    assert clock_offset([record(http("a", NOW)), record(http("b", LATER))])[1] is None
    apart = [record(http(f"h{n}", f"Fri, 20 Nov 2026 {n + 1:02}:00:00 GMT")) for n in range(8)]
    assert clock_offset(apart)[1] is None
    honest = [record(http("b", NOW)), record(http("c", NOW))]
    assert clock_offset([record(http("a", LATER)), *honest])[1] == 0.5


def test_a_server_has_one_vote() -> None:
    """Many names at one address are one clock; through a tunnel only names tell servers apart."""
    names = [record(http(f"h{n}", LATER), address="198.51.100.9") for n in range(5)]
    assert clock_offset(names)[1] is None
    assert clock_offset([*names, record(http("x", NOW)), record(http("y", NOW))])[1] == 0.5


def test_a_session_that_was_not_verified_has_no_vote() -> None:
    """Whoever ended it wrote the time as well."""
    seen = [record(replace(http(host, LATER), unverified=True)) for host in "ab"]
    assert clock_offset(seen) == ((), None)


@pytest.mark.parametrize("offset", [-2.2e9, 4.1e9, 1e300, float("inf"), float("nan")])
def test_ntp_that_cannot_be_now_is_no_reading(offset: float) -> None:
    """Zero timestamps and random bytes."""
    ntp = NtpObservation(
        started=OURS, elapsed_ms=1.0, remote_address="192.0.2.7", remote_port=123, offset_seconds=offset
    )
    other = replace(ntp, remote_address="192.0.2.8")
    assert clock_offset([record(ntp), record(other)]) == ((), None)
