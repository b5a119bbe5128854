"""The shipped files for Prometheus and Alertmanager, with every duration in them divided by a number."""

from __future__ import annotations

import re
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "config"
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION = r"(\d+)(ms|s|m|h)\b"
PATIENCE = 12.0
"""By how much `for` is divided at most: probes take as long as ever, and rules wait until they are judged."""
_KEYS = r"(?:for|keep_firing_for|interval|(?:group|repeat|scrape)_interval|group_wait|scrape_timeout)"
_WHERE = re.compile(rf"(\b{_KEYS}: |\[|\boffset ){_DURATION}")
"""Durations are values of these keys, and the ranges of expressions."""


def shorter(text: str, divisor: float) -> str:
    """Return a file with its durations divided, to whole milliseconds and one at least."""
    patience = min(divisor, PATIENCE)

    def replace(found: re.Match[str]) -> str:
        return f"{found[1]}{divided(found[2], found[3], patience if found[1] == 'for: ' else divisor)}"

    return _WHERE.sub(replace, text)


def divided(number: str, unit: str, divisor: float) -> str:
    """Return a duration divided, as Prometheus and Alertmanager read it."""
    milliseconds = int(number) * UNITS[unit] / divisor
    if milliseconds == 0:
        return "0s"
    return f"{max(1, round(milliseconds))}ms"


def shipped(name: str, divisor: float) -> str:
    """Return a shipped file, below `config`, with shorter durations."""
    return shorter((CONFIG / name).read_text(encoding="utf-8"), divisor)
