"""Basic authentication against bcrypt hashes, off the event loop; its time tells nothing of the users."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import Counter, OrderedDict

import bcrypt

_BCRYPT_READS = 72
"""bcrypt uses no more bytes of a password."""
_MOST_REMEMBERED = 256
_MOST_WAITING = 16
_MOST_OF_ONE = 4
"""Checks that wait for one address: one that guesses passwords does not keep the others out."""


class TooBusyError(Exception):
    """Too many passwords wait to be checked, which is expensive."""


class Login:
    """The users of a web configuration. Correct logins are cached by a keyed digest."""

    def __init__(self, users: tuple[tuple[str, str], ...]) -> None:
        self._users = dict(users)
        self._dummies = {cost_of(known): _make_dummy_hash(known) for known in self._users.values()}
        self._key = secrets.token_bytes(32)
        self._correct: OrderedDict[bytes, None] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether no login is needed."""
        return not self._users

    async def admits(self, header: str, address: str) -> bool:
        """Check the `Authorization` header of a client.

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
        if not await self._check(password, known, address):
            return False
        self._remember(digest)
        return True

    def _digest(self, user: str, password: bytes, known: str) -> bytes:
        parts = (user.encode(), known.encode(), password)
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, message, hashlib.sha256)

    async def _check(self, password: bytes, known: str | None, address: str) -> bool:
        """Compare in a thread, one at a time: a flood of guesses must not occupy all processors."""
        if self._waiting.total() >= _MOST_WAITING or self._waiting[address] >= _MOST_OF_ONE:
            raise TooBusyError
        self._waiting[address] += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._matches, password, known)
        finally:
            self._waiting[address] -= 1
            self._waiting += Counter()  # forgets addresses without a check

    def _matches(self, password: bytes, known: str | None) -> bool:
        """Compare with a user's hash and a dummy of each other cost: every login takes the same time."""
        own = None if known is None else cost_of(known)
        for cost, dummy in self._dummies.items():
            if cost != own:
                _is_password(password, dummy)
        return known is not None and _is_password(password, known)

    def _remember(self, digest: bytes) -> None:
        self._correct[digest] = None
        if len(self._correct) > _MOST_REMEMBERED:
            self._correct.popitem(last=False)


def _is_password(password: bytes, known: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_READS], known.encode())
    except ValueError:
        return False


def cost_of(known: str) -> str:
    """Return the cost of a bcrypt hash, two digits."""
    return known[4:6]


def _make_dummy_hash(like: str) -> str:
    """Return a hash without a password, as expensive to check as another one."""
    return f"$2b${cost_of(like)}${'.' * 21}O{'.' * 31}"


def _credentials(header: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4096:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
