"""How values are written, wherever a person or a file reads them. Pure: nothing is looked up."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(when: datetime) -> str:
    """Write a moment (aware) as RFC 3339, in UTC and with milliseconds."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def count(number: int, noun: str) -> str:
    """Say `1 target`, `2 targets`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
