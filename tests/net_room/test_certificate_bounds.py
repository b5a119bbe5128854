"""What a chain may cost: time, memory over many of them, and the size of what is recorded."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import to_builtins

from egressd.model.observation import Failure, TlsObservation
from egressd.net.handshake import handshake
from egressd.net.tls.anchors import RootSet
from egressd.net.tls.certificates import parse_certificate
from egressd.net.tls.chain import chain_facts
from tests.hostile.peers import flight_with

CHAINS = int(os.environ.get("TEST_CHAINS", "250"))
"""Connections of the test that shows a new chain on each; 5,000 take a minute or two."""
GROWTH = 24 * 1024 * 1024
SECONDS = 0.4
"""Several times what the worst chain takes; some of these took 1.5 s."""
RECORDED = 40 * 1024
"""Characters that an observation of the TLS phase has at most."""


def value(tag: int, *parts: bytes) -> bytes:
    """Return a DER value."""
    content = b"".join(parts)
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x80 | len(octets)]) + octets) + content


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return value(0x30, *parts)


def integer(number: int) -> bytes:
    """Return an INTEGER."""
    return value(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def name(*texts: bytes) -> bytes:
    """Return a Name of common names."""
    return sequence(*(value(0x31, sequence(b"\x06\x03\x55\x04\x03", value(12, one))) for one in texts))


def extension(oid: bytes, *content: bytes) -> bytes:
    """Return an extension that is not critical."""
    return sequence(value(6, oid), value(4, *content))


def rsa_key(bits: int, exponent: int = 65537) -> bytes:
    """Return a public key with a modulus that nobody has the factors of."""
    modulus = int.from_bytes(os.urandom(bits // 8), "big") | 1 | 1 << (bits - 1)
    algorithm = sequence(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", value(5))
    return sequence(algorithm, value(3, b"\0", sequence(integer(modulus), integer(exponent))))


def ec_key(curve: ec.EllipticCurve) -> tuple[bytes, bytes]:
    """Return a public key and a signature of something else by it."""
    key = ec.generate_private_key(curve)
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return spki, key.sign(os.urandom(8), ec.ECDSA(hashes.SHA256()))


LOOP = name(b"loop")
KEY_ID = b"\x55\x1d\x0e"
BIG_NUMBER = b"\x2a" + b"\xff" * 90_000 + b"\1"
"""An OID."""
AUTHORITY = extension(b"\x55\x1d\x13", sequence(value(1, b"\xff")))
WITH_RSA = sequence(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", value(5))
WITH_EC = sequence(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
SMALL_KEY = rsa_key(2048)


def certificate(
    *extensions: bytes,
    subject: bytes = LOOP,
    key: bytes = SMALL_KEY,
    algorithm: bytes = WITH_RSA,
    signature: bytes | None = None,
    serial: int | None = None,
) -> bytes:
    """Return a certificate whose signature fits nothing."""
    number = int.from_bytes(os.urandom(8), "big") if serial is None else serial
    times = sequence(value(23, b"250101000000Z"), value(23, b"350101000000Z"))
    added = [value(0xA3, sequence(*extensions))] if extensions else []
    signed = sequence(value(0xA0, integer(2)), integer(number), algorithm, LOOP, times, subject, key, *added)
    return sequence(signed, algorithm, value(3, b"\0", signature or b"\1" + os.urandom(255)))


def names(count: int, each: bytes = b"n%s.example") -> bytes:
    """Return alternative names."""
    return extension(b"\x55\x1d\x11", sequence(*(value(0x82, each % (b"%d" % one)) for one in range(count))))


def urls(count: int) -> bytes:
    """Return URLs of an issuer, each of 400 characters."""
    by_url = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02"
    one = sequence(by_url, value(0x86, b"http://pki.test/" + b"u" * 384))
    return extension(b"\x2b\x06\x01\x05\x05\x07\x01\x01", sequence(*[one] * count))


def authorities(key: Callable[[], tuple[bytes, bytes]], algorithm: bytes = WITH_RSA) -> list[bytes]:
    """Return sixteen authorities that all seem to have signed each other."""
    made = [key() for _ in range(16)]
    return [certificate(AUTHORITY, key=one, signature=by, algorithm=algorithm) for one, by in made]


def nested(depth: int) -> bytes:
    """Return values inside values."""
    found = b""
    for _ in range(depth):
        found = sequence(found)
    return found


CRAFTED: dict[str, Callable[[], list[bytes]]] = {
    "keys of 16,384 bits": lambda: authorities(lambda: (rsa_key(16384), b"\1" + os.urandom(2047))),
    "keys of 8,192 bits": lambda: authorities(lambda: (rsa_key(8192), b"\1" + os.urandom(1023))),
    "exponents of 3,072 bits": lambda: authorities(
        lambda: (rsa_key(3072, int.from_bytes(os.urandom(384), "big") | 1), b"\1" + os.urandom(383))
    ),
    "keys of odd curves": lambda: authorities(lambda: ec_key(ec.BrainpoolP512R1()), WITH_EC),
    "a modulus of 90 KB": lambda: [certificate(key=rsa_key(720_000))],
    "names": lambda: [certificate(names(6000))],
    "short names": lambda: [certificate(names(30_000, b"%.1s"))],
    "a long name": lambda: [certificate(names(1, b"a" * 95_000 + b"%s"))],
    "parts of a name": lambda: [certificate(subject=name(*[b"x"] * 7000))],
    "a name of 95 KB": lambda: [certificate(subject=name(b"," * 95_000))],
    "extensions": lambda: [certificate(*(extension(one.to_bytes(3, "big")) for one in range(7000)))],
    "a number of 90 KB in an OID": lambda: [certificate(extension(BIG_NUMBER))],
    "the same in a name": lambda: [
        certificate(subject=sequence(value(0x31, sequence(value(6, BIG_NUMBER), value(12)))))
    ],
    "values in values": lambda: [certificate(extension(b"\x55\x1d\x11", nested(8000)))],
    "URLs": lambda: [certificate(urls(200))],
    "a serial number of 90 KB": lambda: [certificate(serial=int.from_bytes(os.urandom(90_000), "big"))],
    "a key identifier of 90 KB": lambda: [certificate(extension(KEY_ID, value(4, os.urandom(90_000))))],
    "sixteen with everything": lambda: [certificate(AUTHORITY, names(150), urls(5)) for _ in range(16)],
}  # fmt: skip


def recorded(ders: Iterable[bytes]) -> object:
    """Parse a chain and return all that is recorded of it."""
    chain = tuple(parse_certificate(one) for one in ders)
    roots = RootSet([])
    return [to_builtins(one.facts) for one in chain], to_builtins(
        chain_facts(chain, "web.test", public=roots, trusted=roots)
    )


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("craft", CRAFTED)
def test_cost_is_bounded(craft: str) -> None:
    """No chain of the size that OpenSSL takes keeps the loop busy, or makes a large record."""
    ders = CRAFTED[craft]()
    assert sum(map(len, ders)) < 100_000
    before = time.process_time()
    found = recorded(ders)
    assert time.process_time() - before < SECONDS
    assert len(repr(found)) < 3 * RECORDED


def test_facts_of_what_is_too_large(pki: Any) -> None:
    """A certificate with more than is kept has its first names and URLs; a long number is cut."""
    facts = parse_certificate(certificate(names(1000), urls(20), serial=1 << 4000)).facts
    assert facts.san[:2] == ("n0.example", "n1.example")
    assert len(facts.san) == 100
    assert len(facts.issuer_urls) == 2
    assert facts.serial is not None
    assert len(facts.serial) == 64


async def test_size_of_an_observation(serve: Any, connect: Any, pki: Any) -> None:
    """However much a chain says, what is recorded of it is small; the leaf's names come first."""
    everything = [certificate(AUTHORITY, names(150), urls(5)) for _ in range(16)]

    async def flight(peer: Any) -> None:
        await peer.receive()
        await peer.send(flight_with(everything))
        await peer.receive()

    stream = await connect(await serve(flight))
    seen, _ = await handshake(stream, "web.test", store=pki.store(pki.root), alpn=(), timeout=5)
    stream.close()
    assert len(seen.chain) == 16
    assert len(seen.chain[0].san) == 100
    assert len(repr(seen)) < RECORDED


async def test_new_chain_on_every_connection(serve: Any, connect: Any, pki: Any) -> None:
    """Memory does not grow with the number of chains that a peer shows."""

    named = names(40)

    def padded() -> bytes:
        return certificate(AUTHORITY, named, extension(b"\x2a\x03", os.urandom(14_000)))

    async def flight(peer: Any) -> None:
        await peer.receive()
        await peer.send(flight_with([padded() for _ in range(3)]))
        await peer.receive()

    async def attempt(port: int) -> TlsObservation:
        stream = await connect(port)
        seen, _ = await handshake(stream, "web.test", store=store, alpn=(), timeout=5)
        stream.close()
        return seen

    store, port = pki.store(pki.root), await serve(flight)
    assert (await attempt(port)).failure is Failure.VERIFY
    tracemalloc.start()
    try:
        for _ in range(CHAINS):
            seen = await attempt(port)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(seen.chain) == 3
    assert grown < GROWTH
