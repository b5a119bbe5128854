"""Count the modules and classes of one run of egressd: `python -m tests.cost.start --once ...`.

The last line of stdout is JSON: how many classes there are, and how many each module has made.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import suppress

from egressd.__main__ import main


def subclasses(one: type) -> list[type]:
    """Return the direct subclasses, of a metaclass too."""
    return type.__subclasses__(one)


def all_classes() -> set[type]:
    """Return every class there is, of modules and of functions."""
    seen: set[type] = set()
    found: list[type] = [object]
    while found:
        for one in subclasses(found.pop()):
            if one not in seen:
                seen.add(one)
                found.append(one)
    return seen


if __name__ == "__main__":
    with suppress(SystemExit):
        main()
    classes = all_classes()
    made = Counter(str(getattr(one, "__module__", None)) for one in classes)
    figures = {"modules": {name: made[name] for name in sorted(sys.modules)}, "classes": len(classes)}
    sys.stdout.write(f"\n{json.dumps(figures)}\n")
