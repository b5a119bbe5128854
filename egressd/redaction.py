r"""Secrets are hidden in every spelling that peers and libraries give them.

A text is searched as it stands and with its escapes undone, for secrets and what base64 and hex make of them:
`p%40ss`, `p\u0040ss`, `p&#64;ss`, `p=40ss`, `dTpwQHNz` and `70:40:73:73` all hold `p@ss`.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

REDACTED = "***"
SHORTEST = 4
"""A shorter secret occurs in ordinary text: replacing it there would reveal it."""
_ANY_CASE = 8
"""From this length on, a secret in another case is found too: nothing else is written like that."""
_CUT_INSIDE = 8
"""Characters of the start of a secret that give it away before a quote or an ellipsis, inside a text."""
_DEPTH = 2
"""How many kinds of escapes may lie over each other."""
_CUT_ENCODED = 6
"""The same for base64 and hex, which no word looks like."""
_ENDS = ("...", "\u2026", "'", '"', "`")
"""What stands where a text was cut off."""
_SHORTEST_ENCODED = 5
"""Characters of base64 that no word has by chance."""
_TORN = re.compile(r"%[0-9A-Fa-f]?|=[0-9A-Fa-f]?|\\(?:x[0-9A-Fa-f]?|u[0-9A-Fa-f]{0,3})?|&#?[0-9A-Za-z]{0,9}|")
"""An escape that was cut off."""

Span = tuple[int, int]


class _Unescaped(Struct, frozen=True):
    """A text with its escapes undone, and where each of its characters stood."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, found: Span) -> Span:
        return self.starts[found[0]], self.ends[found[1] - 1]


def _percent(match: re.Match[str]) -> str:
    return _decoded(bytes.fromhex(match[0].replace("%", "")))


def _hex_escape(match: re.Match[str]) -> str:
    return _decoded(bytes.fromhex(match[0].replace("\\x", "")))


def _unicode_escape(match: re.Match[str]) -> str:
    units = bytes.fromhex(match[0].replace("\\u", ""))
    return units.decode("utf-16-be", "replace")


