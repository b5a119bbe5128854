"""The lab's DNS resolver: UDP and TCP on one port, correct unless a fault is on.

Messages that are no DNS query are dropped. No other server is ever queried.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from msgspec import Struct

from egressd.lab.faults import ActiveFaults, Layer
from egressd.lab.sockets import ServerGroup, TcpConnection, port_of, socket_pair
from egressd.lab.zone import Zone, address_of, private_address, public_address

TTL = 60
SINKHOLE = "146.112.61.104"
"""The address that Cisco Umbrella documents for blocked domains."""
BOGON = "10.9.9.9"
NULL = ("0.0.0.0", "::")
SYNTHETIC = "100.64.0.7"
"""As tunnelling clients give to names."""
V6_ADDRESS = "2603:1030::7"
LATE_AFTER = 4
"""Messages without an answer: all that one lookup sends."""
MANY = 150
"""More aliases than egressd reads."""
MALFORMED = bytes.fromhex("ffffffffffffffffffff")
"""The bytes after the id in a malformed answer: record counts far beyond its size."""

DnsAnswer = dns.message.Message | bytes | None
"""A message, raw bytes, or None for no answer."""


class DnsQuestion(Struct, frozen=True, kw_only=True):
    """A parsed query."""

    message: dns.message.Message
    owner: dns.name.Name
    name: str
    """The queried name in lower case, without the final dot."""
    type: str

    @property
    def edns(self) -> bool:
        """Whether the query has an OPT record."""
        return self.message.edns >= 0


class LabResolver:
    """Answers queries about a zone. The `second` resolver does not take part in `private_link_split`."""

    def __init__(self, zone: Zone, active: ActiveFaults, *, second: bool = False) -> None:
        self._zone = zone
        self._active = active
        self._second = second
        self._asked: Counter[tuple[str, str]] = Counter()

    def reply(self, data: bytes, *, tcp: bool) -> bytes | None:
        """Return the answer to a datagram or TCP message; None: no answer."""
        question = _parse_question(data)
        if question is None or (not tcp and self._effect(question.name) == "udp_dropped"):
            return None
        try:
            answer = self._answer(question)
            if answer is None or isinstance(answer, bytes):
                return answer
            return answer.to_wire(max_size=65535 if tcp else 1232)
        except dns.exception.DNSException:  # the name is too long for an answer
            return None

    def resets_tcp(self, data: bytes) -> bool:
        """Return whether a query over TCP is answered by RST."""
        question = _parse_question(data)
        return question is not None and self._effect(question.name) == "truncated"

    def _effect(self, name: str) -> str | None:
        effect = self._active.effect(Layer.DNS, name)
        return None if self._second and effect == "private_link_split" else effect

    @property
    def _rewrites(self) -> bool:
        """Whether NXDOMAIN is rewritten to an address."""
        return any(one.fault.effect(Layer.DNS) == "rewritten" for one in self._active.switches)

    def _answer(self, question: DnsQuestion) -> DnsAnswer:
        effect = self._effect(question.name)
        if effect is None:
            gone = not self._zone.exists(question.name) and not self._zone.has_subdomain(question.name)
            return _rewritten(question) if gone and self._rewrites else self._correct(question)
        faulty = ANSWER_EFFECTS.get(effect)
        return faulty(question) if faulty is not None else self._partly_faulty(question, effect)

    def _partly_faulty(self, question: DnsQuestion, effect: str) -> DnsAnswer:
        """Answer for effects that concern some queries only."""
        match effect:
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
                return _wrong_id(self._correct(question))
            case "late":
                self._asked[question.name, question.type] += 1
                if self._asked[question.name, question.type] <= LATE_AFTER:
                    return None
            case "aaaa_only":
                return _with_addresses(question, V6_ADDRESS) if question.type == "AAAA" else _empty(question)
        return self._correct(question)

    def _correct(self, question: DnsQuestion) -> dns.message.Message:
        if self._zone.exists(question.name):
            if question.type == "A":
                return _with_addresses(question, address_of(question.name))
            return _negative(question, dns.rcode.NOERROR)
        known = self._zone.has_subdomain(question.name)
        return _negative(question, dns.rcode.NOERROR if known else dns.rcode.NXDOMAIN)


def _parse_question(data: bytes) -> DnsQuestion | None:
    try:
        message = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError):
        return None
    if message.flags & dns.flags.QR or len(message.question) != 1:
        return None
    asked = message.question[0]
    name = asked.name.to_text(omit_final_dot=True).lower()
    return DnsQuestion(message=message, owner=asked.name, name=name, type=dns.rdatatype.to_text(asked.rdtype))


def _reply(question: DnsQuestion, rcode: int, *, authoritative: bool = False) -> dns.message.Message:
    answer = dns.message.make_response(question.message, recursion_available=True)
    answer.set_rcode(dns.rcode.Rcode(rcode))
    if authoritative:
        answer.flags |= dns.flags.AA
    return answer


def _negative(question: DnsQuestion, rcode: int) -> dns.message.Message:
    """Return a negative answer with the zone's SOA (RFC 2308)."""
    answer = _reply(question, rcode)
    apex = dns.name.Name(question.owner.labels[-3:])
    record = f"ns1.lab.test. hostmaster.lab.test. 1 3600 600 86400 {TTL}"
    answer.authority.append(dns.rrset.from_text(apex, TTL, "IN", "SOA", record))
    return answer


