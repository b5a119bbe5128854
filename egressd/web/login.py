"""Basic authentication against bcrypt hashes, off the event loop, as slow for unknown users as for others."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict

import bcrypt

_BCRYPT_READS = 72
"""bcrypt uses no more bytes of a password."""
_MOST_REMEMBERED = 256
_MOST_WAITING = 16


class TooBusyError(Exception):
    """Too many passwords wait to be checked, which is expensive."""


class Login:
    """The users of a web configuration. Correct logins are cached by a keyed digest."""

    def __init__(self, users: tuple[tuple[str, str], ...]) -> None:
        self._users = dict(users)
        self._dummy_hash = _make_dummy_hash(next(iter(self._users.values()), ""))
        self._key = secrets.token_bytes(32)
        self._correct: OrderedDict[bytes, None] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def is_open(self) -> bool:
        """Whether no login is needed."""
        return not self._users

    async def admits(self, header: str) -> bool:
        """Check an `Authorization` header.

        Raises:
            TooBusyError: too many checks are waiting already.
        """
        found = _credentials(header)
        if found is None:
            return False
        user, password = found
        known = self._users.get(user)
        digest = self._digest(user, password, known or "")
        if known is not None and digest in self._correct:
            self._correct.move_to_end(digest)
            return True
        if not await self._check(password, known or self._dummy_hash) or known is None:
            return False
        self._remember(digest)
        return True

    def _digest(self, user: str, password: bytes, known: str) -> bytes:
        parts = (user.encode(), known.encode(), password)
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, message, hashlib.sha256)

    async def _check(self, password: bytes, known: str) -> bool:
        """Compare in a thread, one at a time: a flood of guesses must not occupy all processors."""
        if self._waiting >= _MOST_WAITING:
            raise TooBusyError
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(_matches, password, known)
        finally:
            self._waiting -= 1

    def _remember(self, digest: bytes) -> None:
        self._correct[digest] = None
        if len(self._correct) > _MOST_REMEMBERED:
            self._correct.popitem(last=False)


def _matches(password: bytes, known: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_READS], known.encode())
    except ValueError:
        return False


def _make_dummy_hash(like: str) -> str:
    """Return a hash without a password, as expensive to check as a real one, against user enumeration."""
    cost = like[4:6] or "10"
    return f"$2b${cost}${'.' * 21}O{'.' * 31}"


def _credentials(header: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4096:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
