"""Names of objects on a device: unique, short enough, and of characters that no device quotes."""

from __future__ import annotations

import re
from hashlib import sha256

_OTHER = re.compile(r"[^a-z0-9.]+")
_DIGEST = 6
"""Hexadecimal digits that keep names apart which look alike."""


class Names:
    """Give each thing one name; the same thing gets the same name again."""

    def __init__(self, longest: int, *, prefix: str = "egressd-") -> None:
        self._longest, self._prefix = longest, prefix
        self._given: dict[object, str] = {}
        self._taken: set[str] = set()

    def name(self, thing: str) -> str:
        """Return the name of a thing that a text stands for: the same in every document.

        Where it is not the text as it stands, it has a digest of it, so that no other text has that name.
        """
        if thing not in self._given:
            plain = self._prefix + slug(thing)
            seen = slug(thing) == thing and len(plain) <= self._longest
            self._given[thing] = plain if seen else self.marked(thing, thing)
        return self._given[thing]

    def marked(self, words: str, content: object) -> str:
        """Return words with a digest of what is named: another content has another name in every document."""
        digest = sha256(repr(content).encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
        plain = (self._prefix + slug(words))[: self._longest - len(digest) - 1]
        return f"{plain.rstrip('.-')}-{digest}"

    def numbered(self, words: str, thing: object) -> str:
        """Return the name of a thing that is told by words; others with the same words get a number."""
        if thing not in self._given:
            plain = (self._prefix + slug(words))[: self._longest]
            found, number = plain, 1
            while found in self._taken:
                number += 1
                found = f"{plain[: self._longest - len(str(number)) - 1]}-{number}"
            self._taken.add(found)
            self._given[thing] = found
        return self._given[thing]


def slug(text: str) -> str:
    """Return a text in lower case with letters, digits, dots and hyphens only; `*` is `any`."""
    return _OTHER.sub("-", text.lower().replace("*", "any-")).replace("-.", ".").strip(".-") or "x"
