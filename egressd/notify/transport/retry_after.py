"""`Retry-After` (RFC 9110, 10.2.3): how long a server asks us to wait, whatever it has written there."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterable
from datetime import UTC, datetime

LONGEST_RETRY_AFTER = 3600.0
"""Seconds: the most a server may ask us to wait."""
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?")
"""Some services give fractions."""
_LONGEST = 64
"""Characters: a date has 33 at most."""


def retry_after(values: Iterable[str], now: datetime) -> float | None:
    """Return the seconds to wait, the longest of several; None: none that can be understood. Never raises."""
    found = [seconds for text in values if (seconds := _seconds(text[:_LONGEST].strip(), now)) is not None]
    return min(max(found), LONGEST_RETRY_AFTER) if found else None


def _seconds(text: str, now: datetime) -> float | None:
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
        # The old form of C's asctime names no zone; HTTP knows but one.
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None  # what the library raises depends on the text and on Python's version
    return max(seconds, 0.0)
