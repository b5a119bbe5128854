"""The HTTP responses of the lab: those of the real services, and those of devices on the path.

Pure: a request and a host go in, a response comes out. Block pages have a few words of their own and the
product's public marker.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from egressd.lab.leaf import AIA_FOLDER, CRL_PATH, PKI_HOST
from egressd.lab.zone import LabFile

IMAGE_BYTES = 8 * 1024 * 1024
ENDLESS_BYTES = 64 * 1024 * 1024
"""Bytes after which an endless body stops."""
BLOCK = hashlib.shake_256(b"egressd lab image").digest(65536)
RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})")
PORTAL = "http://portal.guest-network.example/login"
MONTH = timedelta(days=30)


class SendMode(StrEnum):
    """How a response is sent."""

    NORMAL = "normal"
    UPGRADE = "upgrade"
    TRUNCATED = "truncated"
    SLOW = "slow"
    ENDLESS_BODY = "endless_body"
    ENDLESS_HEADERS = "endless_headers"
    FLOOD = "flood"
    GARBAGE = "garbage"
    SILENCE = "silence"
    FIN = "fin"
    RESET = "reset"
    GOAWAY = "goaway"


class LabRequest(Struct, frozen=True, kw_only=True):
    """A request. Header names are in lower case; of repeated headers the last counts."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]


class Body(Struct, frozen=True, kw_only=True):
    """The bytes of a body: given, or a range of the download that is generated while sending."""

    given: bytes | None = None
    start: int = 0
    size: int = 0

    def piece(self, at: int, most: int) -> bytes:
        """Return up to `most` bytes from an offset into the body."""
        if self.given is not None:
            return self.given[at : at + most]
        offset = (self.start + at) % len(BLOCK)
        return BLOCK[offset : offset + min(most, self.size - at)]

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.size if self.given is None else len(self.given)


