"""Count the modules and classes of one run of egressd: `python -m tests.cost.start --once ...`.

The last line of stdout is JSON: every module, and how many classes there are.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from egressd.__main__ import main


def subclasses(one: type) -> list[type]:
    """Return the direct subclasses, of a metaclass too."""
    return type.__subclasses__(one)


def count_classes() -> int:
    """Return how many classes there are, of modules and of functions."""
    seen: set[type] = set()
    found: list[type] = [object]
    while found:
        for one in subclasses(found.pop()):
            if one not in seen:
                seen.add(one)
                found.append(one)
    return len(seen)


if __name__ == "__main__":
    with suppress(SystemExit):
        main()
    figures = {"modules": sorted(sys.modules), "classes": count_classes()}
    sys.stdout.write(f"\n{json.dumps(figures)}\n")
