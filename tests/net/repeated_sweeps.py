"""A program: sweep repeatedly with one configuration; print the verdict on each target, a line per sweep.

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


def summary(sweep: Sweep) -> dict[str, list[str]]:
    """Return outcome, reason, blame and the two confidences of each target; empty where there is none."""
    found = {}
    for one in sweep.verdicts:
        said = one.verdict
        parts = (said.outcome, said.reason, said.blame, said.confidence, said.blame_confidence)
        found[one.target] = [str(part or "") for part in parts]
    return found


def main(config: str, count: str) -> None:
    """Print one line of JSON per sweep."""
    settings, catalog = load_settings(Path(config), Flags()), load_catalog()
    for _ in range(int(count)):
        sweep = asyncio.run(run_once(settings, catalog))
        sys.stdout.write(json.dumps(summary(sweep)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