def _long_escape(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if number < 0x110000 else "?"


def _equals(match: re.Match[str]) -> str:
    return _decoded(bytes.fromhex(match[0].replace("=", "")))


def _decoded(data: bytes) -> str:
    """Read bytes as UTF-8; what is not, was written by a program that knows Latin-1 alone."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


_Escapes = tuple[tuple[str, Callable[[re.Match[str]], str]], ...]
_PERCENT: _Escapes = ((r"(?:%[0-9A-Fa-f]{2})+", _percent),)
_PLUS: _Escapes = ((r"\+", lambda _match: " "),)
_BACKSLASH: _Escapes = (
    (r"(?:\\x[0-9A-Fa-f]{2})+", _hex_escape),
    (r"(?:\\u[0-9A-Fa-f]{4})+", _unicode_escape),
    (r"\\U([0-9A-Fa-f]{8})", _long_escape),
    (r"""\\(["'\\/ ])""", lambda match: match[0][1:]),
)
_ENTITY: _Escapes = ((r"&#?[0-9A-Za-z]{1,10};", lambda match: html.unescape(match[0])),)
_QUOTED_PRINTABLE: _Escapes = (
    (r"=\r?\n", lambda _match: ""),
    (r"(?:=[0-9A-Fa-f]{2})+", _equals),
)
_READINGS = (
    _PERCENT,
    (*_PERCENT, *_PLUS),
    _BACKSLASH,
    _ENTITY,
    _QUOTED_PRINTABLE,
    (*_PERCENT, *_BACKSLASH, *_ENTITY),
)
"""What may be the escapes of one text: what is one in some is an ordinary character in others."""
_PATTERNS = tuple(re.compile("|".join(f"(?:{one})" for one, _ in reading)) for reading in _READINGS)
_SINGLE = tuple(tuple((re.compile(one), undo) for one, undo in reading) for reading in _READINGS)


class _Needle(Struct, frozen=True, kw_only=True):
    """One spelling of a secret."""

    text: str
    any_case: bool
    """Whether it is found in upper and in lower case; the text is in lower case then."""
    least: int | None
    """Characters of its start that give it away at the end of a text that was cut off; None: all of them."""


class Redactor:
    """Hides some secrets in texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {one for one in secrets if len(one) >= SHORTEST}
        spelled = {needle for one in found for needle in _spellings(one)}
        self._needles = tuple(sorted(spelled, key=lambda one: (-len(one.text), one.text)))

    def clean(self, text: str) -> str:
        """Return a text with `***` for every secret in it."""
        if not self._needles or len(text) < SHORTEST:
            return text
        for start, end in reversed(_merged(self._found(text, _DEPTH))):
            text = f"{text[:start]}{REDACTED}{text[end:]}"
        return text

    def _found(self, text: str, depth: int) -> Iterator[Span]:
        """Yield where secrets stand in a text."""
        yield from self._plain(text)
        for reading in range(len(_READINGS) if depth else 0):
            plain = _unescape(text, reading)
            if plain is not None:
                yield from (plain.span(one) for one in self._found(plain.text, depth - 1))

    def _plain(self, text: str) -> Iterator[Span]:
        # The second alphabet of base64 (RFC 4648 section 5) read as the first.
        exact, lowered = text.replace("-", "+").replace("_", "/"), text.lower()
        alike = len(lowered) == len(text)  # a few letters get longer in lower case
        for one in self._needles:
            where = (text, exact) if not one.any_case else (lowered,) if alike else ()
            for place in where:
                yield from _places(place, one)


def _places(text: str, needle: _Needle) -> Iterator[Span]:
    """Yield where a spelling stands: whole, or cut off at the end, before a quote or an ellipsis."""
    start = needle.text if needle.least is None else needle.text[: needle.least]
    at = text.find(start)
    while at >= 0:
        length = _common_length(text, at, needle.text)
        end = at + length
        cut = _TORN.fullmatch(text, end) or (length >= _CUT_INSIDE and text.startswith(_ENDS, end))
        if length == len(needle.text) or cut:
            yield at, end
        at = text.find(start, at + 1)


def _common_length(text: str, at: int, word: str) -> int:
    if text.startswith(word, at):
        return len(word)
    return next(
        (n for n, (one, other) in enumerate(zip(text[at:], word, strict=False)) if one != other),
        len(text) - at,
    )


def _spellings(secret: str) -> Iterator[_Needle]:
    """Yield a secret, and what base64 and hex make of it wherever it begins in what they encode."""
    least = None if "://" in secret else SHORTEST  # the start of a URL is no secret
    yield _Needle(text=secret, any_case=False, least=least)
    lowered, data = secret.lower(), secret.encode("utf-8", "surrogatepass")
    if len(secret) >= _ANY_CASE and len(lowered) == len(secret):
        yield _Needle(text=lowered, any_case=True, least=None)
    cut = None if least is None else _CUT_ENCODED
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        # Characters that also hold bits of what stands before and behind are left out.
        part = encoded[(0, 2, 3)[before] : (before + len(data)) * 8 // 6]
        if len(part) >= _SHORTEST_ENCODED:
            yield _Needle(text=part, any_case=False, least=cut)
    for separator in ("", ":", " ", "-"):
        digits = data.hex(separator) if separator else data.hex()
        yield _Needle(text=digits, any_case=True, least=cut)


def _unescape(text: str, reading: int) -> _Unescaped | None:
    """Return a text with escapes undone; None where it has none of them."""
    plain, starts, ends, done = list[str](), list[int](), list[int](), 0
    for match in _PATTERNS[reading].finditer(text):
        characters = _undone(match[0], reading)
        plain += (text[done : match.start()], characters)
        starts += (*range(done, match.start()), *[match.start()] * len(characters))
        ends += (*range(done + 1, match.start() + 1), *[match.end()] * len(characters))
        done = match.end()
    if not plain:
        return None
    plain.append(text[done:])
    starts += range(done, len(text))
    ends += range(done + 1, len(text) + 1)
    return _Unescaped("".join(plain), tuple(starts), tuple(ends))


def _undone(escape: str, reading: int) -> str:
    for pattern, undo in _SINGLE[reading]:
        if match := pattern.fullmatch(escape):
            return undo(match)
    return escape


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that overlap or touch as one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
