"""Discovery answers are parsed strictly and in bounded size."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from egressd.probe.discovery import HOST, MAX_HOSTS, parse_hosts


def test_json_array_of_hosts() -> None:
    """Names keep their order; duplicates and other values are dropped."""
    body = json.dumps(["B.servicebus.windows.net", "a.servicebus.windows.net", 7, "B.servicebus.windows.net"])

    assert parse_hosts("json-hosts", body.encode()) == (
        "b.servicebus.windows.net",
        "a.servicebus.windows.net",
    )


def test_regional_host() -> None:
    """The older call answers a URL, the newer one JSON."""
    bare = b'"https://weu.his.arc.azure.com"'
    wrapped = b'{"endpoint": "https://weu.his.arc.azure.com/"}'

    assert parse_hosts("his-region", bare) == ("weu.his.arc.azure.com",)
    assert parse_hosts("his-region", wrapped) == ("weu.his.arc.azure.com",)


def test_number_of_hosts_is_bounded() -> None:
    """A server can't make a plan grow without bound."""
    body = json.dumps([f"h{number}.example.net" for number in range(MAX_HOSTS + 5)]).encode()

    assert len(parse_hosts("json-hosts", body)) == MAX_HOSTS


@given(body=st.binary(max_size=4096), answer=st.sampled_from(["json-hosts", "his-region"]))
def test_any_bytes(body: bytes, answer: str) -> None:
    """Only valid host names are returned."""
    assert all(HOST.fullmatch(host) for host in parse_hosts(answer, body))


def test_deep_nesting() -> None:
    """JSON made to exhaust the stack gives no hosts."""
    assert parse_hosts("json-hosts", b"[" * 200_000) == ()
