"""The WebSocket upgrade (RFC 6455 section 4): request headers, and the accept value of the response."""

from __future__ import annotations

import base64
import hashlib
import secrets

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def new_key() -> str:
    """Return a random Sec-WebSocket-Key."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def upgrade_headers(key: str) -> tuple[tuple[str, str], ...]:
    """Return the headers that request the upgrade."""
    return (
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", key),
        ("sec-websocket-version", "13"),
    )


def accept_value(key: str) -> str:
    """Return the Sec-WebSocket-Accept that proves the server read the key."""
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()  # noqa: S324 - RFC 6455
