"""One HTTP request to a daemon, without proxies and redirects, within one time limit for all of it."""

from __future__ import annotations

import base64
import http.client
import ssl
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from egressd.errors import UnreadableFileError, UsageError
from egressd.inputfile import read_file
from egressd.net.scrub import scrub, scrub_bytes

TIMEOUT = 4.0
"""Seconds for everything, name and handshake included; less than the 10 s of the image's HEALTHCHECK."""
LONGEST_ANSWER = 1000
LONGEST_QUOTE = 200
LARGEST_BUNDLE = 16 << 20
CERTIFICATE = "-----BEGIN CERTIFICATE-----"


class DaemonResponseError(Exception):
    """The daemon did not answer with 200. The message, one printable line, says what it answered."""


class _Request(Struct, frozen=True, kw_only=True):
    """What is asked, and of whom."""

    url: SplitResult
    roots: ssl.SSLContext
    headers: dict[str, str]


def load_roots(file: Path | None) -> ssl.SSLContext:
    """Load the roots of the daemon's certificate; None for those of the system. Raises UsageError."""
    if file is None:
        return ssl.create_default_context()
    try:
        # Comments may be in any encoding; the certificates themselves are ASCII.
        pem = read_file(file, limit=LARGEST_BUNDLE).decode("ascii", "ignore")
        if CERTIFICATE in pem:  # without one, Python would take the system's roots
            return ssl.create_default_context(cadata=pem)
    except UnreadableFileError as error:
        raise UsageError(f"--ca.file: {error}") from None
    except ssl.SSLError:
        pass
    raise UsageError(f"--ca.file: there is no certificate in {file}")


def fetch_page(url: str, *, roots: ssl.SSLContext, login: tuple[str, str] | None = None) -> str:
    """Return the start of the body of a response 200. Raises DaemonResponseError."""
    headers = {"Connection": "close", "Accept-Encoding": "identity"}
    if login is not None:
        word = base64.b64encode(":".join(login).encode()).decode("ascii")
        headers["Authorization"] = f"Basic {word}"
    request = _Request(url=urlsplit(url), roots=roots, headers=headers)
    shown = scrub(url, LONGEST_QUOTE)
    status, body = _within_time(request, shown)
    if status == http.HTTPStatus.OK:
        return body.decode("utf-8", "replace")
    said = scrub_bytes(body, LONGEST_QUOTE).removeprefix(f"{status}: ")
    raise DaemonResponseError(f"{shown} answers {status}: {said}")


def _within_time(request: _Request, shown: str) -> tuple[int, bytes]:
    """Ask in a thread: no timeout of a socket ends a slow resolver, or a peer that sends a byte a second."""
    answers: SimpleQueue[tuple[int, bytes] | Exception] = SimpleQueue()

    def run() -> None:
        try:
            answers.put(_ask(request))
        except (OSError, ValueError, http.client.HTTPException) as error:
            answers.put(error)

    Thread(target=run, daemon=True).start()
    try:
        answer = answers.get(timeout=TIMEOUT)
    except Empty:
        raise DaemonResponseError(f"{shown} gave no complete answer in {TIMEOUT:.0f} s") from None
    if isinstance(answer, Exception):
        words = getattr(answer, "strerror", None) or str(answer) or type(answer).__name__
        raise DaemonResponseError(f"{shown} does not answer: {scrub(words, LONGEST_QUOTE)}")
    return answer


def _ask(request: _Request) -> tuple[int, bytes]:
    """Return status and the start of the body."""
    url = request.url
    host, port = url.hostname or "", url.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=request.roots)
        if url.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    )
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("GET", target, headers=request.headers)
        response = connection.getresponse()
        return response.status, response.read(LONGEST_ANSWER)
    finally:
        connection.close()
