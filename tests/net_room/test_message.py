"""Any DNS bytes end in a value or a failure."""

from __future__ import annotations

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.model.observation import Failure
from egressd.net.dns.message import RecordType, ResponseMessage, make_query, parse_name, parse_response
from egressd.net.sockets.errors import PhaseError

QUESTION = make_query(parse_name("web.test"), "A", edns=True)
ASKED = {QUESTION.id: QUESTION}


def read(data: bytes) -> ResponseMessage | Failure | None:
    """Parse a response; the failure is a value here."""
    try:
        return parse_response(data, ASKED)
    except PhaseError as trouble:
        return trouble.failure


@given(st.binary(max_size=600))
def test_any_bytes_with_other_id(data: bytes) -> None:
    """A message with another id is not ours."""
    assert read(bytes([QUESTION.wire[0] ^ 0x55]) + data) is None


@given(st.binary(max_size=600))
def test_any_bytes_with_our_id(data: bytes) -> None:
    """A message with our id is a response, malformed, or to another question."""
    found = read(QUESTION.wire[:2] + data)
    assert found is None or found is Failure.MALFORMED or isinstance(found, ResponseMessage)


@given(st.data())
def test_damaged_response(data: st.DataObject) -> None:
    """A real response with bytes changed, or cut anywhere, never raises."""
    response = dns.message.make_response(dns.message.from_wire(QUESTION.wire))
    wire = bytearray(
        response.to_wire() + QUESTION.wire[12:] + b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04abcd"
    )
    for _ in range(data.draw(st.integers(0, 6))):
        wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    found = read(bytes(wire[: data.draw(st.integers(0, len(wire)))]))
    assert found is None or found is Failure.MALFORMED or isinstance(found, ResponseMessage)


@given(st.text(max_size=300))
def test_any_name(text: str) -> None:
    """A name is absolute, or invalid."""
    try:
        valid = parse_name(text).is_absolute()
    except PhaseError as trouble:
        valid = trouble.failure is Failure.NAME_INVALID
    assert valid


@pytest.mark.parametrize("edns", [True, False])
def test_ids_are_random(edns: bool) -> None:
    """Queries for one name have different ids."""
    assert len({make_query(parse_name("a.test"), "A", edns=edns).id for _ in range(8)}) > 1


@pytest.mark.parametrize("edns", [True, False])
@pytest.mark.parametrize("rtype", ["A", "AAAA"])
def test_query_is_what_the_library_writes(rtype: RecordType, *, edns: bool) -> None:
    """A query differs from dnspython's in nothing but its id, whatever the name."""
    for name in map(parse_name, ("a.test", "Mixed.Case.test", "bücher.test", f"{'a' * 63}.test")):
        sent = make_query(name, rtype, edns=edns)
        usual = dns.message.make_query(
            name, rtype, id=sent.id, use_edns=0 if edns else False, payload=1232 if edns else None
        )
        assert sent.wire == usual.to_wire()


@pytest.mark.parametrize("owner", [b"\xc0\x0c", b"\x03wEb\x04Test\0", b"\xc0\x1a"])
def test_owner_written_in_any_way(owner: bytes) -> None:
    """An owner is the name asked for as a pointer, in other letters, and as a pointer to those."""
    record = b"\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04abcd"
    other = b"\x03WEB\x04test\0\x00\x10\x00\x01\x00\x00\x00\x09\x00\x01\0"
    head = QUESTION.wire[:2] + b"\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00"
    for question in (QUESTION.question, QUESTION.question.replace(b"web", b"WeB")):
        found = read(head + question + other + owner + record)
        assert isinstance(found, ResponseMessage)
        assert found.addresses == ("97.98.99.100",)


def test_question_of_another_name_is_not_ours() -> None:
    """A response that repeats another question answers another query."""
    head = QUESTION.wire[:2] + b"\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00"
    assert isinstance(read(head + QUESTION.question), Failure | ResponseMessage)
    assert read(head + QUESTION.question.replace(b"web", b"wob")) is None
    assert read(head + QUESTION.question.replace(b"\0\1\0\1", b"\0\x1c\0\1")) is None
