"""The lab's resolver: UDP and TCP on one port, honest unless a fault says otherwise.

Questions that are no DNS message are dropped. Nothing is ever asked of anybody else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from egressd.lab.faults import Layer, Switchboard
from egressd.lab.wire import Harbour, Wire, port_of, socket_pair
from egressd.lab.zone import Zone, address_of, private_address, public_address

TTL = 60
SINKHOLE = "146.112.61.104"
"""Cisco's documented block address for domain lists."""
BOGON = "10.9.9.9"
NULL = {"A": "0.0.0.0", "AAAA": "::"}
MALFORMED = bytes.fromhex("ffffffffffffffffffff")
"""What follows the id in an answer that is no message: counts that promise far more than there is."""

Answer = dns.message.Message | bytes | None
"""A message, raw bytes, or nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question as it came in."""

    message: dns.message.Message
    owner: dns.name.Name
    name: str
    """The owner as text, in lower case, without the final dot."""
    type: str

    @property
    def edns(self) -> bool:
        """Whether the question carries an OPT record."""
        return self.message.edns >= 0


class Resolver:
    """Answers questions about a zone. A `second` resolver is honest where the first is split."""

    def __init__(self, zone: Zone, board: Switchboard, *, second: bool = False) -> None:
        self._zone = zone
        self._board = board
        self._second = second

    def reply(self, data: bytes, *, tcp: bool) -> bytes | None:
        """Answer one datagram or TCP message; None: say nothing."""
        question = _read_question(data)
        if question is None:
            return None
        try:
            answer = self._answer(question)
            if answer is None or isinstance(answer, bytes):
                return answer
            return answer.to_wire(max_size=65535 if tcp else 1232)
        except dns.exception.DNSException:  # an answer about this name can't be built: it is too long
            return None

    def resets(self, data: bytes) -> bool:
        """Tell whether a question over TCP ends in RST."""
        question = _read_question(data)
        return question is not None and self._act(question.name) == "truncated"

    def _act(self, name: str) -> str | None:
        act = self._board.act(Layer.DNS, name)
        return None if self._second and act == "private_link_split" else act

    @property
    def _rewrites(self) -> bool:
        """Whether the resolver has an address for everything that does not exist."""
        return any(one.fault.act(Layer.DNS) == "rewritten" for one in self._board.switches)

    def _answer(self, question: Question) -> Answer:
        act = self._act(question.name)
        if act is None:
            gone = not self._zone.exists(question.name) and not self._zone.has_below(question.name)
            return _rewritten(question) if gone and self._rewrites else self._honest(question)
        spoil = SPOILED.get(act)
        return spoil(question) if spoil is not None else self._half_spoiled(question, act)

    def _half_spoiled(self, question: Question, act: str) -> Answer:
        """Answer as the acts do that are honest to some questions."""
        match act:
            case "edns_dropped" if question.edns:
                return None
            case "edns_formerr" if question.edns:
                answer = _reply(question, dns.rcode.FORMERR)
                answer.use_edns(edns=False)
                return answer
            case "aaaa_servfail" if question.type == "AAAA":
                return _reply(question, dns.rcode.SERVFAIL)
            case "dns64" if question.type == "AAAA" and self._zone.exists(question.name):
                return _with_addresses(question, _synthesized(question.name))
            case "wrong_id":
                return _wrong_id(self._honest(question))
        return self._honest(question)

    def _honest(self, question: Question) -> dns.message.Message:
        if self._zone.exists(question.name):
            if question.type == "A":
                return _with_addresses(question, address_of(question.name))
            return _negative(question, dns.rcode.NOERROR)
        known = self._zone.has_below(question.name)
        return _negative(question, dns.rcode.NOERROR if known else dns.rcode.NXDOMAIN)


def _read_question(data: bytes) -> Question | None:
    try:
        message = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError):
        return None
    if message.flags & dns.flags.QR or len(message.question) != 1:
        return None
    asked = message.question[0]
    name = asked.name.to_text(omit_final_dot=True).lower()
    return Question(message=message, owner=asked.name, name=name, type=dns.rdatatype.to_text(asked.rdtype))


def _reply(question: Question, rcode: int, *, authoritative: bool = False) -> dns.message.Message:
    answer = dns.message.make_response(question.message, recursion_available=True)
    answer.set_rcode(dns.rcode.Rcode(rcode))
    if authoritative:
        answer.flags |= dns.flags.AA
    return answer


def _negative(question: Question, rcode: int) -> dns.message.Message:
    """Deny with the zone's SOA, as RFC 2308 asks."""
    answer = _reply(question, rcode)
    apex = dns.name.Name(question.owner.labels[-3:])
    record = f"ns1.lab.test. hostmaster.lab.test. 1 3600 600 86400 {TTL}"
    answer.authority.append(dns.rrset.from_text(apex, TTL, "IN", "SOA", record))
    return answer


def _with_addresses(
    question: Question, *addresses: str, owner: dns.name.Name | None = None
) -> dns.message.Message:
    """Answer with the addresses that are of the asked type; none of them is NODATA without an SOA."""
    answer = _reply(question, dns.rcode.NOERROR)
    wanted = {"A": 4, "AAAA": 6}.get(question.type)
    fitting = [one for one in addresses if ipaddress.ip_address(one).version == wanted]
    if fitting:
        name = question.owner if owner is None else owner
        answer.answer.append(dns.rrset.from_text(name, TTL, "IN", question.type, *fitting))
    return answer


