"""Waiting for what other programs do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

TIMEOUT = 180.0
"""Seconds until a wait fails: only what hangs takes so long."""


def until(true: Callable[[], Any], what: str) -> Any:
    """Wait until `true` returns something true, and return it; an answer that can't be had is waited for."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        try:
            if found := true():
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")
