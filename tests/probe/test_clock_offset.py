"""The clock offset needs several hosts, and fresh responses."""

from __future__ import annotations

from egressd.model.observation import HttpObservation, NtpObservation, Observation
from egressd.model.recording import ProbeRecord, Trail
from egressd.model.settings import Family
from egressd.probe.clock_offset import clock_offset

OURS = "2026-11-20T12:00:00.000Z"


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


def record(*seen: Observation) -> ProbeRecord:
    """Return a probe record with one trail of these observations."""
    trail = Trail(
        source="default", family=Family.IPV4, address="198.51.100.1", path="direct", observations=seen
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