def _synthesized(host: str) -> str:
    """Return the host's address in the well-known prefix of RFC 6052."""
    return str(ipaddress.IPv6Address((0x64FF9B << 96) | int(ipaddress.IPv4Address(public_address(host)))))


def _wrong_id(answer: dns.message.Message) -> dns.message.Message:
    answer.id ^= 0xFFFF
    return answer


def _filtered(question: Question) -> Answer:
    return _reply(question, dns.rcode.NXDOMAIN, authoritative=True)


def _nodata(question: Question) -> Answer:
    return _reply(question, dns.rcode.NOERROR, authoritative=True)


def _absent(question: Question) -> Answer:
    return _negative(question, dns.rcode.NXDOMAIN)


def _servfail(question: Question) -> Answer:
    answer = _reply(question, dns.rcode.SERVFAIL)
    return _with_error(question, answer, dns.edns.EDECode.NO_REACHABLE_AUTHORITY, "no forwarder answered")


def _refused(question: Question) -> Answer:
    answer = _reply(question, dns.rcode.REFUSED)
    return _with_error(question, answer, dns.edns.EDECode.PROHIBITED, "")


def _with_error(
    question: Question, answer: dns.message.Message, code: dns.edns.EDECode, text: str
) -> dns.message.Message:
    """Add an extended error (RFC 8914), where the client speaks EDNS at all."""
    if question.edns:
        answer.use_edns(0, options=[dns.edns.EDEOption(code, text or None)])
    return answer


def _drop(question: Question) -> Answer:  # noqa: ARG001 - the signature of every act
    return None


def _truncated(question: Question) -> Answer:
    answer = _reply(question, dns.rcode.NOERROR)
    answer.flags |= dns.flags.TC
    return answer


def _malformed(question: Question) -> Answer:
    return struct.pack("!H", question.message.id) + MALFORMED


def _sinkhole(question: Question) -> Answer:
    return _with_addresses(question, SINKHOLE)


def _bogon(question: Question) -> Answer:
    return _with_addresses(question, BOGON)


def _null(question: Question) -> Answer:
    return _with_addresses(question, *NULL.values())


def _rewritten(question: Question) -> Answer:
    return _with_addresses(question, public_address("search.isp.example"))


def _private_link(question: Question) -> Answer:
    canonical = _canonical(question.owner)
    answer = _with_addresses(question, private_address(question.name), owner=canonical)
    return _through_cname(question, answer, canonical)


def _private_link_missing(question: Question) -> Answer:
    return _through_cname(question, _negative(question, dns.rcode.NXDOMAIN), _canonical(question.owner))


def _canonical(name: dns.name.Name) -> dns.name.Name:
    """Return where a private link's CNAME points: `privatelink` put after the first label."""
    return dns.name.Name((name.labels[0], b"privatelink", *name.labels[1:]))


def _through_cname(
    question: Question, answer: dns.message.Message, canonical: dns.name.Name
) -> dns.message.Message:
    alias = dns.rrset.from_text(question.owner, TTL, "IN", "CNAME", canonical.to_text())
    answer.answer.insert(0, alias)
    return answer


SPOILED: dict[str, Callable[[Question], Answer]] = {
    "nxdomain": _absent,
    "nxdomain_filtered": _filtered,
    "nodata": _nodata,
    "servfail": _servfail,
    "refused": _refused,
    "drop": _drop,
    "sinkhole": _sinkhole,
    "bogon": _bogon,
    "null": _null,
    "truncated": _truncated,
    "malformed": _malformed,
    "private_link": _private_link,
    "private_link_split": _private_link,
    "private_link_missing": _private_link_missing,
    "rewritten": _rewritten,
}
"""Acts that spoil every answer about a name."""
HALF_SPOILED = ("edns_dropped", "edns_formerr", "aaaa_servfail", "dns64", "wrong_id")


def serve_dns(harbour: Harbour, resolver: Resolver, port: int = 0) -> int:
    """Serve UDP and TCP on the same port of loopback; return it."""
    listener, datagrams = socket_pair(port)
    harbour.keep(listener)
    harbour.keep(datagrams)
    harbour.start(_serve_datagrams(datagrams, resolver))

    async def talk(wire: Wire) -> None:
        await _serve_stream(wire, resolver)

    harbour.accept(listener, talk)
    return port_of(listener)


async def _serve_datagrams(sock: socket.socket, resolver: Resolver) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, client = await loop.sock_recvfrom(sock, 4096)
        except OSError:  # an ICMP error of an earlier answer
            continue
        answer = resolver.reply(data, tcp=False)
        if answer is not None:
            with suppress(OSError):
                await loop.sock_sendto(sock, answer, client)


async def _serve_stream(wire: Wire, resolver: Resolver) -> None:
    """Answer the questions of one TCP connection (RFC 7766), each after a length of two bytes."""
    buffer = b""
    while True:
        while len(buffer) < 2 or len(buffer) < 2 + int.from_bytes(buffer[:2]):
            data = await wire.read()
            if not data:
                return await wire.finish()
            buffer += data
        size = 2 + int.from_bytes(buffer[:2])
        message, buffer = buffer[2:size], buffer[size:]
        if resolver.resets(message):
            return wire.reset()
        answer = resolver.reply(message, tcp=True)
        if answer is not None:
            await wire.write(struct.pack("!H", len(answer)) + answer)
