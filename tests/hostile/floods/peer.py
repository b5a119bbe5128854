"""One connection of a flooding server, and the TLS sessions in which it floods."""

from __future__ import annotations

import hmac
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from egressd.lab.authority import CertificateAuthority
from egressd.lab.leaf import LeafKind

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
KEY_UPDATE = 24
"""The type of the message that ends a key (RFC 8446 section 4.6.3)."""
_ISSUING = threading.Lock()
"""The authority writes a file for every context."""
Record = tuple[int, bytes]
"""The content type and the plaintext of a TLS record."""


def record(kind: int, payload: bytes) -> bytes:
    """Return a TLS record in clear."""
    return bytes((kind, 3, 3)) + len(payload).to_bytes(2, "big") + payload


def message(kind: int, body: bytes) -> bytes:
    """Return a handshake message."""
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


class Peer:
    """One accepted connection. `rate`: the most bytes per second; 0: as fast as they are taken."""

    def __init__(self, sock: socket.socket, authority: CertificateAuthority, rate: int) -> None:
        self.sock = sock
        self.authority = authority
        self._rate = rate

    def read_until(self, mark: bytes) -> bytes:
        """Read until some bytes were seen, or the client closes."""
        data = b""
        while mark not in data and (more := self.sock.recv(65536)):
            data += more
        return data

    def pour(self, chunks: Iterable[bytes]) -> None:
        """Send everything, and throw away what the client sends meanwhile."""
        begun, sent = time.monotonic(), 0
        for chunk in chunks:
            self.sock.sendall(chunk)
            sent += len(chunk)
            with suppress(BlockingIOError):
                self.sock.recv(65536, socket.MSG_DONTWAIT)
            if self._rate:
                time.sleep(max(0.0, begun + sent / self._rate - time.monotonic()))


class TlsSession:
    """The server's side of a TLS session; its keys are known, so that any record can be sealed."""

    def __init__(self, peer: Peer, *, old: bool = False, alpn: tuple[str, ...] = ()) -> None:
        self._sock = peer.sock
        self._keys = peer.authority.directory / "keys"
        context = _context(peer.authority, self._keys, old=old, alpn=alpn)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._old = old
        self._client_random = b""
        self._flight = b""

    def answer_hello(self) -> None:
        """Read the ClientHello; keep the first flight back."""
        while not self._flight:
            self._feed()
            with suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
            self._flight = self._outgoing.read()

    def handshake(self) -> None:
        """Complete the handshake."""
        self.answer_hello()
        self._sock.sendall(self._flight)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._feed()
        self._sock.sendall(self._outgoing.read())

    def send_server_hello(self) -> None:
        """Send the first record of the flight alone."""
        self._sock.sendall(self._flight[: 5 + int.from_bytes(self._flight[3:5], "big")])

    def read_until(self, mark: bytes) -> bytes:
        """Read decrypted bytes until some were seen, or the client closes."""
        data = b""
        while mark not in data:
            try:
                more = self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._feed()
                continue
            if not more:
                break
            data += more
        return data

    def encrypt(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Encrypt data as usual."""
        for chunk in chunks:
            self._tls.write(chunk)
            yield self._outgoing.read()

    def seal(self, records: Iterable[Record], *, secret: str = "SERVER_TRAFFIC_SECRET_0") -> Iterator[bytes]:
        """Seal records of our own making with the key of the session; TLS 1.2 has one of its own."""
        keys = Keys.of_tls12(self._logged("CLIENT_RANDOM"), self._randoms) if self._old else None
        keys = keys or Keys.of_tls13(self._logged(secret))
        number = 1 if self._old else 0  # TLS 1.2 sealed Finished with the same key
        for kind, payload in records:
            yield keys.seal_old(number, kind, payload) if self._old else keys.seal(number, kind, payload)
            number += 1
            if not self._old and kind == HANDSHAKE and payload[0] == KEY_UPDATE:
                keys, number = keys.updated(), 0

    def _feed(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("the client closed")
        self._client_random = self._client_random or data[11:43]
        self._incoming.write(data)

    @property
    def _randoms(self) -> bytes:
        return self._flight[11:43] + self._client_random

    def _logged(self, label: str) -> bytes:
        """Return a secret of this session from the key log."""
        start = f"{label} {self._client_random.hex()} "
        lines = self._keys.read_text(encoding="ascii").splitlines()
        return bytes.fromhex(next(one for one in lines if one.startswith(start))[len(start) :])


def _context(
    authority: CertificateAuthority, keys: Path, *, old: bool, alpn: tuple[str, ...]
) -> ssl.SSLContext:
    with _ISSUING:
        context = authority.context("*.flood.test", LeafKind.GOOD, "-".join(("old" if old else "", *alpn)))
        if not context.keylog_filename:
            _set_up(context, keys, old=old, alpn=alpn)
    return context


def _set_up(context: ssl.SSLContext, keys: Path, *, old: bool, alpn: tuple[str, ...]) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2 if old else ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    context.keylog_filename = str(keys)
    if alpn:
        context.set_alpn_protocols(list(alpn))


@dataclass(frozen=True)
class Keys:
    """The server's key and IV of AES-GCM."""

    secret: bytes
    key: bytes
    iv: bytes

    @classmethod
    def of_tls13(cls, secret: bytes) -> Keys:
        """Derive the keys of TLS_AES_256_GCM_SHA384 (RFC 8446 section 7.3)."""
        return cls(secret, _expand(secret, b"key", 32), _expand(secret, b"iv", 12))

    @classmethod
    def of_tls12(cls, master: bytes, randoms: bytes) -> Keys:
        """Derive the keys of AES128-GCM-SHA256 (RFC 5246 section 6.3)."""
        seed = b"key expansion" + randoms
        block, step = b"", seed
        while len(block) < 40:
            step = hmac.digest(master, step, "sha256")
            block += hmac.digest(master, step + seed, "sha256")
        return cls(master, block[16:32], block[36:40])

    def updated(self) -> Keys:
        """Return the keys after a KeyUpdate."""
        return Keys.of_tls13(_expand(self.secret, b"traffic upd", 48))

    def seal(self, number: int, kind: int, payload: bytes) -> bytes:
        """Seal a record of TLS 1.3."""
        nonce = (int.from_bytes(self.iv, "big") ^ number).to_bytes(12, "big")
        header = bytes((DATA, 3, 3)) + (len(payload) + 17).to_bytes(2, "big")
        return header + AESGCM(self.key).encrypt(nonce, payload + bytes((kind,)), header)

    def seal_old(self, number: int, kind: int, payload: bytes) -> bytes:
        """Seal a record of TLS 1.2 (RFC 5288)."""
        explicit = number.to_bytes(8, "big")
        header = bytes((kind, 3, 3))
        aad = explicit + header + len(payload).to_bytes(2, "big")
        sealed = explicit + AESGCM(self.key).encrypt(self.iv + explicit, payload, aad)
        return header + len(sealed).to_bytes(2, "big") + sealed


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """Return HKDF-Expand-Label with an empty context."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0"
    return HKDFExpand(hashes.SHA384(), size, info).derive(secret)
