"""The responses of the lab's hosts, without a socket."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.lab.responses import IMAGE_BYTES, LabRequest, LabResponse, Responder, SendMode

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SITE = Responder(
    now=lambda: NOW, relay_hosts=("azgn-1.servicebus.windows.net",), his_host="weu.his.arc.azure.com"
)
IMAGES = "msk8s.b.tlu.dl.delivery.mp.microsoft.com"


def ask(
    host: str, target: str = "/", *, port: int = 443, effect: str | None = None, **headers: str
) -> LabResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = LabRequest(method="GET", target=target, headers=named)
    return SITE.answer(request, host=host, port=port, effect=effect)


def header(answer: LabResponse, name: str) -> str | None:
    return dict(answer.headers).get(name)


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("mcr.microsoft.com", "/", 200),
        ("login.microsoftonline.com", "/common/oauth2", 200),
        ("management.azure.com", "/metadata/endpoints?api-version=2022-08-01", 200),
        ("weu.his.arc.azure.com", "/", 400),
        ("westeurope.dp.prod.appliances.azure.com", "/", 401),
        ("msk8s.sb.tlu.dl.delivery.mp.microsoft.com", "/", 403),
        ("v20.events.data.microsoft.com", "/", 404),
        ("westeurope.obo.arc.azure.com", "/", 500),
    ],
)
def test_services_answer_as_observed(host: str, path: str, status: int) -> None:
    """The status of the real service, a request id, and the date."""
    answer = ask(host, path)
    assert answer.status == status
    assert header(answer, "x-ms-request-id")
    assert parsedate_to_datetime(header(answer, "date") or "") == NOW


def test_discovery_calls() -> None:
    """An array of relay hosts; the regional host as a JSON string."""
    listed = ask("guestnotificationservice.azure.com", "/urls/allowlist?location=westeurope")
    assert listed.body.given == b'["azgn-1.servicebus.windows.net"]'
    found = ask("gbl.his.arc.azure.com", "/discovery?location=westeurope&api-version=2.1")
    assert found.body.given == b'"https://weu.his.arc.azure.com"'


def test_websocket_upgrade() -> None:
    """The accept value is that of RFC 6455's example; without an upgrade it is a plain service."""
    host = "azgn-1.servicebus.windows.net"
    answer = ask(host, upgrade="websocket", sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==")
    assert (answer.status, answer.send_mode) == (101, SendMode.UPGRADE)
    assert header(answer, "sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert ask(host).status == 404
    blocked = ask(host, upgrade="websocket", sec_websocket_key="x", effect="websocket_blocked")
    assert blocked.status == 200


@pytest.mark.parametrize(
    ("asked", "status", "length", "where"),
    [
        ("", 200, IMAGE_BYTES, None),
        ("bytes=0-99", 206, 100, f"bytes 0-99/{IMAGE_BYTES}"),
        (f"bytes={IMAGE_BYTES - 5}-", 206, 5, f"bytes {IMAGE_BYTES - 5}-{IMAGE_BYTES - 1}/{IMAGE_BYTES}"),
        (f"bytes=10-{IMAGE_BYTES * 2}", 206, IMAGE_BYTES - 10, f"bytes 10-{IMAGE_BYTES - 1}/{IMAGE_BYTES}"),
        (f"bytes={IMAGE_BYTES}-", 416, 0, f"bytes */{IMAGE_BYTES}"),
        ("bytes=5-1", 416, 0, f"bytes */{IMAGE_BYTES}"),
        ("lines=1-2", 200, IMAGE_BYTES, None),
    ],
)
def test_ranges(asked: str, status: int, length: int, where: str | None) -> None:
    """RFC 9110 section 14, for a single range."""
    answer = ask(IMAGES, "/filestreamingservice/files/1", port=80, range=asked)
    assert (answer.status, answer.body.length) == (status, length)
    assert header(answer, "content-range") == where


@given(st.integers(0, IMAGE_BYTES - 1), st.integers(1, 200_000))
def test_range_has_the_bytes_of_the_whole(start: int, size: int) -> None:
    """At any offset."""
    whole = ask(IMAGES, port=80).body
    part = ask(IMAGES, port=80, range=f"bytes={start}-{start + size - 1}").body

    def read(at: int, most: int, *, of: LabResponse | None = None) -> bytes:
        body, data = (whole if of is None else of.body), b""
        while len(data) < most:
            data += body.piece(at + len(data), most - len(data))
        return data

    length = min(part.length, 70_000)
    assert read(0, length, of=LabResponse(status=206, body=part)) == read(start, length)


@pytest.mark.parametrize(
    ("effect", "status", "marker"),
    [
        ("block_fortinet", 403, b"Powered By FortiGuard"),
        ("block_paloalto", 503, b"/php/urlblock.php?args="),
        ("block_zscaler", 403, b"Internet Security by Zscaler"),
        ("block_squid", 403, b"could not be retrieved"),
        ("azure_firewall", 470, b"Action: Deny. Reason: No rule matched"),
        ("captive_511", 511, b"Sign in"),
        ("proxy_auth", 407, b"Sign in"),
        ("replaced", 200, b"<title>Scanning"),
    ],
)
def test_block_pages(effect: str, status: int, marker: bytes) -> None:
    """The page has its product's marker and no request id of the service."""
    answer = ask("mcr.microsoft.com", effect=effect)
    assert answer.status == status
    assert marker in (answer.body.given or b"")
    assert header(answer, "x-ms-request-id") is None
    assert header(answer, "date")


def test_modified_responses() -> None:
    """Redirect to a portal, age of a cache, headers of a proxy, an ignored range."""
    assert (header(ask(IMAGES, effect="captive_redirect"), "location") or "").startswith("http://portal.")
    stale = ask(IMAGES, port=80, effect="stale")
    assert int(header(stale, "age") or 0) > 86400
    assert parsedate_to_datetime(header(stale, "date") or "") < NOW
    assert [name for name, _ in stale.headers].count("date") == 1
    assert header(ask(IMAGES, port=80, effect="proxy_headers"), "via")
    ignored = ask(IMAGES, port=80, effect="range_ignored", range="bytes=0-99")
    assert (ignored.status, ignored.body.length) == (200, IMAGE_BYTES)
    assert ask(IMAGES, port=80, effect="range_refused", range="bytes=0-99").status == 416
    assert ask(IMAGES, port=80, effect="range_refused").status == 200


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_service_errors(status: int) -> None:
    """The requested status, with the request id of the service."""
    answer = ask("mcr.microsoft.com", effect=f"service_{status}")
    assert answer.status == status
    assert header(answer, "x-ms-request-id")
