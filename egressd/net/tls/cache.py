"""A cache of what peers sent, bounded by size: a peer may send something new on every connection."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
_SHARE = 64
"""The least number of values that fit."""


class SizedCache(Generic[Key, Value]):
    """A cache that drops what was not used for longest once its values exceed a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._held: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return the value of a key; None where it has none."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Key, value: Value, *, size: int = 1) -> None:
        """Keep a value of this size, unless it alone would push out much else."""
        with self._lock:
            if size > self._limit // _SHARE or key in self._held:
                return
            self._held[key] = value, size
            self._size += size
            while self._size > self._limit:
                _, (_, freed) = self._held.popitem(last=False)
                self._size -= freed

    def __len__(self) -> int:
        return len(self._held)
