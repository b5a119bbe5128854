"""A DNS answer costs what its size allows, and is read as dnspython reads it."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.model.observation import DnsObservation, Failure
from egressd.model.settings import Resolver, Source
from egressd.net.dns.message import ResponseMessage, make_query, parse_name, parse_response
from egressd.net.dns.records import MAX_ADDRESSES
from egressd.net.resolve import look_up, look_up_tcp
from egressd.net.sockets.errors import PhaseError

QUESTION = make_query(parse_name("web.test"), "A", edns=True)
ASKED = QUESTION.name.to_digestable() + struct.pack("!HH", 1, 1)
OWNER = struct.pack("!H", 0xC000 | 12)
START = 12 + len(ASKED)
LARGEST = 65535
LONG = b"\x01a" * 126 + b"\0"
SECONDS = 0.25
"""Ten times what the worst of them takes; what dnspython needs for some of them is 17 s."""


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    """Return one record of class IN."""
    return owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def message(*, answer: bytes = b"", records: int = 0, additional: bytes = b"", questions: int = 1) -> bytes:
    """Return a response to the question."""
    counts = struct.pack("!HHHHH", 0x8180, questions, records, 0, 1 if additional else 0)
    return QUESTION.id.to_bytes(2, "big") + counts + ASKED + answer + additional


def filled(make: Callable[[int], bytes], *, first: bytes = b"") -> bytes:
    """Return a response of the largest size, with one record after the other."""
    body, number = bytearray(first), 1 if first else 0
    while START + len(body) + len(one := make(number)) <= LARGEST:
        body += one
        number += 1
    return message(answer=bytes(body), records=number)


def label(number: int) -> bytes:
    """Return a label that no other number has."""
    return b"\x03" + bytes(97 + number // 26**place % 26 for place in range(3))


def points(offset: int) -> bytes:
    """Return a pointer into the first record's data."""
    return struct.pack("!H", 0xC000 | START + 11 + offset)


def option(code: int, data: bytes) -> bytes:
    """Return one EDNS option."""
    return struct.pack("!HH", code, len(data)) + data


NAMED = record(b"\0", 65280, LONG)
"""A record of an unknown type whose data is a long name, to point to."""
LADDER = b"\0" + b"".join(b"\x01a" + points(4 * rung) for rung in range(3000))
CRAFTED: dict[str, Callable[[], bytes]] = {
    "name servers by pointers": lambda: filled(lambda _: record(points(0), 2, points(0)), first=NAMED),
    "addresses of long names": lambda: filled(lambda _: record(points(0), 1, b"\1\2\3\4"), first=NAMED),
    "addresses of many names": lambda: filled(
        lambda number: record(label(number) + points(14), 1, b"\1\2\3\4"), first=NAMED
    ),
    "addresses of one name": lambda: filled(lambda number: record(OWNER, 1, struct.pack("!I", number))),
    "aliases in a row": lambda: filled(
        lambda number: record(label(number) + b"\0", 5, label(number + 1) + b"\0"),
        first=record(OWNER, 5, label(1) + b"\0"),
    ),
    "aliases in a circle": lambda: filled(lambda _: record(OWNER, 5, OWNER)),
    "a ladder of pointers": lambda: filled(
        lambda _: record(points(4 * 2999), 1, b"\1\2\3\4"), first=record(b"\0", 65280, LADDER)
    ),
    "empty strings": lambda: filled(lambda _: record(OWNER, 16, b"\0" * 60000)),
    "texts": lambda: filled(lambda number: record(OWNER, 16, b"\x01" + bytes([number % 256]))),
    "signatures": lambda: filled(lambda number: record(OWNER, 46, struct.pack("!HBB", 1, 5, 2) + b"\0" * 15)),
    "types in a bitmap": lambda: filled(lambda _: record(OWNER, 47, b"\0" + b"\0\x20" + b"\xff" * 32)),
    "service parameters": lambda: filled(
        lambda _: record(
            OWNER, 65, b"\0\1\0" + b"".join(struct.pack("!HH", key, 0) for key in range(9, 15000))
        )
    ),
    "questions": lambda: message(questions=8000, answer=(OWNER + struct.pack("!HH", 1, 1)) * 8000),
    "options": lambda: message(additional=record(b"\0", 41, option(65001, b"") * 16000)),
    "extended errors": lambda: message(additional=record(b"\0", 41, option(15, b"\0\2\0") * 9000)),
    "a long extended error": lambda: message(
        additional=record(b"\0", 41, option(15, b"\0\2" + b"x" * 64000))
    ),
    "counts beyond its size": lambda: message(answer=b"\0" * 40000, records=65535),
}


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("craft", CRAFTED)
def test_cost_is_bounded(craft: str) -> None:
    """No answer keeps the loop busy, complete or cut."""
    data = CRAFTED[craft]()
    for sent in (data, bytes([*data[:2], data[2] | 2, *data[3:]]), data[:-7]):
        before = time.process_time()
        with contextlib.suppress(PhaseError):
            parse_response(sent, {QUESTION.id: QUESTION})
        assert time.process_time() - before < SECONDS


