"""The daemon's program on a wall clock that is set: the file `CLOCK` says by how many seconds it is off.

Only `egressd.clock.now` is another one, which all other modules read. The monotonic clock is the machine's:
no program can set that.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from egressd import clock
from egressd.__main__ import main

CLOCK = Path(os.environ["CLOCK"])
_now = clock.now


def stepped_now() -> datetime:
    """Return the time of this machine, with the step that the file asks for."""
    try:
        return _now() + timedelta(seconds=float(CLOCK.read_text(encoding="ascii") or 0))
    except (OSError, ValueError):
        return _now()


if __name__ == "__main__":
    clock.now = stepped_now
    main()
