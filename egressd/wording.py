"""Formats for values in messages and reports, and stamps of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless_cell(text: str) -> str:
    """Keep a spreadsheet from running a cell as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def stamp(when: datetime) -> str:
    """Write an aware datetime as RFC 3339, in UTC and with milliseconds."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def is_stamp(text: str) -> bool:
    """Whether a text is a time in UTC as RFC 3339 writes it."""
    try:
        return text.endswith("Z") and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def seconds_between(begin: str, end: str) -> float:
    """Return the seconds from one stamp to another; ValueError where one is no time."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def span(seconds: float) -> str:
    """Write a duration in its two largest units: `1 h 58 min`."""
    whole = int(seconds)
    for unit, size, small, below in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit} {rest} {small}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def host_port(host: str, port: int) -> str:
    """Write `host:port` as URLs do: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"{bracketed(host)}:{port}"


def name_first(names: Iterable[str], *, most: int = 2) -> str:
    """Name the first of several things, each once, and count the others: `a, b and 3 more`."""
    known = list(dict.fromkeys(names))
    more = len(known) - most
    return ", ".join(known[:most]) + (f" and {more} more" if more > 0 else "")


def either_of(names: Sequence[str]) -> str:
    """Write alternatives: `a`, `a or b`, `a, b or c`."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def port_range(first: int | None, last: int | None) -> str:
    """Write a port or a range as firewalls do; empty where there is no port."""
    return "-".join(str(one) for one in (first, last) if one is not None)


def bracketed(host: str) -> str:
    """Write a host as URLs do: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def count(number: int, noun: str) -> str:
    """Write a number with a noun: `1 target`, `2 targets`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
