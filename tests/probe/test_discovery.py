"""Discovery answers are read strictly and in bounded size."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from egressd.probe.discovery import HOST, MAX_HOSTS, parse_hosts


def test_an_array_of_names_is_read_in_order() -> None:
    """Names keep their order, repeats and strangers are dropped."""
    body = json.dumps(["B.servicebus.windows.net", "a.servicebus.windows.net", 7, "B.servicebus.windows.net"])

    assert parse_hosts("json-hosts", body.encode()) == (
        "b.servicebus.windows.net",
        "a.servicebus.windows.net",
    )


def test_a_regional_host_is_read_bare_or_in_json() -> None:
    """The older call answers a URL, the newer one JSON."""
    bare = b'"https://weu.his.arc.azure.com"'
    wrapped = b'{"endpoint": "https://weu.his.arc.azure.com/"}'

    assert parse_hosts("his-region", bare) == ("weu.his.arc.azure.com",)
    assert parse_hosts("his-region", wrapped) == ("weu.his.arc.azure.com",)


def test_a_long_list_is_cut() -> None:
    """A server can't make a plan grow without bound."""
    body = json.dumps([f"h{number}.example.net" for number in range(MAX_HOSTS + 5)]).encode()

    assert len(parse_hosts("json-hosts", body)) == MAX_HOSTS


@given(body=st.binary(max_size=4096), answer=st.sampled_from(["json-hosts", "his-region"]))
def test_any_bytes_give_names_or_nothing(body: bytes, answer: str) -> None:
    """Whatever a server sends, only host names come out."""
    assert all(HOST.fullmatch(host) for host in parse_hosts(answer, body))


def test_deep_nesting_is_no_answer() -> None:
    """JSON made to exhaust the stack is not read."""
    assert parse_hosts("json-hosts", b"[" * 200_000) == ()
