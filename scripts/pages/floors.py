"""Pages on the code: the picture and the table of floors, and the index of shared names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from scripts.pages.package import (
    floors,
    imports,
    meaning_of_room,
    public_names,
    reduced,
    shared_names,
)
from scripts.pages.splice import splice


def render_architecture() -> str:
    """Render the architecture page with the picture of the floors."""
    return splice("docs/architecture.md", picture=picture())


def render_ontology() -> str:
    """Render the glossary with the table of floors."""
    return splice("docs/ontology.md", floors=floor_table())


def picture() -> str:
    """Render floors and imports as a Mermaid flowchart; an import that others imply has no arrow."""
    lines = ["```mermaid", "flowchart TB"]
    for number, rooms in zip(_numbers(), floors(), strict=True):
        lines += [f'  subgraph floor{number}["{number}"]', *(f"    {room}" for room in rooms), "  end"]
    arrows = reduced(imports())
    lines += [f"  {one} --> {other}" for one in _rooms() for other in _rooms() if other in arrows[one]]
    return "\n".join([*lines, "```"])


def floor_table() -> str:
    """Render the rooms from the highest floor to the lowest, with what each holds and what it imports."""
    lines = ["| floor | room | holds | imports |", "| --- | --- | --- | --- |"]
    for number, rooms in zip(_numbers(), floors(), strict=True):
        for room in rooms:
            others = ", ".join(other for other in _rooms() if other in imports()[room]) or "-"
            lines.append(f"| {number} | `{room}` | {meaning_of_room(room)} | {others} |")
    return "\n".join(lines)


def render_names() -> str:
    """Render the public names that rooms import from each other, as `docs/names.md`."""
    return "\n".join([_NAMES_HEAD, *_name_sections()])


_NAMES_HEAD = """# Names that rooms share

Made by `make docs`. Every public class and function that another room imports, with the first sentence of its
docstring. The words behind them are in the [glossary](ontology.md).
"""


def _name_sections() -> Iterator[str]:
    shared = [one for one in public_names() if one.name in shared_names()]
    for room, names in groupby(
        sorted(shared, key=lambda one: (one.room, one.name.lower())), key=lambda one: one.room
    ):
        yield f"## {room}\n\n{meaning_of_room(room)}.\n\n| name | module | is |\n| --- | --- | --- |"
        yield from (f"| `{one.name}` | `{one.module}` | {_cell(one.meaning)} |" for one in names)
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rooms() -> list[str]:
    return [room for floor in floors() for room in floor]


def _numbers() -> range:
    """Return the number of each floor, the highest first; the lowest is 0."""
    return range(len(floors()) - 1, -1, -1)