class LabResponse(Struct, frozen=True, kw_only=True):
    """Status, headers and body of a response, and how it is sent."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: Body = Body(given=b"")
    send_mode: SendMode = SendMode.NORMAL

    def with_headers(self, *headers: tuple[str, str], drop: str = "") -> LabResponse:
        """Return the response with headers added, and without the header `drop`."""
        kept = tuple(one for one in self.headers if one[0] != drop)
        return replace(self, headers=(*kept, *headers))


class Responder(Struct, frozen=True, kw_only=True):
    """The simulated services."""

    now: Callable[[], datetime]
    relay_hosts: tuple[str, ...] = ()
    his_host: str = ""
    issuing_certificate: Callable[[], bytes] = bytes
    revocation_list: Callable[[], bytes] = bytes
    files: tuple[LabFile, ...] = ()

    def answer(self, request: LabRequest, *, host: str, port: int, effect: str | None) -> LabResponse:
        """Return the response to a request, changed by the effect of a fault."""
        correct = self._correct(request, host, port)
        dated = correct.with_headers(("date", format_datetime(self.now(), usegmt=True)))
        return dated if effect is None else self._faulty(effect, request, dated)

    def _correct(self, request: LabRequest, host: str, port: int) -> LabResponse:
        if request.headers.get("upgrade", "").lower() == "websocket" and ".servicebus." in host:
            return _websocket_upgrade(request)
        is_file = fnmatchcase(host, "*.dl.delivery.mp.microsoft.com") or request.path.endswith(".cab")
        if is_file and port == 80:
            return _download(request)
        found = self._fixed_response(request.path, host) or self._file(request, host)
        return found if found is not None else _service(*_known_response(host, request.path))

    def _file(self, request: LabRequest, host: str) -> LabResponse | None:
        """Return what a row expects of this request."""
        expect = next((one.expect for one in self.files if one.answers(host, request.target)), None)
        if expect is None:
            return None
        if expect.der:
            return _bytes(self.issuing_certificate(), "application/pkix-cert")
        found = _download(request)
        kind = ("content-type", expect.content_type or "application/octet-stream")
        return replace(
            found.with_headers(kind, drop="content-type"), status=next(iter(expect.status), found.status)
        )

    def _fixed_response(self, path: str, host: str) -> LabResponse | None:
        if path == "/urls/allowlist" and host.startswith("guestnotificationservice."):
            return _json(list(self.relay_hosts))
        if path == "/discovery" and host.startswith("gbl.his."):
            return _json(f"https://{self.his_host}")
        if host == PKI_HOST and path.startswith(AIA_FOLDER):
            return _bytes(self.issuing_certificate(), "application/pkix-cert")
        if (host, path) == (PKI_HOST, CRL_PATH):
            return _bytes(self.revocation_list(), "application/pkix-crl")
        if (host, path) == ("www.msftconnecttest.com", "/connecttest.txt"):
            return _bytes(b"Microsoft Connect Test", "text/plain")
        return None

    def _faulty(self, effect: str, request: LabRequest, correct: LabResponse) -> LabResponse:
        if effect in SEND_MODES:
            return replace(correct, send_mode=SEND_MODES[effect])
        if effect in BLOCK_PAGES:
            return BLOCK_PAGES[effect].with_headers(("date", format_datetime(self.now(), usegmt=True)))
        if effect.startswith("service_"):
            return _service(int(effect.removeprefix("service_")), "").with_headers(
                *_headers_named(correct, "date")
            )
        if effect == "stale":
            old = format_datetime(self.now() - MONTH, usegmt=True)
            return correct.with_headers(
                ("date", old), ("age", str(int(MONTH.total_seconds()))), CACHE_HIT, drop="date"
            )
        if effect == "range_refused" and "range" in request.headers:
            return _html(416, "Range Not Satisfiable", "Whole files only.")
        if effect == "range_ignored" and "range" in request.headers:
            whole = replace(request, headers={**request.headers, "range": ""})
            return _download(whole).with_headers(*_headers_named(correct, "date"))
        if effect == "websocket_blocked":
            return (
                _html(200, "Service", "This gateway speaks HTTP only.") if correct.status == 101 else correct
            )
        return correct.with_headers(*PROXY_HEADERS) if effect == "proxy_headers" else correct


CACHE_HIT = ("x-cache", "HIT from cache.corp.example")
PROXY_HEADERS = (("via", "1.1 cache.corp.example (squid/5.7)"), ("x-cache", "MISS from cache.corp.example"))
SEND_MODES: Mapping[str, SendMode] = {
    one.value: one for one in SendMode if one not in (SendMode.NORMAL, SendMode.UPGRADE)
}
"""Effects that change how the correct response is sent."""

KNOWN_RESPONSES: tuple[tuple[str, str, int, str], ...] = (
    ("*", "/common/oauth2", 200, ""),
    ("management.*", "/metadata/endpoints", 200, ""),
    ("graph.microsoft.*", "/v1.0/", 200, ""),
    ("gcs.*", "/healthcheck", 200, ""),
    ("mcr.microsoft.com", "/", 200, ""),
    ("packages.microsoft.com", "/", 200, ""),
    ("www.microsoft.com", "/", 200, ""),
    ("download.microsoft.com", "/", 301, "https://www.microsoft.com/download"),
    ("aka.ms", "/", 301, "https://www.microsoft.com/"),
    ("*.his.arc.azure.*", "/", 400, ""),
    ("*.data.mcr.microsoft.com", "/", 400, ""),
    ("*.blob.core.*", "/", 400, ""),
    ("*.azureedge.net", "/", 400, ""),
    ("*.dp.prod.appliances.azure.*", "/", 401, ""),
    ("*.delivery.mp.microsoft.com", "/", 403, ""),
    ("*.do.dsp.mp.microsoft.com", "/", 403, ""),
    ("*.vault.azure.net", "/", 403, ""),
    ("*.obo.arc.azure.com", "/", 500, ""),
)
"""Responses observed from the real hosts: host, path prefix, status, redirect target. Others get 404."""


def _known_response(host: str, path: str) -> tuple[int, str]:
    for pattern, start, status, location in KNOWN_RESPONSES:
        if path.startswith(start) and fnmatchcase(host, pattern):
            return status, location
    return 404, ""


def _service(status: int, location: str) -> LabResponse:
    """Return the response of an Azure service: JSON with a request id."""
    body = {} if status < 400 else {"error": {"code": str(status), "message": "The lab says so."}}
    headers = (
        ("content-type", "application/json"),
        ("x-ms-request-id", secrets.token_hex(16)),
        ("strict-transport-security", "max-age=31536000"),
    )
    where = (("location", location),) if location else ()
    return LabResponse(status=status, headers=(*headers, *where), body=Body(given=json.dumps(body).encode()))


def _json(value: object) -> LabResponse:
    return _bytes(json.dumps(value).encode(), "application/json")


def _bytes(data: bytes, kind: str) -> LabResponse:
    return LabResponse(
        status=200,
        headers=(("content-type", kind), ("x-ms-request-id", secrets.token_hex(16))),
        body=Body(given=data),
    )


def _websocket_upgrade(request: LabRequest) -> LabResponse:
    """Return 101 for a WebSocket upgrade (RFC 6455 section 4.2.2)."""
    key = request.headers.get("sec-websocket-key", "")
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False)
    accept = _base64(digest.digest())
    headers = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept))
    return LabResponse(status=101, headers=headers, send_mode=SendMode.UPGRADE)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _download(request: LabRequest) -> LabResponse:
    """Return the download, or the requested range of it."""
    headers = (("content-type", "application/octet-stream"), ("accept-ranges", "bytes"), ("etag", '"lab-1"'))
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None:
        return LabResponse(status=200, headers=headers, body=Body(size=IMAGE_BYTES))
    first = int(asked[1])
    last = min(int(asked[2] or IMAGE_BYTES - 1), IMAGE_BYTES - 1)
    if first > last:
        return LabResponse(status=416, headers=(*headers, ("content-range", f"bytes */{IMAGE_BYTES}")))
    where = ("content-range", f"bytes {first}-{last}/{IMAGE_BYTES}")
    return LabResponse(status=206, headers=(*headers, where), body=Body(start=first, size=last - first + 1))


def _headers_named(answer: LabResponse, name: str) -> tuple[tuple[str, str], ...]:
    return tuple(one for one in answer.headers if one[0] == name)


def _html(status: int, title: str, text: str, *headers: tuple[str, str]) -> LabResponse:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    kind = ("content-type", "text/html; charset=utf-8")
    return LabResponse(status=status, headers=(kind, *headers), body=Body(given=page.encode()))


BLOCK_PAGES: Mapping[str, LabResponse] = {
    "block_generic": _html(403, "Access denied", "Your organisation's policy does not allow this site."),
    "block_fortinet": _html(
        403, "Web Page Blocked", "Category: Information Technology. Powered By FortiGuard."
    ),
    "block_paloalto": _html(
        503, "Web Page Blocked", 'Not allowed. <a href="/php/urlblock.php?args=AAAA">Continue</a>'
    ),
    "block_zscaler": _html(
        403,
        "Internet Security by Zscaler",
        'Not allowed. <img src="https://gateway.zscaler.net/logo.png">',
        ("server", "Zscaler/6.2"),
    ),
    "block_squid": _html(
        403,
        "ERROR: The requested URL could not be retrieved",
        "Access control denied the request.",
        ("server", "squid/5.7"),
        ("x-squid-error", "ERR_ACCESS_DENIED 0"),
        ("via", "1.1 proxy.corp.example (squid/5.7)"),
    ),
    "azure_firewall": LabResponse(
        status=470,
        headers=(("content-type", "text/plain"),),
        body=Body(given=b"Action: Deny. Reason: No rule matched. Proceeding with default action."),
    ),
    "captive_redirect": _html(302, "Redirect", "Sign in first.", ("location", PORTAL)),
    "captive_511": _html(511, "Network Authentication Required", f'<a href="{PORTAL}">Sign in</a> first.'),
    "proxy_auth": _html(
        407,
        "Proxy authentication required",
        "Sign in first.",
        ("proxy-authenticate", 'Basic realm="corp"'),
        ("via", "1.1 proxy.corp.example"),
    ),
    "proxy_401": _html(
        401,
        "Authentication required",
        "Sign in first.",
        ("www-authenticate", 'Basic realm="corp"'),
        ("via", "1.1 proxy.corp.example"),
    ),
    "private_only": LabResponse(
        status=403,
        headers=(("content-type", "application/json"), ("x-ms-request-id", "0" * 32)),
        body=Body(given=b'{"error": {"code": "Forbidden", "message": "Public network access is disabled."}}'),
    ),
    "replaced": _html(200, "Scanning your download", "The file will be ready soon."),
}
"""Effects that replace the host's response."""
MODIFYING_EFFECTS = frozenset(
    {"stale", "range_ignored", "range_refused", "websocket_blocked", "proxy_headers"}
)
"""Effects that modify the correct response."""


def plaintext_block_page() -> bytes:
    """Return a complete HTTP response in cleartext, for a client that expects TLS."""
    body = BLOCK_PAGES["block_generic"].body.given or b""
    head = (
        f"HTTP/1.1 403 Forbidden\r\nServer: gateway\r\nContent-Type: text/html\r\nContent-Length: {len(body)}"
    )
    return f"{head}\r\nConnection: close\r\n\r\n".encode() + body
