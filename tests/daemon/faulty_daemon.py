"""The daemon's program, in which some functions fail: `FAULTS` in the environment says which, and how often.

`FAULTS="egressd.daemon.recheck:to_recheck=3 ..."`: the first three calls of that function fail.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from egressd.__main__ import load_daemon, main


def make_faulty(name: str, times: int) -> None:
    """Let the first calls of a function fail."""
    module, _, path = name.partition(":")
    owner: Any = importlib.import_module(module)
    *classes, attribute = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    setattr(owner, attribute, faulty(getattr(owner, attribute), times))


def faulty(function: Callable[..., Any], times: int) -> Callable[..., Any]:
    """Return a function whose first calls fail."""
    left = times

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        if left > 0:
            left -= 1
            raise MemoryError(f"injected into {function.__qualname__}")
        return function(*args, **kwargs)

    return call


if __name__ == "__main__":
    load_daemon()  # all that is made faulty
    for fault in os.environ["FAULTS"].split():
        where, _, count = fault.partition("=")
        make_faulty(where, int(count))
    main()
