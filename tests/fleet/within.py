"""Calls in another network namespace: a thread enters it, asks, and ends."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.net.topology import Host

CLONE_NEWNET = 0x40000000
"""`man 2 setns`"""
Answer = TypeVar("Answer")


def within(host: Host, call: Callable[[], Answer]) -> Answer:
    """Return what a call returns, or raises, whose sockets are in the namespace of a host."""
    found: list[Answer] = []
    failed: list[Exception] = []

    def enter() -> None:
        try:
            with Path("/run/netns", host.name).open("rb") as name:
                if ctypes.CDLL(None, use_errno=True).setns(name.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            found.append(call())
        except (OSError, AssertionError) as error:
            failed.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
