"""Parameters of finite-field Diffie-Hellman."""

from __future__ import annotations

import base64
import textwrap

MODP_2048 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
"""RFC 3526 section 3."""


def parameters_pem(prime: int) -> str:
    """Return parameters with the generator 2 as PEM (PKCS #3 section 9)."""
    size = prime.bit_length() // 8 + 1
    numbers = _der(0x02, prime.to_bytes(size, "big")) + _der(0x02, b"\x02")
    text = base64.b64encode(_der(0x30, numbers)).decode("ascii")
    lines = ("-----BEGIN DH PARAMETERS-----", *textwrap.wrap(text, 64), "-----END DH PARAMETERS-----", "")
    return "\n".join(lines)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, *size.to_bytes(2, "big")])
    return bytes([tag]) + length + content