def _with_addresses(
    question: DnsQuestion, *addresses: str, owner: dns.name.Name | None = None
) -> dns.message.Message:
    """Answer with the addresses of the queried type; without any it is NODATA, without an SOA."""
    answer = _reply(question, dns.rcode.NOERROR)
    wanted = {"A": 4, "AAAA": 6}.get(question.type)
    fitting = [one for one in addresses if ipaddress.ip_address(one).version == wanted]
    if fitting:
        name = question.owner if owner is None else owner
        answer.answer.append(dns.rrset.from_text(name, TTL, "IN", question.type, *fitting))
    return answer


def _empty(question: DnsQuestion) -> DnsAnswer:
    return _negative(question, dns.rcode.NOERROR)


def _referral(question: DnsQuestion) -> DnsAnswer:
    """Name the root's servers, as a server that does not recurse."""
    answer = _reply(question, dns.rcode.NOERROR)
    answer.flags &= ~dns.flags.RA
    answer.authority.append(dns.rrset.from_text(".", TTL, "IN", "NS", "a.root-servers.net."))
    return answer


def _synthesized(host: str) -> str:
    """Return the host's address in the well-known NAT64 prefix of RFC 6052."""
    return str(ipaddress.IPv6Address((0x64FF9B << 96) | int(ipaddress.IPv4Address(public_address(host)))))


def _wrong_id(answer: dns.message.Message) -> dns.message.Message:
    answer.id ^= 0xFFFF
    return answer


def _with_extended_error(
    question: DnsQuestion, answer: dns.message.Message, code: dns.edns.EDECode, text: str
) -> dns.message.Message:
    """Add an Extended DNS Error (RFC 8914) if the query has EDNS."""
    if question.edns:
        answer.use_edns(0, options=[dns.edns.EDEOption(code, text or None)])
    return answer


def _truncated(question: DnsQuestion) -> DnsAnswer:
    answer = _reply(question, dns.rcode.NOERROR)
    answer.flags |= dns.flags.TC
    return answer


def _many_records(question: DnsQuestion) -> bytes:
    """Give other names many aliases, in one datagram, whatever size the query allows."""
    answer = _reply(question, dns.rcode.NOERROR)
    owners = [f"{number}.lab.test." for number in range(MANY)]
    answer.answer += [dns.rrset.from_text(one, TTL, "IN", "CNAME", ".") for one in owners]
    return answer.to_wire()


def _rewritten(question: DnsQuestion) -> DnsAnswer:
    return _with_addresses(question, public_address("search.isp.example"))


