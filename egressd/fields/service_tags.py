"""Microsoft's weekly file of service tags, read tolerantly: nobody promises its shape.

Only tags over all regions are kept. Documents require the full range: a regional one lacks global parts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from msgspec import Struct

from egressd import clock
from egressd.errors import UnreadableFileError
from egressd.inputfile import read_file
from egressd.model.settings import ServiceTag, ServiceTags
from egressd.wording import count

LARGEST = 64 << 20
"""Bytes; the file of the public cloud has some 4 MiB."""
MOST_TAGS, MOST_PREFIXES = 5_000, 200_000
OLD = timedelta(days=14)
"""New ranges are in the file a week or more before they are used, and it appears every week."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DAY = re.compile(r"(20\d\d)(\d\d)(\d\d)")


class _Left(Struct):
    """What is left out, counted."""

    entries: int = 0
    prefixes: int = 0


def read_service_tags(path: Path) -> ServiceTags:
    """Return the tags of a file. Raises ValueError where it can't be read or holds no tag."""
    try:
        data = read_file(path, limit=LARGEST)
    except UnreadableFileError as error:
        raise ValueError(str(error)) from None
    if len(data) > LARGEST:
        raise ValueError(f"cannot use {path}: it is larger than {LARGEST >> 20} MiB")
    document, left = _parsed(data, path), _Left()
    tags = tuple(_tags(document, left))
    if not tags:
        raise ValueError(f"cannot use {path}: no service tag with addresses is in it; {WANTED}")
    dated, number = _date_of(path), document.get("changeNumber")
    return ServiceTags(
        dated=dated.isoformat() if dated is not None else None,
        change_number=_number(number),
        tags=tags,
        digest=hashlib.sha256(data).hexdigest(),
        notes=tuple(_notes(path, dated, left)),
    )


WANTED = "it must be Microsoft's JSON, such as ServiceTags_Public_20261123.json (download 56519)"


def _parsed(data: bytes, path: Path) -> Mapping[str, object]:
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"cannot use {path}: not UTF-8 text; {WANTED}") from None
    except (ValueError, RecursionError):
        raise ValueError(f"cannot use {path}: not JSON; {WANTED}") from None
    if isinstance(document, dict) and isinstance(document.get("values"), list):
        return document
    raise ValueError(f"cannot use {path}: it has no list `values`; {WANTED}")


def _tags(document: Mapping[str, object], left: _Left) -> Iterator[ServiceTag]:
    """Yield each tag over all regions once, with the prefixes that can be read."""
    values, seen, room = document["values"], set[str](), MOST_PREFIXES
    for one in values if isinstance(values, list) else ():
        properties = one.get("properties") if isinstance(one, dict) else None
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(properties, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
            left.entries += 1
            continue
        if properties.get("region"):
            continue
        given = properties.get("addressPrefixes")
        prefixes = tuple(_prefixes(given if isinstance(given, list) else [], left))
        if not prefixes or len(prefixes) > room or len(seen) >= MOST_TAGS:
            left.entries += 1
        elif name.lower() not in seen:
            seen.add(name.lower())
            room -= len(prefixes)
            yield ServiceTag(name=name, prefixes=prefixes)


def _prefixes(given: list[object], left: _Left) -> Iterator[str]:
    for one in given:
        try:
            yield str(ip_network(one.strip() if isinstance(one, str) else "", strict=False))
        except ValueError:
            left.prefixes += 1


def _number(given: object) -> int | None:
    text = str(given)
    return int(text) if text.isdecimal() and len(text) < 18 else None


def _date_of(path: Path) -> date | None:
    """Return the day a file is of: by its name, else by its time."""
    for parts in reversed(_DAY.findall(path.name)):
        try:
            return date(*map(int, parts))
        except ValueError:
            continue
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    except (OSError, ValueError, OverflowError):
        return None


def _notes(path: Path, dated: date | None, left: _Left) -> Iterator[str]:
    age = clock.now().date() - dated if dated is not None else None
    if age is not None and age > OLD:
        yield (
            f"service_tags: {path.name} is of {dated}, {age.days} days old: ranges change weekly, so that "
            "what is said of addresses may be out of date; download it again"
        )
    if left.entries or left.prefixes:
        yield (
            f"service_tags: {count(left.entries, 'tag')} and {count(left.prefixes, 'range')} of {path.name} "
            "could not be read and are left out"
        )
