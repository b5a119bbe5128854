"""The offset of this host's clock, by HTTP `Date` headers (RFC 9110 section 6.6.1) and NTP.

Anybody may send any time. So only one that can be now counts, one for each address that sent it, and an
offset is stated only where most of them agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from statistics import median

from egressd.model.observation import HttpObservation, NtpObservation, Phase
from egressd.model.recording import ClockReading, ProbeRecord, Trail
from egressd.probe.candidates import DIRECT

MIN_HOSTS = 2
"""Hosts that must agree before an offset is stated."""
AGREEMENT = 60.0
"""Seconds by which the readings of clocks that agree may differ."""
EARLIEST, LATEST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
"""A server's time outside is none: it would be from before egressd, or beyond all certificates."""
MAX_READINGS = 50
HALF_SECOND = 0.5
"""`Date` is truncated to whole seconds: on average it is half a second behind."""
_parse_date = lru_cache(maxsize=256)(parsedate_to_datetime)
"""Servers that are probed at once send the same."""


def clock_offset(records: Iterable[ProbeRecord]) -> tuple[tuple[ClockReading, ...], float | None]:
    """Return one reading per server, and their median in seconds; None where too few agree."""
    readings: dict[str, ClockReading] = {}
    servers: set[str] = set()
    for server, host, seen in _sent(records):
        if server in servers or host in readings:
            continue  # thousands of targets may be on few servers
        reading = _from_date(seen) if isinstance(seen, HttpObservation) else _from_ntp(seen)
        if reading is not None:
            servers.add(server)
            readings[host] = reading
    kept = tuple(readings[host] for host in sorted(readings))[:MAX_READINGS]
    return kept, _agreed(kept)


def _agreed(readings: tuple[ClockReading, ...]) -> float | None:
    """Return the offset that most readings agree on; None: there is none, or of too few hosts."""
    offsets = [one.offset_seconds for one in readings]
    middle = median(offsets) if offsets else 0.0
    agreeing = [one for one in offsets if abs(one - middle) <= AGREEMENT]
    if len(agreeing) < MIN_HOSTS or 2 * len(agreeing) <= len(offsets):
        return None
    return round(median(agreeing), 3)


def _sent(records: Iterable[ProbeRecord]) -> Iterator[tuple[str, str, HttpObservation | NtpObservation]]:
    """Yield what may hold a time, with the server and the host that it is a reading of.

    A server is known by its address; by its name where the address is a proxy's.
    """
    for record in records:
        for trail in record.trails:
            if _forwarded_by_proxy(trail):
                continue
            for seen in trail.observations:
                match seen:
                    case HttpObservation(failure=None, unverified=False, host=host):
                        server = trail.address if trail.path == DIRECT and trail.address else host
                        yield server, host, seen
                    case NtpObservation(failure=None, remote_address=str(address)):
                        yield address, address, seen
                    case _:
                        pass


def _from_ntp(seen: NtpObservation) -> ClockReading | None:
    offset = seen.offset_seconds
    if offset is None or not _can_be_now(seen.started, offset):
        return None
    return ClockReading(host=seen.remote_address, offset_seconds=offset, origin="ntp")


def _can_be_now(started: str, offset: float) -> bool:
    """Return whether a server's time, by its offset from ours, can be the time now."""
    try:
        return EARLIEST <= datetime.fromisoformat(started) + timedelta(seconds=offset) < LATEST
    except (ValueError, OverflowError):
        return False


def _forwarded_by_proxy(trail: Trail) -> bool:
    """Return whether a proxy forwarded the request: then the `Date` may be the proxy's."""
    return trail.path != DIRECT and trail.seen(Phase.PROXY) is None


def _from_date(seen: HttpObservation) -> ClockReading | None:
    """Compare `Date` with the middle of the exchange; a cached response does not count."""
    headers = dict(seen.headers)
    if "age" in headers or "date" not in headers:
        return None
    try:
        theirs = _parse_date(headers["date"])
        ours = datetime.fromisoformat(seen.started) + timedelta(milliseconds=seen.elapsed_ms / 2)
        offset = (theirs - ours).total_seconds() + HALF_SECOND
    except (ValueError, TypeError, OverflowError):
        return None
    if not _can_be_now(seen.started, offset):
        return None
    return ClockReading(host=seen.host, offset_seconds=round(offset, 3), origin="http-date")
