"""DNS messages (RFC 1035): the question as bytes, the answer as facts. Bytes in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rrset

from egressd.model.observation import ExtendedError, Failure
from egressd.net.scrub import scrub
from egressd.net.sockets.errors import PhaseError

RecordType = Literal["A", "AAAA"]
EDNS_SIZE = 1232
"""The payload size agreed on DNS flag day 2020: it fits every path."""
_LONGEST_CHAIN = 32
_MOST_ANSWERS = 100
_MOST_EXTENDED_ERRORS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMessage:
    """One message to send."""

    query: dns.message.QueryMessage
    edns: bool
    wire: bytes

    @property
    def id(self) -> int:
        """The message id its answer must carry."""
        return self.query.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseMessage:
    """What one message said."""

    id: int
    """Which of our questions it answers."""
    edns: bool
    """Whether that question had EDNS."""
    rcode: str
    flags: tuple[str, ...]
    addresses: tuple[str, ...]
    cnames: tuple[str, ...]
    ttl: int | None
    authority_soa: bool
    extended_errors: tuple[ExtendedError, ...]
    size: int

    @property
    def truncated(self) -> bool:
        """Whether the rest must be asked for over TCP."""
        return "tc" in self.flags

    @property
    def rejects_edns(self) -> bool:
        """Whether the server may only have stumbled over EDNS (RFC 6891 section 7)."""
        return self.edns and self.rcode in {"FORMERR", "NOTIMP", "BADVERS"}

    @property
    def failure(self) -> Failure | None:
        """What the answer is short of; None where it has addresses."""
        if self.rcode == "NXDOMAIN":
            return Failure.NXDOMAIN
        if self.rcode != "NOERROR":
            return Failure.RCODE
        return None if self.addresses else Failure.NODATA


def parse_name(text: str) -> dns.name.Name:
    """Return an absolute name, letters outside ASCII in IDNA.

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
    """Return a question with a random id."""
    query = dns.message.make_query(
        name, rtype, use_edns=0 if edns else False, payload=EDNS_SIZE if edns else None
    )
    return QueryMessage(query=query, edns=edns, wire=query.to_wire())


def parse_response(data: bytes, asked: dict[int, QueryMessage]) -> ResponseMessage | None:
    """Return the answer to one of the questions asked; None where it is an answer to something else.

    Raises:
        PhaseError: MALFORMED, where the id is one of ours and the rest can't be read.
    """
    question = asked.get(int.from_bytes(data[:2], "big")) if len(data) >= 2 else None
    if question is None:
        return None
    try:
        # A truncated answer may be cut in the middle of a record; what is left must not hide the TC.
        cut = bool(data[2] & 2)
        response = dns.message.from_wire(data, ignore_trailing=True, continue_on_error=cut)
        if not question.query.is_response(response):
            if response.errors:
                raise response.errors[0].exception
            return None
        return _facts(question, response, len(data))
    except Exception as error:  # noqa: BLE001 - the bytes are hostile; whatever they upset, they are at fault
        raise PhaseError(Failure.MALFORMED, f"{type(error).__name__}: {error}") from None


def _facts(question: QueryMessage, response: dns.message.Message, size: int) -> ResponseMessage:
    asked = question.query.question[0]
    cnames, final, ttls = _chain(response, asked.name)
    found = _records(response, final, asked.rdtype)
    addresses = () if found is None else tuple(rdata.to_text() for rdata in found)
    ttls += [] if found is None else [found.ttl]
    return ResponseMessage(
        id=question.id,
        edns=question.edns,
        rcode=dns.rcode.to_text(response.rcode()),
        flags=tuple(dns.flags.to_text(response.flags).lower().split()),
        addresses=addresses[:_MOST_ANSWERS],
        cnames=cnames,
        ttl=min(ttls, default=None),
        authority_soa=any(one.rdtype == dns.rdatatype.SOA for one in response.authority),
        extended_errors=_extended_errors(response),
        size=size,
    )


def _chain(
    response: dns.message.Message, name: dns.name.Name
) -> tuple[tuple[str, ...], dns.name.Name, list[int]]:
    """Follow CNAMEs from a name; return the names passed, the last one, and the TTLs on the way."""
    passed: list[str] = []
    ttls: list[int] = []
    while len(passed) < _LONGEST_CHAIN:
        found = _records(response, name, dns.rdatatype.CNAME)
        if found is None:
            break
        record = found[0]
        if not isinstance(record, dns.rdtypes.ANY.CNAME.CNAME):
            break
        name = record.target
        passed.append(scrub(name.to_text(omit_final_dot=True), 255))
        ttls.append(found.ttl)
    return tuple(passed), name, ttls


def _records(
    response: dns.message.Message, name: dns.name.Name, rtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    found = response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, rtype)
    return found or None


def _extended_errors(response: dns.message.Message) -> tuple[ExtendedError, ...]:
    errors = [option for option in response.options if isinstance(option, dns.edns.EDEOption)]
    return tuple(
        ExtendedError(code=int(one.code), text=scrub(one.text or "", 200))
        for one in errors[:_MOST_EXTENDED_ERRORS]
    )
