"""What an HTTP answer says of a delivery: a 2xx status alone is believed of nobody.

Gateways answer 200 with a block page, and services answer 200 with the error of another service behind them.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

LONGEST_BODY = 65_536
"""Bytes of an answer that are looked at, before and after decompression."""
GIVEN_UP, NO_SUCH_PLACE, BUSY, NOT_THE_RECEIVER = 400, 404, 429, 503
"""The status that an answer in words stands for: it decides whether the delivery is tried again."""
OF_THE_MESSAGE = frozenset({400, 406, 409, 411, 412, 413, 414, 415, 416, 417, 422, 431})
"""Statuses by which a receiver refuses this very message: every try would end like this one. All others are
about the place, the login, the way or the moment, which people or time will mend."""
MOST_CODINGS = 4
"""Content codings that are undone: no honest server applies more."""

_HTML_TYPES = ("text/html", "application/xhtml+xml")
_PROBLEM = "application/problem+json"
_TAGS = (
    "!doctype html|html|head|body|title|meta|link|style|script|noscript|iframe|frameset|h[1-6]|p|div|span"
    "|table|form|center|font|pre|br|hr|b|a"
)
_BEFORE_TAGS = (("<!--", "-->"), ("<?", ">"))
"""What may stand before the first tag, by how it begins and ends."""
_SPACE = re.compile(r"\s*")
_TAG = re.compile(rf"<(?:{_TAGS})\b", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[a-z!/]", re.IGNORECASE)
_XML_ERROR = re.compile(r"\s*<(?:.*<)?(?:\w+:)?(?:\w*error\w*|fault)\b", re.IGNORECASE | re.DOTALL)
_PASSED_ON = re.compile(
    r"\b(?:HTTP(?:/[\d.]{1,8})?|status|error)(?: (?:error|status|code)){0,3}:? ?([45]\d\d)\b",
    re.IGNORECASE,
)
"""The status of a service behind the one that answered, as Teams writes it: `returned HTTP error 413`."""
_NO = re.compile(
    r"\b(?:err(?:or|ors)?|fail(?:s|ed|ure)?|invalid|reject(?:s|ed)?|denied|refused|forbidden|unauthorized"
    r"|blocked|nok|ko|not ok)\b",
    re.IGNORECASE,
)
_BEGINS_WITH_NO = re.compile(rf"\W*(?:access |request )?{_NO.pattern}", re.IGNORECASE)
_NO_ERROR = re.compile(r"\b(?:no|without|0) errors?\b", re.IGNORECASE)
_PASSING = re.compile(
    r"rate.?limit|too.?many|thrott|time.?out|timed|temporar|unavailable|overload|busy|again|internal",
    re.IGNORECASE,
)
"""Words of an error that may be over at the next attempt."""
_OF_THE_PLACE = re.compile(
    r"not.?found|no.?such|unknown.?(?:channel|user|room|hook|team)|not.?enabled|disabled|not.?active|inactive|archived|expired|revoked"
    r"|unauthori[sz]ed|forbidden|denied|blocked|login|credential|password|invalid.?token|signature|api.?key",
    re.IGNORECASE,
)
"""Words of an error of the place or the login, which somebody will mend: the next message would fail too."""
_YES_KEYS = ("ok", "success", "succeeded", "accepted")
_STATE_KEYS = ("status", "result", "state", "outcome")
_ERROR_KEYS = ("error", "errors")
_ERROR_CODE_KEYS = ("errcode", "errorcode")
_STATUS_KEYS = ("code", "statuscode", "httpcode", "httpstatus", *_ERROR_CODE_KEYS, *_STATE_KEYS)


class HttpAnswer(Struct, frozen=True, kw_only=True):
    """An answer with a 2xx status: its media type, and the beginning of its body without content coding."""

    status: int
    media_type: str
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, without the space around it."""
        encoding = json.detect_encoding(self.body)
        return self.body.decode(encoding, "replace").strip("\ufeff\0 \t\r\n")

    @property
    def document(self) -> object:
        """The body as JSON; None: it is none, or too long."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    @property
    def is_page(self) -> bool:
        """Whether it is a web page; the media type alone is not enough, many servers call everything HTML."""
        named = self.media_type in _HTML_TYPES
        text = self.text
        return bool(_TAG.match(text, _first_tag(text))) or (
            named and bool(_ANY_TAG.search(text) or "\ufffd" in text)
        )

    @property
    def agrees(self) -> bool:
        """Whether it is JSON that says yes in so many words."""
        document = self.document
        if isinstance(document, str):
            return document.lower() in ("ok", "success")
        named = _flat(document) if isinstance(document, dict) else {}
        return any(named.get(key) is True for key in _YES_KEYS) or any(
            str(named.get(key)).lower() in ("ok", "success", "accepted") for key in _STATE_KEYS
        )


class Success(Struct, frozen=True, kw_only=True):
    """What a 2xx answer must say so that a receiver is believed to have the message."""

    words: str = ""
    """For people: what it should have said."""
    holds: Callable[[HttpAnswer], bool] = lambda _: True
    """Asked of answers that are no page and report no error."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Whole answers, in lower case, that mean an error, with the status each stands for."""


