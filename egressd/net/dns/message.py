"""DNS messages (RFC 1035): building a query, parsing a response. Bytes and values only, no I/O."""

from __future__ import annotations

import secrets
import struct
from functools import cache, lru_cache
from typing import Literal, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from msgspec import Struct

from egressd.model.observation import ExtendedError, Failure
from egressd.net.dns.records import (
    UNREADABLE,
    Record,
    pass_over_records,
    read_answer,
    read_extended_errors,
    read_name,
)
from egressd.net.sockets.errors import PhaseError

RecordType = Literal["A", "AAAA"]
EDNS_SIZE = 1232
"""The EDNS payload size of DNS flag day 2020: it avoids IP fragmentation."""
_HEADER = struct.Struct("!HHHHHH")
"""Id, flags, and the number of questions and of the records in each section."""
_QUESTION = struct.Struct("!HH")
_ID_SIZE = 2
_ROOT = b"\0"
"""The empty name."""
_WITHOUT_QUESTION = frozenset({dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED})
"""Responses that may leave out the question."""


class QueryMessage(Struct, frozen=True, kw_only=True):
    """A query to send."""

    id: int
    """The message id that the response must carry."""
    name: dns.name.Name
    rtype: int
    question: bytes
    """The section of the message: most responses repeat it as it is."""
    edns: bool
    wire: bytes


class ResponseMessage(Struct, frozen=True, kw_only=True):
    """A parsed response."""

    id: int
    """The id of the query it answers."""
    edns: bool
    """Whether that query had EDNS."""
    rcode: str
    flags: tuple[str, ...]
    addresses: tuple[str, ...]
    cnames: tuple[str, ...]
    ttl: int | None
    complete: bool
    """Whether every record was read that may hold an address."""
    authority_soa: bool
    referral: bool
    """Whether it names the zone's servers instead of answering (RFC 1034 section 4.3.1)."""
    extended_errors: tuple[ExtendedError, ...]
    size: int

    @property
    def truncated(self) -> bool:
        """Whether the query must be repeated over TCP."""
        return "tc" in self.flags

    @property
    def rejects_edns(self) -> bool:
        """Whether the server may not support EDNS (RFC 6891 section 7)."""
        return self.edns and self.rcode in {"FORMERR", "NOTIMP", "BADVERS"}

    @property
    def failure(self) -> Failure | None:
        """Why it has no addresses; None where it has some."""
        if self.rcode == "NXDOMAIN":
            return Failure.NXDOMAIN
        if self.rcode != "NOERROR":
            return Failure.RCODE
        return None if self.addresses else Failure.NODATA


@lru_cache(maxsize=4096)
def parse_name(text: str) -> dns.name.Name:
    """Parse a host name into an absolute DNS name, letters outside ASCII in IDNA.

    Raises:
        PhaseError: NAME_INVALID.
    """
    try:
        name = dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise PhaseError(Failure.NAME_INVALID, str(error)) from None
    if name == dns.name.root:
        raise PhaseError(Failure.NAME_INVALID, "the name is empty")
    return name


def make_query(name: dns.name.Name, rtype: RecordType, *, edns: bool) -> QueryMessage:
    """Return a query with a random id."""
    number = secrets.token_bytes(_ID_SIZE)
    kind = int(dns.rdatatype.RdataType[rtype])
    question = cast("bytes", name.to_wire()) + _QUESTION.pack(kind, dns.rdataclass.IN)
    before, after = _around_the_question(edns=edns)
    return QueryMessage(
        id=int.from_bytes(number),
        name=name,
        rtype=kind,
        question=question,
        edns=edns,
        wire=number + before + question + after,
    )


@cache
def _around_the_question(*, edns: bool) -> tuple[bytes, bytes]:
    """Return what a query has between its id and its question, and after that: the same in each."""
    query = dns.message.make_query(
        dns.name.root, "A", use_edns=0 if edns else False, payload=EDNS_SIZE if edns else None
    )
    wire = query.to_wire()
    return wire[_ID_SIZE : _HEADER.size], wire[_HEADER.size + len(_ROOT) + _QUESTION.size :]


def parse_response(data: bytes, sent: dict[int, QueryMessage]) -> ResponseMessage | None:
    """Parse the response to one of the queries sent (by id); None where it answers none of them.

    Raises:
        PhaseError: the id is one of ours. MALFORMED, where the rest can't be parsed; TOO_LARGE, where no
            address is among the records that are read, and there are more.
    """
    question = sent.get(int.from_bytes(data[:2], "big")) if len(data) >= 2 else None
    if question is None:
        return None
    try:
        response = _parse(data, question)
    except UNREADABLE as error:
        raise PhaseError(Failure.MALFORMED, f"{type(error).__name__}: {error}") from None
    if response is None or response.failure is not Failure.NODATA or response.complete:
        return response
    raise PhaseError(Failure.TOO_LARGE, f"{len(data)} bytes, and no address among the records that are read")


def _parse(data: bytes, question: QueryMessage) -> ResponseMessage | None:
    _, flags, questions, *counts = _HEADER.unpack_from(data)
    end = _end_of_question(data, flags, questions, question)
    if end is None:
        return None
    # A truncated response may be cut in the middle of a record; TC must be seen even so.
    cut = bool(flags & dns.flags.TC)
    sections: list[list[Record]] = []
    for count in counts:
        sections.append(pass_over_records(data, end, count, cut=cut))
        end = sections[-1][-1].end if sections[-1] else end
    answer, authority, additional = sections
    asked_at = _HEADER.size if questions else None
    found = read_answer(data, answer, question.name, question.rtype, asked_at=asked_at)
    opt = next((one for one in additional if one.kind == dns.rdatatype.OPT), None)
    kinds = {one.kind for one in authority}
    return ResponseMessage(
        id=question.id,
        edns=question.edns,
        rcode=_rcode_text(dns.rcode.from_flags(flags, opt.ttl if opt is not None else 0)),
        flags=_flag_names(flags),
        addresses=found.addresses,
        cnames=found.cnames,
        ttl=found.ttl,
        complete=found.complete,
        authority_soa=dns.rdatatype.SOA in kinds,
        referral=not answer and dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds,
        extended_errors=read_extended_errors(data, opt) if opt is not None else (),
        size=len(data),
    )


@lru_cache(maxsize=64)
def _rcode_text(rcode: dns.rcode.Rcode) -> str:
    return dns.rcode.to_text(rcode)


@lru_cache(maxsize=256)
def _flag_names(flags: int) -> tuple[str, ...]:
    return tuple(dns.flags.to_text(flags).lower().split())


def _end_of_question(data: bytes, flags: int, questions: int, question: QueryMessage) -> int | None:
    """Return where the question ends; None where the message answers another one."""
    is_response = flags & dns.flags.QR and dns.opcode.from_flags(flags) == dns.opcode.QUERY
    if not is_response or questions > 1:
        return None
    if questions == 0:
        return _HEADER.size if flags & 0xF in _WITHOUT_QUESTION else None
    end = _HEADER.size + len(question.question)
    if data[_HEADER.size : end] == question.question:
        return end
    name, end = read_name(data, _HEADER.size)
    same = name == question.name and _QUESTION.unpack_from(data, end) == (question.rtype, dns.rdataclass.IN)
    return end + _QUESTION.size if same else None
