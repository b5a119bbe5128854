"""A TLS client session over a stream by memory BIOs, so that all bytes of the handshake can be inspected."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Protocol, cast

from egressd.model.observation import Failure, TcpInfo
from egressd.net.sockets.errors import PhaseError
from egressd.net.sockets.turns import LoopTurn
from egressd.net.stream import ByteStream, TlsAlertError, TlsDataError
from egressd.net.tls.alerts import alert_from_openssl, openssl_reason
from egressd.net.tls.records import HEAD_LIMIT, RecordScanner

READ_SIZE = 32768
_FIRST_READ = 4096
"""Bytes to give OpenSSL at once before it has given data: it works off all records in them without a pause,
and a change of keys may take 22 bytes."""
HANDSHAKE_LIMIT = 256 * 1024
"""Bytes that a handshake may take. Chains of certificates have 10 KiB; OpenSSL refuses more than 100 KiB."""
_MAX_RECORDS = 4096
"""Records of a handshake; a server that sends fragments needs some dozens."""
_LARGE, _MANY_RECORDS = 24 * 1024, 64
"""What is too much for a handshake that ran out of time to be called slow."""
_LIMIT_WITHOUT_DATA = 64 * 1024
"""Bytes of records that may come without data: session tickets, changes of keys. A record has 16 KiB."""
_TOO_MANY = frozenset({"TOO_MANY_WARN_ALERTS", "TOO_MANY_KEY_UPDATES", "RECORD_TOO_SMALL"})
"""What OpenSSL itself says of floods: of alerts, of changes of keys, and of records without content."""
_BANNER_SECONDS = 0.2
"""Seconds to wait for the rest of an answer that is no TLS."""


class TlsStream:
    """A stream inside a TLS session. Call `handshake` first; read and write only after it succeeded."""

    def __init__(self, stream: ByteStream, context: ssl.SSLContext, server_name: str) -> None:
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._returned = b""
        self._read_size = _FIRST_READ
        self.without_data = 0
        """Bytes received after the handshake since the last data."""
        self.sent = RecordScanner()
        """The records sent during the handshake."""
        self.received = RecordScanner()
        self.hello_bytes = 0
        self.close_notify: bool | None = None
        """Whether the peer ended the session with close_notify; None: it did not close the connection."""

    async def handshake(self) -> None:
        """Do the handshake.

        Raises:
            ssl.SSLError: OpenSSL gave up.
            PhaseError: CLOSED, NOT_TLS or FLOOD.
            OSError: reading or writing failed.
        """
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush_handshake()
            await self._feed_handshake()
        await self._flush_handshake()

    async def _flush_handshake(self) -> None:
        data = self._outgoing.read()
        if not data:
            return
        self.hello_bytes = self.hello_bytes or len(data)
        self.sent.feed(data)
        await self._stream.write(data)

    async def _feed_handshake(self) -> None:
        data = await self._stream.read(_FIRST_READ)
        self.received.feed(data)
        if not self.received.is_tls:
            await self._read_banner()
            raise PhaseError(Failure.NOT_TLS, self.received.head_text or self.received.head[:32].hex())
        if not data:
            raise PhaseError(Failure.CLOSED, f"closed after {self.received.size} bytes")
        if self.received.size > HANDSHAKE_LIMIT or self.received.records > _MAX_RECORDS:
            raise PhaseError(Failure.FLOOD, self.received_so_far)
        self._incoming.write(data)

    @property
    def flooded(self) -> bool:
        """Whether far more came than a handshake takes, in the time it had."""
        return self.received.size > _LARGE or self.received.records > _MANY_RECORDS

    @property
    def received_so_far(self) -> str:
        """What came in the handshake, in words."""
        received = self.received
        return f"{received.size} bytes in {received.records} records came, and the handshake is not complete"

    async def _read_banner(self) -> None:
        """Read on for a moment: an answer in cleartext often says what sent it."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_BANNER_SECONDS):
                while len(self.received.head) < HEAD_LIMIT:
                    data = await self._stream.read(HEAD_LIMIT)
                    if not data:
                        return
                    self.received.feed(data)

    async def send_pending_alert(self, *, seconds: float) -> None:
        """Send the alert that OpenSSL queued when it failed, as far as the peer still reads."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(seconds):
                await self._flush_handshake()

    async def read(self, n: int) -> bytes:
        """Return up to `n` bytes; b"" at the end, with or without close_notify.

        Raises:
            TlsAlertError: the peer ended the session with an alert.
            TlsDataError: OpenSSL can't read the data.
            PhaseError: FLOOD; records without data come, and nothing else.
            OSError: reading or writing failed.
        """
        if self._returned:
            data, self._returned = self._returned[:n], self._returned[n:]
            return data
        fed = False
        while True:
            try:
                data = self._tls.read(n)
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLEOFError:
                self.close_notify = False
                return b""
            except ssl.SSLZeroReturnError:
                self.close_notify = True
                return b""
            except ssl.SSLError as error:
                raise _stream_error(error) from None
            else:
                if not data:  # how `ssl` reports close_notify, if it does not raise
                    self.close_notify = True
                self._read_size = READ_SIZE if len(data) >= _FIRST_READ else _FIRST_READ
                self.without_data = 0
                if not fed:  # what feeds has taken its turn
                    await self.turn.share()
                return data
            await self._feed()
            fed = True

    async def write(self, data: bytes) -> None:
        """Send all bytes.

        Raises:
            TlsDataError: OpenSSL can't write to the session.
            OSError: reading or writing failed.
        """
        while data:
            try:
                data = data[self._tls.write(data) :]
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLError as error:
                raise _stream_error(error) from None
        await self._flush()

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            await self._stream.write(data)

    async def _feed(self) -> None:
        data = await self._stream.read(self._read_size)
        self.without_data += len(data)
        if self.without_data > _LIMIT_WITHOUT_DATA:
            detail = f"{self.without_data} bytes came in records without data"
            raise PhaseError(Failure.FLOOD, detail)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def unread(self, data: bytes) -> None:
        """Push bytes back; the next read returns them first."""
        self._returned = data + self._returned

    @property
    def turn(self) -> LoopTurn:
        """The underlying connection's use of the event loop."""
        return self._stream.turn

    def info(self) -> TcpInfo | None:
        """Return TCP_INFO of the underlying connection."""
        return self._stream.info()

    def close(self) -> None:
        """Close the underlying connection."""
        self._stream.close()

    @property
    def server_name(self) -> str:
        """The host name requested, letters outside ASCII in IDNA."""
        return self._tls.server_hostname or ""

    @property
    def version(self) -> str | None:
        """The TLS version; from the ServerHello where the handshake failed after it."""
        return self._tls.version() or self.received.version

    @property
    def cipher(self) -> str | None:
        """The name of the cipher suite; None before one is chosen."""
        chosen = self._tls.cipher()
        return chosen[0] if chosen else None

    @property
    def alpn(self) -> str | None:
        """The protocol the server chose by ALPN; None where it chose none."""
        return self._tls.selected_alpn_protocol()

    @property
    def unverified(self) -> bool:
        """Whether any chain is accepted."""
        return self._tls.context.verify_mode is ssl.CERT_NONE

    def chain(self) -> tuple[bytes, ...]:
        """Return the DER certificates as sent, leaf first; also after a failed verification."""
        return _ders(self._tls, "get_unverified_chain")

    def built_chain(self) -> tuple[bytes, ...]:
        """Return the chain that OpenSSL built, leaf first: up to a trusted root, or as far as it came."""
        return _ders(self._tls, "get_verified_chain")


class _OldCertificate(Protocol):
    """CPython's private certificate object before 3.13."""

    def public_bytes(self, encoding: int) -> bytes: ...


def _ders(tls: ssl.SSLObject, call: str) -> tuple[bytes, ...]:
    """Return a chain as DER. The calls are public since Python 3.13, private since 3.10."""
    public = getattr(tls, call, None)
    if public is not None:
        return tuple(cast("list[bytes] | None", public()) or ())
    private: Any = getattr(tls, "_sslobj", None)
    found: list[_OldCertificate] = getattr(private, call)() or []
    return tuple(one.public_bytes(2) for one in found)  # 2: _ssl.ENCODING_DER


def is_flood(error: ssl.SSLError) -> bool:
    """Return whether OpenSSL gave up because of records that bring nothing forward."""
    return error.reason in _TOO_MANY


def _stream_error(error: ssl.SSLError) -> OSError | PhaseError:
    if is_flood(error):
        return PhaseError(Failure.FLOOD, openssl_reason(error))
    alert = alert_from_openssl(error)
    return TlsAlertError(alert) if alert else TlsDataError(openssl_reason(error))