ANY_ANSWER = Success()
"""Any 2xx answer that is no page and reports no error."""


class Rejection(Struct, frozen=True, kw_only=True):
    """Why a 2xx answer is no success, and the status it stands for."""

    status: int
    why: str


def rejection_of(answer: HttpAnswer, success: Success) -> Rejection | None:
    """Return why a 2xx answer is no success of a receiver; None: it is one."""
    if answer.is_page:
        return Rejection(
            status=NOT_THE_RECEIVER, why="with a web page, as a block page, a portal or a login does"
        )
    text = answer.text
    if (status := success.errors.get(text.lower())) is not None:
        return Rejection(status=status, why="but reports an error")
    if (status := _error_status(answer, text)) is not None:
        return Rejection(status=status, why="but reports an error")
    if not success.holds(answer):
        return Rejection(status=NOT_THE_RECEIVER, why=f"but did not say {success.words}")
    return None


def _first_tag(text: str) -> int:
    """Return where the first tag may begin: after space, comments and declarations.

    A loop, because a pattern that could take one comment for several would try every way to do so.
    """
    position = 0
    while True:
        position = _end_of_space(text, position)
        closing = next((end for begin, end in _BEFORE_TAGS if text.startswith(begin, position)), None)
        found = text.find(closing, position) if closing else -1
        if closing is None or found < 0:
            return position
        position = found + len(closing)


def _end_of_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def decompressed(body: bytes, coding: str) -> bytes:
    """Return a body without the content codings of a server that was asked for none; unknown ones stay."""
    for one in reversed([part.strip().lower() for part in coding.split(",")[:MOST_CODINGS]]):
        if one in ("gzip", "x-gzip", "deflate"):
            body = _inflated(body)
    return body


def _inflated(body: bytes) -> bytes:
    for bits in (47, -15):  # with a header of gzip or zlib, and without one, as some send "deflate"
        try:
            return zlib.decompressobj(bits).decompress(body, LONGEST_BODY)
        except zlib.error:
            continue
    return body


def _error_status(answer: HttpAnswer, text: str) -> int | None:
    """Return the status of the error that a body reports; None: it reports none."""
    document = answer.document
    found = [one for part in _objects(document) if (one := _status_of(part)) is not None]
    if found:
        return max(found)
    if document is False or answer.media_type == _PROBLEM:
        return GIVEN_UP
    if isinstance(document, dict | list):
        return None
    if passed_on := _PASSED_ON.search(text):
        return int(passed_on[1])
    return _in_words(text) if _XML_ERROR.match(text) or _BEGINS_WITH_NO.match(text) else None


def _objects(document: object) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON answer that may speak for the whole: those outside, and of a list each."""
    for one in document if isinstance(document, list) else (document,):
        if isinstance(one, dict):
            named = _flat(one)
            yield named
            yield from (_flat(part) for key in _STATE_KEYS if isinstance(part := named.get(key), dict))


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """Return an object by its keys without case, `_` and `-`."""
    return {key.lower().replace("_", "").replace("-", ""): value for key, value in document.items()}


def _status_of(named: dict[str, Any]) -> int | None:
    """Return the status that an object reports, 400 or more; None: it reports no error."""
    codes = (_number(named.get(key)) for key in _STATUS_KEYS)
    if known := [code for code in codes if code is not None and 400 <= code <= 599]:
        return max(known)
    return _in_words(json.dumps(named)) if _says_no(named) else None


def _says_no(named: dict[str, Any]) -> bool:
    return (
        any(_is_false(named[key]) for key in _YES_KEYS if key in named)
        or any(named.get(key) is False for key in _STATE_KEYS)
        or any(_is_error(named.get(key)) for key in _ERROR_KEYS)
        or any(_number(named.get(key)) not in (None, 0) for key in _ERROR_CODE_KEYS)
        or any(_is_no(named.get(key)) for key in _STATE_KEYS)
    )


def _is_false(value: object) -> bool:
    return value is False or value == 0 or (isinstance(value, str) and value.lower() in ("false", "no", "0"))


def _is_error(value: object) -> bool:
    """Whether what stands under `error` is one: many write an empty one, or `none`."""
    words = value.strip().lower() if isinstance(value, str) else value
    return bool(words) and words not in ("0", "none", "null", "ok", "false", "success")


def _is_no(value: object) -> bool:
    return isinstance(value, str) and bool(_NO.search(_NO_ERROR.sub("", value)))


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _in_words(text: str) -> int:
    """Return the status that an error in words stands for: over soon, of the place, or of the message."""
    if _PASSING.search(text):
        return BUSY
    return NO_SUCH_PLACE if _OF_THE_PLACE.search(text) else GIVEN_UP
