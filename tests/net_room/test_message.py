"""DNS bytes from anywhere end in a value or a named failure."""

from __future__ import annotations

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.model.observation import Failure
from egressd.net.dns.message import ResponseMessage, make_query, parse_name, parse_response
from egressd.net.sockets.errors import PhaseError

QUESTION = make_query(parse_name("web.test"), "A", edns=True)
ASKED = {QUESTION.id: QUESTION}


def read(data: bytes) -> ResponseMessage | Failure | None:
    """Read an answer; the failure is a value here."""
    try:
        return parse_response(data, ASKED)
    except PhaseError as trouble:
        return trouble.failure


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    """Whatever comes under another id is nobody's answer."""
    assert read(bytes([QUESTION.wire[0] ^ 0x55]) + data) is None


@given(st.binary(max_size=600))
def test_any_bytes_under_our_id(data: bytes) -> None:
    """Whatever comes under our id is an answer, malformed, or to another question."""
    found = read(QUESTION.wire[:2] + data)
    assert found is None or found is Failure.MALFORMED or isinstance(found, ResponseMessage)


@given(st.data())
def test_a_damaged_answer(data: st.DataObject) -> None:
    """A real answer with any bytes changed, or cut anywhere, never upsets the reader."""
    response = dns.message.make_response(QUESTION.query)
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
    """Two questions for one name do not share an id for long."""
    assert len({make_query(parse_name("a.test"), "A", edns=edns).id for _ in range(8)}) > 1
