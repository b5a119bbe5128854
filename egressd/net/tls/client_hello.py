"""Building ClientHellos (RFC 8446 section 4.1.2) of a chosen size and layout.

A TLS library does not let a client choose the size, move the server name, or omit it. A server of TLS 1.2
or 1.3 answers each with a ServerHello; the key shares are random, so no session can follow. No I/O.
"""

from __future__ import annotations

import secrets
import struct
from enum import StrEnum

X25519, P256, X25519_MLKEM768 = 0x001D, 0x0017, 0x11EC
CIPHERS = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8)
SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
LARGE = 1700
"""Bytes of a large ClientHello: more than one segment on an Ethernet path, as with post-quantum keys."""
_MLKEM_COEFFICIENTS, _MLKEM_Q, _MLKEM_SEED = 768, 3329, 32


class ClientHelloShape(StrEnum):
    """The size of a ClientHello, and the position of its server name (SNI)."""

    SMALL = "small"
    """One segment, SNI first."""
    LARGE = "large"
    """Post-quantum size, SNI first."""
    SNI_LAST = "sni_last"
    """Post-quantum size, SNI as the last extension."""
    NO_SNI = "no_sni"
    """One segment, no SNI."""


def build_client_hello(host: str, shape: ClientHelloShape) -> bytes:
    """Return one TLS record with a ClientHello; `host` is in ASCII (RFC 6066 section 3)."""
    name = (
        b""
        if shape is ClientHelloShape.NO_SNI
        else _extension(0, _vector(2, b"\0" + _vector(2, host.encode("ascii"))))
    )
    large = shape in (ClientHelloShape.LARGE, ClientHelloShape.SNI_LAST)
    rest = _extensions(large=large)
    if large:
        rest += _padding(LARGE - len(_record(name + rest)))
    return _record(rest + name if shape is ClientHelloShape.SNI_LAST else name + rest)


def _record(extensions: bytes) -> bytes:
    ciphers = b"".join(one.to_bytes(2) for one in CIPHERS)
    body = b"\x03\x03" + secrets.token_bytes(32) + _vector(1, secrets.token_bytes(32))
    body += _vector(2, ciphers) + _vector(1, b"\0") + _vector(2, extensions)
    return b"\x16\x03\x01" + _vector(2, b"\x01" + _vector(3, body))


def _extensions(*, large: bool) -> bytes:
    """Return the extensions of a current client, except the server name."""
    groups = ((X25519_MLKEM768,) if large else ()) + (X25519, P256)
    shares = (_share(X25519_MLKEM768, _mlkem_key() + secrets.token_bytes(32)) if large else b"") + _share(
        X25519, secrets.token_bytes(32)
    )
    protocols = b"".join(_vector(1, one) for one in (b"h2", b"http/1.1"))
    return b"".join(
        (
            _extension(23, b""),  # extended master secret (RFC 7627)
            _extension(0xFF01, b"\0"),  # secure renegotiation (RFC 5746)
            _extension(10, _vector(2, b"".join(one.to_bytes(2) for one in groups))),
            _extension(11, _vector(1, b"\0")),  # uncompressed points
            _extension(13, _vector(2, b"".join(one.to_bytes(2) for one in SIGNATURES))),
            _extension(16, _vector(2, protocols)),
            _extension(43, _vector(1, b"\x03\x04\x03\x03")),
            _extension(45, _vector(1, b"\x01")),
            _extension(51, _vector(2, shares)),
        )
    )


def _share(group: int, key: bytes) -> bytes:
    return group.to_bytes(2) + _vector(2, key)


def _mlkem_key() -> bytes:
    """Return an ML-KEM-768 key that passes the check of FIPS 203 section 7.2: coefficients below q."""
    words = struct.unpack(f"!{_MLKEM_COEFFICIENTS}I", secrets.token_bytes(4 * _MLKEM_COEFFICIENTS))
    found = [one % _MLKEM_Q for one in words]
    pairs = (low | high << 12 for low, high in zip(found[::2], found[1::2], strict=True))
    return b"".join(one.to_bytes(3, "little") for one in pairs) + secrets.token_bytes(_MLKEM_SEED)


def _padding(missing: int) -> bytes:
    """Return a padding extension (RFC 7685) of that many bytes, its header included."""
    return _extension(21, bytes(missing - 4)) if missing >= 4 else b""


def _extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2) + _vector(2, data)


def _vector(width: int, data: bytes) -> bytes:
    """Prefix data with its length in `width` bytes (RFC 8446 section 3.4)."""
    return len(data).to_bytes(width) + data
