"""Any DNS bytes end in a value or a failure."""

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
    """Queries for one name have different ids."""
    assert len({make_query(parse_name("a.test"), "A", edns=edns).id for _ in range(8)}) > 1
