"""Write the examples of docs/library.md as programs: `python scripts/examples.py DIRECTORY`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "library.md"


def examples() -> tuple[str, ...]:
    """Return the Python blocks of the page, each a program."""
    text = PAGE.read_text(encoding="utf-8")
    return tuple(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def main() -> None:
    """Write them."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(examples(), start=1):
        (directory / f"example_{number}.py").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
