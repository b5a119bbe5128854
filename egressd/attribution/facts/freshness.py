"""Age of an HTTP answer, by its own headers (RFC 9111) and by the clock that other hosts agree on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

from egressd.attribution.facts.proxy import headers_of
from egressd.model.observation import HttpObservation
from egressd.model.recording import ClockReading

LATE = timedelta(hours=1)
"""How far a `Date` may lie behind."""
OLD = timedelta(days=7)
"""The age beyond which a cache without instructions has kept an answer too long."""
WITNESSES = 2
"""How many other hosts must agree on the time."""
_LIFETIME = re.compile(r"\b(s-maxage|max-age)\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)


def is_stale(answer: HttpObservation, readings: Iterable[ClockReading]) -> bool:
    """Whether a cache served the answer after its lifetime."""
    headers = headers_of(answer)
    lifetime = _lifetime(headers.get("cache-control", ""))
    age = _age(headers.get("age", ""))
    if age is not None and age > (OLD if lifetime is None else lifetime + LATE):
        return True
    behind = _behind(answer, headers.get("date", ""), readings)
    return behind is not None and behind > (lifetime or timedelta()) + LATE


def _lifetime(control: str) -> timedelta | None:
    """Return how long a shared cache may serve the answer; None: the header does not say."""
    given = {name.lower(): int(value) for name, value in _LIFETIME.findall(control)}
    seconds = given.get("s-maxage", given.get("max-age"))
    return None if seconds is None else timedelta(seconds=seconds)


def _age(text: str) -> timedelta | None:
    text = text.strip()
    known = text.isascii() and text.isdigit() and len(text) < 12
    return timedelta(seconds=min(int(text), 10**9)) if known else None


def _behind(answer: HttpObservation, date: str, readings: Iterable[ClockReading]) -> timedelta | None:
    """Return how far `Date` lies behind the time that other hosts agree on; None: they do not agree."""
    others = [one.offset_seconds for one in readings if one.host.lower() != answer.host.lower()]
    offset = median(others) if others else 0.0
    agreeing = [one for one in others if abs(one - offset) <= LATE.total_seconds()]
    if not date or len(agreeing) < WITNESSES:
        return None
    try:
        now = datetime.fromisoformat(answer.started) + timedelta(seconds=offset)
        return now - parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
