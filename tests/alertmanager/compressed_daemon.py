"""The daemon with its times divided by a number, for an hour that must not take one.

    python compressed_daemon.py DIVISOR ARGUMENTS-OF-EGRESSD...

What it is divided by changes how long it waits, never what it decides.
"""

from __future__ import annotations

import importlib
import sys
from types import MappingProxyType

from egressd.__main__ import main
from egressd.alerting import lifecycle

SCALED = {
    "egressd.engine.schedule": ("SETTLE", "GAP", "MAX_DELAY", "FIRST_WINDOW"),
    "egressd.daemon.recheck": ("SETTLE", "GAP"),
    "egressd.daemon.state_store": ("EVALUATE_EVERY",),
    "egressd.notify.alertmanager.worker": ("RESEND", "KEPT", "KEPT_MOST"),
    "egressd.notify.alertmanager.payload": ("HOLD",),
    "egressd.notify.supervisor": ("RESEND",),
}
"""Times in seconds, or as time deltas, by module."""


def compress(divisor: float) -> None:
    """Divide every time by a number."""
    for name, constants in SCALED.items():
        module = importlib.import_module(name)
        for one in constants:
            setattr(module, one, getattr(module, one) / divisor)
    shorter = {key: seconds / divisor for key, seconds in lifecycle.HOLD_SECONDS.items()}
    lifecycle.HOLD_SECONDS = MappingProxyType(shorter)


if __name__ == "__main__":
    compress(float(sys.argv.pop(1)))
    main()
