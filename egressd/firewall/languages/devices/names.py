"""Names of objects on a device: unique, short enough, and of characters that no device quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

_OTHER = re.compile(r"[^a-z0-9.]+")
_DIGEST = 6
"""Hexadecimal digits that keep shortened names apart."""


class Names:
    """Give each thing one name; the same thing gets the same name again."""

    def __init__(self, longest: int, *, prefix: str = "egressd-", reserved: Iterable[str] = ()) -> None:
        self._longest, self._prefix = longest, prefix
        self._given: dict[object, str] = {}
        self._taken = set(reserved)

    def name(self, thing: str) -> str:
        """Return the name of a thing that a text stands for."""
        if thing not in self._given:
            self._given[thing] = self._new(thing)
        return self._given[thing]

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

    def _new(self, thing: str) -> str:
        plain = self._prefix + slug(thing)
        digest = sha256(thing.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
        marked = f"{plain[: self._longest - len(digest) - 1].rstrip('.-')}-{digest}"
        found = plain if len(plain) <= self._longest and plain not in self._taken else marked
        self._taken.add(found)
        return found


def slug(text: str) -> str:
    """Return a text in lower case with letters, digits, dots and hyphens only; `*` is `any`."""
    return _OTHER.sub("-", text.lower().replace("*", "any-")).replace("-.", ".").strip(".-") or "x"
