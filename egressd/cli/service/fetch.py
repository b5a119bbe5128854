"""One HTTP request to a daemon, without the proxies of the environment and without redirects."""

from __future__ import annotations

import base64
import http.client
import ssl
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from egressd.errors import UsageError

TIMEOUT = 4.0
"""Seconds to wait for a response; less than the 10 s of the image's HEALTHCHECK."""
LONGEST_ANSWER = 1000


class DaemonResponseError(Exception):
    """The daemon did not answer with 2xx. The message says what it answered."""


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        """Return None, so that a redirect is an error."""


def load_roots(file: Path | None) -> ssl.SSLContext:
    """Load the roots of the daemon's certificate; None for those of the system. Raises UsageError."""
    try:
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise UsageError(f"--ca.file: there is no certificate in {file}") from None
    except OSError as error:
        raise UsageError(f"--ca.file: cannot read {file}: {error.strerror}") from None


def fetch_page(url: str, *, roots: ssl.SSLContext, login: tuple[str, str] | None = None) -> str:
    """Return the body of a 2xx response. Raises DaemonResponseError."""
    request = Request(url)  # noqa: S310 - the caller accepts only http and https
    if login is not None:
        word = base64.b64encode(":".join(login).encode()).decode("ascii")
        request.add_header("Authorization", f"Basic {word}")
    try:
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=roots), _NoRedirect)
        with opener.open(request, timeout=TIMEOUT) as answer:
            return _text(answer)
    except HTTPError as refusal:
        with refusal:
            said = _text(refusal).strip().removeprefix(f"{refusal.code}: ")
            raise DaemonResponseError(f"{url} answers {refusal.code}: {said}") from None
    except (OSError, http.client.HTTPException) as error:
        why = error.reason if isinstance(error, URLError) else error
        words = getattr(why, "strerror", None) or str(why) or type(error).__name__
        raise DaemonResponseError(f"{url} does not answer: {words}") from None


def _text(answer: Any) -> str:
    data: bytes = answer.read(LONGEST_ANSWER)
    return data.decode("utf-8", errors="replace")