def _private_link(question: DnsQuestion) -> DnsAnswer:
    canonical = _canonical(question.owner)
    answer = _with_addresses(question, private_address(question.name), owner=canonical)
    return _with_cname(question, answer, canonical)


def _private_link_missing(question: DnsQuestion) -> DnsAnswer:
    return _with_cname(question, _negative(question, dns.rcode.NXDOMAIN), _canonical(question.owner))


def _canonical(name: dns.name.Name) -> dns.name.Name:
    """Return the CNAME target of a private link: `privatelink` inserted after the first label."""
    return dns.name.Name((name.labels[0], b"privatelink", *name.labels[1:]))


def _with_cname(
    question: DnsQuestion, answer: dns.message.Message, canonical: dns.name.Name
) -> dns.message.Message:
    alias = dns.rrset.from_text(question.owner, TTL, "IN", "CNAME", canonical.to_text())
    answer.answer.insert(0, alias)
    return answer


ANSWER_EFFECTS: dict[str, Callable[[DnsQuestion], DnsAnswer]] = {
    "nxdomain": lambda question: _negative(question, dns.rcode.NXDOMAIN),
    "nxdomain_filtered": lambda question: _reply(question, dns.rcode.NXDOMAIN, authoritative=True),
    "nodata": lambda question: _reply(question, dns.rcode.NOERROR, authoritative=True),
    "servfail": lambda question: _with_extended_error(
        question,
        _reply(question, dns.rcode.SERVFAIL),
        dns.edns.EDECode.NO_REACHABLE_AUTHORITY,
        "no forwarder answered",
    ),
    "refused": lambda question: _with_extended_error(
        question, _reply(question, dns.rcode.REFUSED), dns.edns.EDECode.PROHIBITED, ""
    ),
    "drop": lambda _: None,
    "sinkhole": lambda question: _with_addresses(question, SINKHOLE),
    "bogon": lambda question: _with_addresses(question, BOGON),
    "null": lambda question: _with_addresses(question, *NULL),
    "truncated": _truncated,
    "malformed": lambda question: struct.pack("!H", question.message.id) + MALFORMED,
    "many_records": _many_records,
    "private_link": _private_link,
    "private_link_split": _private_link,
    "private_link_missing": _private_link_missing,
    "rewritten": _rewritten,
    "notimp": lambda question: _reply(question, dns.rcode.NOTIMP),
    "referral": _referral,
    "synthetic": lambda question: _with_addresses(question, SYNTHETIC),
}
"""Effects that change every answer about a name."""
PARTIAL_EFFECTS = (
    "edns_dropped",
    "edns_formerr",
    "aaaa_servfail",
    "aaaa_only",
    "dns64",
    "wrong_id",
    "udp_dropped",
    "late",
)


def serve_dns(servers: ServerGroup, resolver: LabResolver, port: int = 0) -> int:
    """Serve UDP and TCP on one port of loopback; return the port."""
    listener, datagrams = socket_pair(port)
    servers.own(listener)
    servers.own(datagrams)
    servers.start(_serve_datagrams(datagrams, resolver))

    async def serve(connection: TcpConnection) -> None:
        await _serve_stream(connection, resolver)

    servers.accept(listener, serve)
    return port_of(listener)


async def _serve_datagrams(sock: socket.socket, resolver: LabResolver) -> None:
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


async def _serve_stream(connection: TcpConnection, resolver: LabResolver) -> None:
    """Answer the queries of a TCP connection (RFC 7766), each prefixed with its length."""
    buffer = b""
    while True:
        while len(buffer) < 2 or len(buffer) < 2 + int.from_bytes(buffer[:2]):
            data = await connection.read()
            if not data:
                return await connection.close_gracefully()
            buffer += data
        size = 2 + int.from_bytes(buffer[:2])
        message, buffer = buffer[2:size], buffer[size:]
        if resolver.resets_tcp(message):
            return connection.reset()
        answer = resolver.reply(message, tcp=True)
        if answer is not None:
            await connection.write(struct.pack("!H", len(answer)) + answer)
