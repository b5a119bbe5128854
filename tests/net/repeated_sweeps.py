"""A program: sweep repeatedly with one configuration; print the blocked and down targets of each sweep.

Arguments: CONFIG COUNT. One process for many sweeps, as the daemon is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from egressd.catalog import load_catalog
from egressd.config import Flags, load_settings
from egressd.engine.once import run_once
from egressd.model.verdict import Sweep


def unreachable_targets(sweep: Sweep) -> list[str]:
    """Return the targets that are neither ok nor degraded, with their reasons."""
    return [
        f"{one.target}: {one.verdict.outcome} {one.verdict.reason}"
        for one in sweep.verdicts
        if not one.verdict.outcome.reachable
    ]


def main(config: str, count: str) -> None:
    """Print one line of JSON per sweep: how many targets it judged, and its alarms."""
    settings, catalog = load_settings(Path(config), Flags()), load_catalog()
    for _ in range(int(count)):
        sweep = asyncio.run(run_once(settings, catalog))
        sys.stdout.write(json.dumps([len(sweep.verdicts), unreachable_targets(sweep)]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
