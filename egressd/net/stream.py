"""The byte stream that the phases after TCP use, and its errors."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from egressd.model.observation import TcpInfo, TlsAlert
from egressd.net.sockets.turns import LoopTurn


class ByteStream(Protocol):
    """A connection. Streams nest (TLS in a tunnel in TLS); closing the innermost closes all."""

    @property
    def turn(self) -> LoopTurn:
        """The connection's use of the event loop; who parses what it sent shares it between two steps."""
        ...

    async def read(self, n: int) -> bytes:
        """Return up to `n` bytes; b"" at the end. Raises OSError, and PhaseError for a flood in TLS."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all bytes. Raises OSError."""
        ...

    def info(self) -> TcpInfo | None:
        """Return TCP_INFO of the underlying connection; None once it is closed."""
        ...

    def close(self) -> None:
        """Close the connection at once; closing again does nothing."""
        ...


@runtime_checkable
class SupportsUnread(Protocol):
    """A stream that takes back bytes read beyond the end of a message."""

    def unread(self, data: bytes) -> None:
        """Push bytes back; the next read returns them first."""
        ...


class TlsAlertError(ConnectionError):
    """The peer ended a TLS session with an alert (RFC 8446 section 6)."""

    def __init__(self, alert: TlsAlert) -> None:
        super().__init__(f"TLS alert {alert.description}")
        self.alert = alert


class TlsDataError(ConnectionError):
    """OpenSSL can't read or write the data of a TLS session."""
