"""The offset of this host's clock, by HTTP `Date` headers (RFC 9110 section 6.6.1) and NTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

from egressd.model.observation import HttpObservation, NtpObservation, Phase
from egressd.model.recording import ClockReading, ProbeRecord, Trail
from egressd.probe.candidates import DIRECT

MIN_HOSTS = 2
"""Hosts that must have given a reading before an offset is stated."""
MAX_READINGS = 50
HALF_SECOND = 0.5
"""`Date` is truncated to whole seconds: on average it is half a second behind."""


def clock_offset(records: Iterable[ProbeRecord]) -> tuple[tuple[ClockReading, ...], float | None]:
    """Return one reading per host, and their median in seconds; None below two hosts."""
    readings: dict[str, ClockReading] = {}
    for reading in _readings(records):
        readings.setdefault(reading.host, reading)
    kept = tuple(readings[host] for host in sorted(readings))[:MAX_READINGS]
    if len(kept) < MIN_HOSTS:
        return kept, None
    return kept, round(median(one.offset_seconds for one in kept), 3)


def _readings(records: Iterable[ProbeRecord]) -> Iterator[ClockReading]:
    for record in records:
        for trail in record.trails:
            if _forwarded_by_proxy(trail):
                continue
            for seen in trail.observations:
                match seen:
                    case HttpObservation(failure=None):
                        yield from _from_date(seen)
                    case NtpObservation(failure=None, offset_seconds=float(offset)):
                        yield ClockReading(host=seen.remote_address, offset_seconds=offset, origin="ntp")
                    case _:
                        pass


def _forwarded_by_proxy(trail: Trail) -> bool:
    """Return whether a proxy forwarded the request: then the `Date` may be the proxy's."""
    return trail.path != DIRECT and trail.seen(Phase.PROXY) is None


def _from_date(seen: HttpObservation) -> Iterator[ClockReading]:
    """Compare `Date` with the middle of the exchange; a cached response does not count."""
    headers = dict(seen.headers)
    if "age" in headers or "date" not in headers:
        return
    try:
        theirs = parsedate_to_datetime(headers["date"])
        ours = datetime.fromisoformat(seen.started) + timedelta(milliseconds=seen.elapsed_ms / 2)
        offset = (theirs - ours).total_seconds() + HALF_SECOND
    except (ValueError, TypeError, OverflowError):
        return
    yield ClockReading(host=seen.host, offset_seconds=round(offset, 3), origin="http-date")
