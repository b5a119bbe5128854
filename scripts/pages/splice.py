"""Generated parts of hand-written pages, each between two comments that name it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def splice(page: str, **parts: str) -> str:
    """Return a page with the text of each generated part replaced.

    Args:
        page: path within the repository.
        parts: text by the name of the part.

    Raises:
        ValueError: the page lacks the comments of a part.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, made in parts.items():
        opening, closing = f"<!-- generated: {name} (make docs) -->\n", f"<!-- end: {name} -->\n"
        head, begun, rest = text.partition(opening)
        _, ended, tail = rest.partition(closing)
        if not (begun and ended):
            raise ValueError(f"{page} has no part named {name}")
        text = f"{head}{opening}\n{made.strip()}\n\n{closing}{tail}"
    return text
