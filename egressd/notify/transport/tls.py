"""Which certificates a receiver's server may show: signed by its own `ca_file`, or by the system's roots."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from egressd.errors import UnreadableFileError
from egressd.inputfile import read_file


async def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a TLS context. Read anew each time: a file that was replaced counts at once.

    Raises:
        OSError: the file can't be read.
        ssl.SSLError: there is no certificate in it.
    """
    return await asyncio.to_thread(_make, ca_file)


def _make(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is not None:
        try:
            read_file(Path(ca_file), limit=0)  # OpenSSL would wait for the writer of a pipe, and never end
        except UnreadableFileError as error:
            raise OSError(0, str(error).removeprefix(f"cannot read {ca_file}: ")) from None
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # On by default from Python 3.13: a CA of one's own often lacks the extensions this asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def ca_file_error(ca_file: str | None, error: OSError) -> str:
    """Return that the CA file can't be used: it may be being replaced just now."""
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return f"cannot use ca_file {ca_file}: {reason or 'no certificate in it'}"
