"""What a report file may hold: one that is out of proportion is refused before it is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network

from msgspec import Struct

from egressd.errors import ReportFileError
from egressd.model.settings import ServiceTags, Trust

MAX_CHARACTERS = 320 * 1024 * 1024
"""A sweep of 20,000 targets has 220 MiB of it where all is well."""
MAX_CONTAINERS = 2_000_000
"""Objects and lists; each of 20,000 targets may have a hundred."""
MAX_VALUES = 10_000_000
"""Objects, lists and what they hold, commas in texts included."""
MAX_ITEMS = 1_000
"""Of one list."""
MAX_ROWS = 100_000
"""Of a list of the plan or of what was concluded."""
_ROWS = frozenset(
    (
        *("targets", "findings", "probes", "controls", "unsampled", "coverage", "notes"),
        *("trails", "marks", "changes", "findings_opened", "findings_closed", "rules", "tags", "prefixes"),
    )
)
MAX_TEXT = 4096
"""Characters of a fact: judging repeats it in many sentences."""
MAX_LONG_TEXT = 64 * 1024
_LONG_TEXTS = frozenset({"advice", "evidence", "notes", "note"})
_BETWEEN_BRACKETS = re.compile(r"[^][{}]+")


def is_too_big(text: str) -> bool:
    """Whether a text has too much to be parsed, which takes many times the memory of the text."""
    containers = text.count("{") + text.count("[")
    if len(text) > MAX_CHARACTERS or containers > MAX_CONTAINERS:
        return True
    values = (text.count(",", *part.span()) for part in _BETWEEN_BRACKETS.finditer(text))
    longest = MAX_ROWS + MAX_LONG_TEXT
    return containers + sum(MAX_VALUES if one > longest else one for one in values) > MAX_VALUES


def check_bounds(value: object, place: str = "", name: str = "") -> None:
    """Check the length of every text and collection in a report. `name` is the field that holds the value.

    Raises:
        ReportFileError: one is longer than any that egressd writes.
    """
    if isinstance(value, str):
        most, what = MAX_LONG_TEXT if name in _LONG_TEXTS else MAX_TEXT, "characters"
    elif isinstance(value, tuple | Mapping):
        most, what = MAX_ROWS if name in _ROWS else MAX_ITEMS, "items"
    else:
        most, what = 0, ""
    if what and len(value) > most:  # type: ignore[arg-type]  # what has a length
        raise ReportFileError(f"{place.removeprefix('.')[:200]}: it should have at most {most} {what}")
    if isinstance(value, Struct):
        for key in value.__struct_fields__:
            check_bounds(getattr(value, key), f"{place}.{key}", key)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            check_bounds(key, place, name)
            check_bounds(one, place, name)
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            check_bounds(one, f"{place}[{number}]", name)


def check_networks(trust: Trust, tags: ServiceTags | None) -> None:
    """Check the networks that judging compares addresses with.

    Raises:
        ReportFileError: one can't be read.
    """
    for place, network in _networks(trust, tags):
        try:
            ip_network(network)
        except ValueError:
            raise ReportFileError(f"plan.{place}: it should be a network, like 203.0.113.0/24") from None


def _networks(trust: Trust, tags: ServiceTags | None) -> Iterator[tuple[str, str]]:
    yield from ((f"trust.public_networks[{number}]", one) for number, one in enumerate(trust.public_networks))
    for at, tag in enumerate(tags.tags if tags is not None else ()):
        yield from ((f"service_tags.tags[{at}].prefixes[{n}]", one) for n, one in enumerate(tag.prefixes))
