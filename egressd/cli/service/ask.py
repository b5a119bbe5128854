"""One question to a daemon by HTTP: neither a proxy of the environment nor a redirect is followed."""

from __future__ import annotations

import base64
import http.client
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

PATIENCE = 4.0
"""Seconds to wait for an answer; whoever asks for it waits a little longer."""
LONGEST_ANSWER = 1000


class NoGoodAnswerError(Exception):
    """The daemon did not say yes. The message says what it said instead."""


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        """Take a redirect for the answer, and so for a failure."""


def ask(url: str, *, login: tuple[str, str] | None = None) -> str:
    """Return what a page says that answers with 2xx. Raises NoGoodAnswerError."""
    request = Request(url)  # noqa: S310 - the caller takes nothing but http and https
    if login is not None:
        word = base64.b64encode(":".join(login).encode()).decode("ascii")
        request.add_header("Authorization", f"Basic {word}")
    try:
        with build_opener(ProxyHandler({}), _NoRedirect).open(request, timeout=PATIENCE) as answer:
            return _text(answer)
    except HTTPError as refusal:
        with refusal:
            raise NoGoodAnswerError(f"{url} answers {refusal.code}: {_text(refusal).strip()}") from None
    except (OSError, http.client.HTTPException) as error:
        why = error.reason if isinstance(error, URLError) else error
        raise NoGoodAnswerError(f"{url} does not answer: {why or type(error).__name__}") from None


def _text(answer: Any) -> str:
    data: bytes = answer.read(LONGEST_ANSWER)
    return data.decode("utf-8", errors="replace")
