"""Sum up a coverage report by room: `coverage json -o - | scripts/room_coverage.py`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath

COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def main() -> None:
    """Print lines and branches covered of each room, in percent."""
    rooms: dict[str, Counter[str]] = {}
    for name, one in json.load(sys.stdin)["files"].items():
        counts = {key: one["summary"][key] for key in COUNTS}
        for room in (PurePath(name).parts[1].removesuffix(".py"), "all of these"):
            rooms.setdefault(room, Counter()).update(counts)
    print(f"{'room':16}{'statements':>11}{'lines':>9}{'branches':>10}")
    for room in sorted(rooms, key=lambda one: (one == "all of these", one)):
        print(_row(room, rooms[room]))


def _row(room: str, counts: Mapping[str, int]) -> str:
    lines = _percent(counts["covered_lines"], counts["num_statements"])
    branches = _percent(counts["covered_branches"], counts["num_branches"])
    return f"{room:16}{counts['num_statements']:11}{lines:>9}{branches:>10}"


def _percent(covered: int, count: int) -> str:
    return f"{100 * covered / count:.1f}%" if count else "-"


if __name__ == "__main__":
    main()
