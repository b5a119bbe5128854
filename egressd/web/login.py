"""Basic authentication against bcrypt hashes, without stopping the loop or telling users apart."""

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
"""bcrypt never looked at more bytes than this of a password."""
_MOST_REMEMBERED = 256
_MOST_WAITING = 16


class TooBusyError(Exception):
    """Too many passwords wait to be checked: each costs the processor dearly."""


class Login:
    """The users of a web configuration. Right answers are remembered by a keyed digest."""

    def __init__(self, users: tuple[tuple[str, str], ...]) -> None:
        self._users = dict(users)
        self._nobody = _hash_of_nobody(next(iter(self._users.values()), ""))
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def is_open(self) -> bool:
        """Whether no one needs to log in."""
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
        if known is not None and digest in self._right:
            self._right.move_to_end(digest)
            return True
        if not await self._check(password, known or self._nobody) or known is None:
            return False
        self._remember(digest)
        return True

    def _digest(self, user: str, password: bytes, known: str) -> bytes:
        parts = (user.encode(), known.encode(), password)
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, message, hashlib.sha256)

    async def _check(self, password: bytes, known: str) -> bool:
        """Compare in a thread, one at a time: a flood of guesses must not take every processor."""
        if self._waiting >= _MOST_WAITING:
            raise TooBusyError
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(_matches, password, known)
        finally:
            self._waiting -= 1

    def _remember(self, digest: bytes) -> None:
        self._right[digest] = None
        if len(self._right) > _MOST_REMEMBERED:
            self._right.popitem(last=False)


def _matches(password: bytes, known: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_READS], known.encode())
    except ValueError:
        return False


def _hash_of_nobody(like: str) -> str:
    """Return a hash no password has, as dear to check as a real one: users can't be told by the time."""
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
