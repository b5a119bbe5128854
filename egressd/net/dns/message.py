"""DNS messages (RFC 1035): building a query, parsing a response. Bytes and values only, no I/O."""

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
"""The EDNS payload size of DNS flag day 2020: it avoids IP fragmentation."""
_MAX_CNAMES = 32
_MAX_ANSWERS = 100
_MAX_EXTENDED_ERRORS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryMessage:
    """A query to send."""

    query: dns.message.QueryMessage
    edns: bool
    wire: bytes

    @property
    def id(self) -> int:
        """The message id that the response must carry."""
        return self.query.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseMessage:
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
    query = dns.message.make_query(
        name, rtype, use_edns=0 if edns else False, payload=EDNS_SIZE if edns else None
    )
    return QueryMessage(query=query, edns=edns, wire=query.to_wire())


def parse_response(data: bytes, sent: dict[int, QueryMessage]) -> ResponseMessage | None:
    """Parse the response to one of the queries sent (by id); None where it answers none of them.

    Raises:
        PhaseError: MALFORMED, where the id is one of ours and the rest can't be parsed.
    """
    question = sent.get(int.from_bytes(data[:2], "big")) if len(data) >= 2 else None
    if question is None:
        return None
    try:
        # A truncated response may be cut in the middle of a record; TC must be seen even so.
        cut = bool(data[2] & 2)
        response = dns.message.from_wire(data, ignore_trailing=True, continue_on_error=cut)
        if not question.query.is_response(response):
            if response.errors:
                raise response.errors[0].exception
            return None
        return _response_of(question, response, len(data))
    except Exception as error:  # noqa: BLE001 - hostile bytes: any exception means malformed
        raise PhaseError(Failure.MALFORMED, f"{type(error).__name__}: {error}") from None


def _response_of(question: QueryMessage, response: dns.message.Message, size: int) -> ResponseMessage:
    sent = question.query.question[0]
    cnames, final, ttls = _follow_cnames(response, sent.name)
    rrset = _rrset(response, final, sent.rdtype)
    addresses = () if rrset is None else tuple(rdata.to_text() for rdata in rrset)
    ttls += [] if rrset is None else [rrset.ttl]
    return ResponseMessage(
        id=question.id,
        edns=question.edns,
        rcode=dns.rcode.to_text(response.rcode()),
        flags=tuple(dns.flags.to_text(response.flags).lower().split()),
        addresses=addresses[:_MAX_ANSWERS],
        cnames=cnames,
        ttl=min(ttls, default=None),
        authority_soa=any(one.rdtype == dns.rdatatype.SOA for one in response.authority),
        referral=_is_referral(response),
        extended_errors=_extended_errors(response),
        size=size,
    )


def _is_referral(response: dns.message.Message) -> bool:
    kinds = {one.rdtype for one in response.authority}
    return not response.answer and dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def _follow_cnames(
    response: dns.message.Message, name: dns.name.Name
) -> tuple[tuple[str, ...], dns.name.Name, list[int]]:
    """Follow CNAMEs from a name; return their targets, the final name, and the TTLs."""
    passed: list[str] = []
    ttls: list[int] = []
    while len(passed) < _MAX_CNAMES:
        rrset = _rrset(response, name, dns.rdatatype.CNAME)
        if rrset is None:
            break
        record = rrset[0]
        if not isinstance(record, dns.rdtypes.ANY.CNAME.CNAME):
            break
        name = record.target
        passed.append(scrub(name.to_text(omit_final_dot=True), 255))
        ttls.append(rrset.ttl)
    return tuple(passed), name, ttls


def _rrset(
    response: dns.message.Message, name: dns.name.Name, rtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    rrset = response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, rtype)
    return rrset or None


def _extended_errors(response: dns.message.Message) -> tuple[ExtendedError, ...]:
    errors = [option for option in response.options if isinstance(option, dns.edns.EDEOption)]
    return tuple(
        ExtendedError(code=int(one.code), text=scrub(one.text or "", 200))
        for one in errors[:_MAX_EXTENDED_ERRORS]
    )