def read(data: bytes) -> ResponseMessage:
    """Parse a response to the question."""
    found = parse_response(data, {QUESTION.id: QUESTION})
    assert found is not None
    return found


def test_addresses_among_many() -> None:
    """A name with more addresses than are kept is answered."""
    found = read(CRAFTED["addresses of one name"]())
    assert (found.failure, len(found.addresses)) == (None, MAX_ADDRESSES)


def test_address_beyond_what_is_read() -> None:
    """An address after more records than are read is beyond our limit: the resolver did nothing wrong."""
    body = b"".join(record(label(number) + b"\0", 1, b"\1\2\3\4") for number in range(200))
    data = message(answer=body + record(OWNER, 1, b"\1\2\3\4"), records=201)
    with pytest.raises(PhaseError) as error:
        read(data)
    assert error.value.failure is Failure.TOO_LARGE


def test_records_of_other_kinds_do_not_count() -> None:
    """Any number of other records may stand before the address."""
    body = record(OWNER, 16, b"\1x") * 3000 + record(OWNER, 1, b"\1\2\3\4")
    assert read(message(answer=body, records=3001)).addresses == ("1.2.3.4",)


NAMES = st.sampled_from(("web.test.", "WEB.test.", "a.test.", "b.test.", "c.b.test."))
ROWS = st.one_of(
    st.tuples(NAMES, st.integers(0, 2**31 - 1), st.just("A"), st.sampled_from(("192.0.2.1", "192.0.2.2"))),
    st.tuples(NAMES, st.integers(0, 2**31 - 1), st.just("CNAME"), NAMES),
    st.tuples(NAMES, st.integers(0, 9), st.just("AAAA"), st.just("2001:db8::1")),
    st.tuples(NAMES, st.integers(0, 9), st.just("MX"), st.just("10 a.test.")),
)


def expected(answer: dns.message.Message) -> Iterator[tuple[str, int]]:
    """Yield the addresses that dnspython finds, each with the least TTL on the way."""
    name, ttls, seen = parse_name("web.test"), [], 0
    while seen < 32 and (alias := answer.get_rrset("ANSWER", name, dns.rdataclass.IN, dns.rdatatype.CNAME)):
        name, seen = alias[0].target, seen + 1
        ttls.append(alias.ttl)
    found = answer.get_rrset("ANSWER", name, dns.rdataclass.IN, dns.rdatatype.A)
    if found is not None:
        yield from ((one.to_text(), min((*ttls, found.ttl))) for one in found)


@given(rows=st.lists(ROWS, max_size=12))
def test_read_as_dnspython_reads_it(rows: list[tuple[str, int, str, str]]) -> None:
    """Addresses and TTL are those of the records that lead from the name to them."""
    response = dns.message.make_response(dns.message.from_wire(QUESTION.wire))
    aliased: set[str] = (
        set()
    )  # a second alias of one name breaks a rule, and there is no right way to follow it
    for owner, ttl, kind, value in rows:
        if kind != "CNAME" or owner.lower() not in aliased:
            response.answer.append(dns.rrset.from_text(owner, ttl, "IN", kind, value))
        aliased |= {owner.lower()} if kind == "CNAME" else set()
    wire = response.to_wire()
    found = read(wire)
    same = list(expected(dns.message.from_wire(wire)))
    assert list(found.addresses) == [address for address, _ in same]
    assert not same or found.ttl == same[0][1]


async def look(port: int, ask: Any) -> DnsObservation:
    """Look the name up at a scripted resolver."""
    resolver = Resolver(name="here", address="127.0.0.1", port=port)
    seen: DnsObservation = await ask(
        "web.test", "A", resolver=resolver, source=Source(name="here"), timeout=1.0
    )
    return seen


async def test_large_answer_over_tcp(serve: Any) -> None:
    """What is beyond our limit is said as such, over TCP."""
    data = CRAFTED["addresses of many names"]()

    async def answer(peer: Any) -> None:
        query = await peer.receive()
        await peer.send(struct.pack("!H", len(data)) + query[2:4] + data[2:])

    seen = await look(await serve(answer), look_up_tcp)
    assert seen.failure is Failure.TOO_LARGE


async def test_large_answer_over_udp(udp: Any) -> None:
    """A datagram beyond our limit ends no lookup, and is no malformed answer where nothing better comes."""
    data = filled(lambda number: record(label(number) + b"\0", 5, OWNER))[: 12 + len(ASKED) + 17 * 200]
    data = data[:6] + struct.pack("!H", 200) + data[8:]
    seen = await look(udp(lambda query: [query[:2] + data[2:]]), look_up)
    assert seen.failure is Failure.TOO_LARGE


async def test_datagram_larger_than_asked_for(udp: Any) -> None:
    """A resolver that ignores the size it was told is heard."""
    body = record(OWNER, 16, b"\x7f" + b"x" * 127) * 200 + record(OWNER, 1, b"\1\2\3\4")
    data = message(answer=body, records=201)
    seen = await look(udp(lambda query: [query[:2] + data[2:]]), look_up)
    assert (seen.failure, seen.answers) == (None, ("1.2.3.4",))
