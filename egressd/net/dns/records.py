"""The records of a DNS response that answer a question (RFC 1035 section 4.1.3).

Rule of the file: what a response costs is bounded by its size. Every other record is passed over unread, and
of those that may answer only the first are read: names, which compression makes costly, are read for these
alone.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

import dns.exception
import dns.inet
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.wire
from msgspec import Struct

from egressd.model.observation import ExtendedError
from egressd.net.scrub import scrub, scrub_bytes

MAX_ADDRESSES = 100
MAX_CNAMES = 32
_MAX_READ = MAX_ADDRESSES + MAX_CNAMES
_MAX_EXTENDED_ERRORS = 8
UNREADABLE = (dns.exception.DNSException, IndexError, struct.error, ValueError)
"""What the functions of this module raise where bytes are no DNS message."""
_EXTENDED_ERROR = 15
"""The EDNS option code of RFC 8914."""
_MAX_TTL = 0x7FFFFFFF
"""A larger TTL counts as 0 (RFC 2181 section 8)."""
_POINTER = 0xC0
_FIXED = struct.Struct("!HHIH")
"""Type, class, TTL and length of the data."""
_OPTION = struct.Struct("!HH")
_ADDRESSES = {int(dns.rdatatype.A): (socket.AF_INET, 4), int(dns.rdatatype.AAAA): (socket.AF_INET6, 16)}
"""Family and size, by record type."""
_CNAME, _IN = int(dns.rdatatype.CNAME), int(dns.rdataclass.IN)


class Record(NamedTuple):
    """Where a record stands in the message."""

    owner: int
    kind: int
    rdclass: int
    ttl: int
    start: int
    """Of its data."""
    end: int


class AnswerRecords(Struct, frozen=True, kw_only=True):
    """What the answer section says about a question."""

    addresses: tuple[str, ...]
    cnames: tuple[str, ...]
    ttl: int | None
    """The least of these records; None where there is none."""
    complete: bool
    """Whether every record that may answer was read."""


def pass_over_records(data: bytes, position: int, count: int, *, cut: bool) -> list[Record]:
    """Return where some records stand, in order; what follows starts at the `end` of the last.

    `cut`: the message may end in the middle of one, as a truncated response does.

    Raises:
        UNREADABLE: a record is not complete.
    """
    found: list[Record] = []
    try:
        for _ in range(count):
            found.append(_record_at(data, position))
            position = found[-1].end
    except UNREADABLE:
        if not cut:
            raise
    return found


def _record_at(data: bytes, owner: int) -> Record:
    fixed = _end_of_name(data, owner)
    kind, rdclass, ttl, size = _FIXED.unpack_from(data, fixed)
    start = fixed + _FIXED.size
    if start + size > len(data):
        raise ValueError("a record is longer than the message")
    return Record(owner, kind, rdclass, ttl, start, start + size)


def _end_of_name(data: bytes, position: int) -> int:
    while (size := data[position]) != 0:
        if size >= _POINTER:
            return position + 2
        if size >= 64:  # RFC 1035 section 4.1.4: reserved
            raise ValueError("a label of an unknown type")
        position += size + 1
    return position + 1


def read_answer(
    data: bytes, section: list[Record], name: dns.name.Name, rtype: int, *, asked_at: int | None
) -> AnswerRecords:
    """Follow the CNAMEs of an answer section from a name to its addresses.

    `asked_at` is where that name stands in the message; None: it does not. Most records point at it.

    Raises:
        UNREADABLE: a record that answers can't be read.
    """
    answering = [one for one in section if one.kind in (rtype, _CNAME) and one.rdclass == _IN]
    read = answering[:_MAX_READ]
    pointer = None if asked_at is None else (_POINTER << 8 | asked_at).to_bytes(2)
    others = [one for one in read if one.kind == _CNAME or data[one.owner : one.owner + 2] != pointer]
    aliases, records = _follow(data, read, name, rtype, pointer) if others else ([], read)
    cnames = [alias for alias, _ in aliases]
    ttls = [ttl for _, ttl in aliases]
    addresses = dict.fromkeys(_address(data[one.start : one.end], rtype) for one in records)
    return AnswerRecords(
        addresses=tuple(addresses)[:MAX_ADDRESSES],
        cnames=tuple(cnames),
        ttl=min((*ttls, *map(_ttl, records)), default=None),
        complete=len(answering) <= _MAX_READ,
    )


def _follow(
    data: bytes, read: list[Record], name: dns.name.Name, rtype: int, pointer: bytes | None
) -> tuple[list[tuple[str, int]], list[Record]]:
    """Return the CNAMEs from a name on, with their TTLs, and the records of the last."""
    found: dict[tuple[dns.name.Name, int], list[Record]] = {}
    for one in read:
        is_name = data[one.owner : one.owner + 2] == pointer
        owner = name if is_name else read_name(data, one.owner)[0]
        found.setdefault((owner, one.kind), []).append(one)
    aliases: list[tuple[str, int]] = []
    while len(aliases) < MAX_CNAMES and (cname := found.get((name, _CNAME))):
        name, _ = read_name(data, cname[0].start)
        aliases.append((scrub(name.to_text(omit_final_dot=True), 255), _ttl(cname[0])))
    return aliases, found.get((name, rtype), [])


def read_name(data: bytes, position: int) -> tuple[dns.name.Name, int]:
    """Return the name at a position, compressed or not, and where it ends. Raises UNREADABLE."""
    parser = dns.wire.Parser(data, position)
    return dns.name.from_wire_parser(parser), parser.current


def _ttl(record: Record) -> int:
    return record.ttl if record.ttl <= _MAX_TTL else 0


def _address(data: bytes, rtype: int) -> str:
    family, size = _ADDRESSES[rtype]
    if len(data) != size:
        raise ValueError(f"an address of {len(data)} bytes")
    return dns.inet.inet_ntop(family, data)


def read_extended_errors(data: bytes, opt: Record) -> tuple[ExtendedError, ...]:
    """Return the extended errors of an OPT record (RFC 8914). Raises UNREADABLE."""
    found: list[ExtendedError] = []
    for code, option in _options(data[opt.start : opt.end]):
        if code == _EXTENDED_ERROR and len(option) >= 2:
            text = scrub_bytes(option[2:], 200)
            found.append(ExtendedError(code=int.from_bytes(option[:2], "big"), text=text))
        if len(found) == _MAX_EXTENDED_ERRORS:
            break
    return tuple(found)


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        code, size = _OPTION.unpack_from(data, position)
        position += _OPTION.size
        yield code, data[position : position + size]
        position += size
