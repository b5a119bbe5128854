"""The package as its source shows it: rooms, floors, imports between rooms, and public names."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "egressd"

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicName:
    """A public class or function at module level."""

    name: str
    room: str
    module: str
    """Path within the package, without suffix."""
    meaning: str
    """The first sentence of its docstring."""


@cache
def modules() -> Mapping[str, ast.Module]:
    """Return the syntax tree of each module, by its path within the package."""
    folder = ROOT / PACKAGE
    return {
        str(path.relative_to(folder).with_suffix("")): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.py"))
    }


def room_of(module: str) -> str:
    """Return the room of a module: the package or module directly under `egressd`."""
    return module.partition("/")[0]


@cache
def floors() -> tuple[tuple[str, ...], ...]:
    """Return the rooms of each floor, the highest first, from the layers contract of `pyproject.toml`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = [
        one["layers"] for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers"
    ]
    return tuple(
        tuple(room.strip().removeprefix(f"{PACKAGE}.") for room in layer.replace(":", "|").split("|"))
        for layer in layers
    )


def meaning_of_room(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    module = modules().get(room) or modules()[f"{room}/__init__"]
    return first_sentence(ast.get_docstring(module))


def first_sentence(text: str | None) -> str:
    """Return the first sentence of a docstring, on one line."""
    line = " ".join((text or "").partition("\n\n")[0].split())
    return line.partition(". ")[0].removesuffix(".")


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Return the rooms that each room imports."""
    rooms = {room for floor in floors() for room in floor}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for module, tree in modules().items():
        for imported in _imported(tree):
            other = room_of(imported.replace(".", "/"))
            if room_of(module) in found and other in rooms - {room_of(module)}:
                found[room_of(module)].add(other)
    return {room: frozenset(others) for room, others in found.items()}


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted path within the package of everything a module imports from it."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(source), names=names) if f"{source}.".startswith(f"{PACKAGE}."):
                yield from (f"{source}.{one.name}".removeprefix(f"{PACKAGE}.") for one in names)
            case ast.Import(names=names):
                yield from (
                    one.name.removeprefix(f"{PACKAGE}.")
                    for one in names
                    if one.name.startswith(f"{PACKAGE}.")
                )


def reduced(graph: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    """Return a graph without circles without the edges that other edges imply."""

    @cache
    def reachable(start: str) -> frozenset[str]:
        return graph[start].union(*(reachable(one) for one in graph[start]))

    return {one: others - frozenset().union(*map(reachable, others)) for one, others in graph.items()}


@cache
def public_names() -> tuple[PublicName, ...]:
    """Return every public class and function of the package, in the order of rooms and modules."""
    return tuple(
        PublicName(
            name=node.name,
            room=room_of(module),
            module=module.removesuffix("/__init__"),
            meaning=first_sentence(ast.get_docstring(node)),
        )
        for module, tree in modules().items()
        for node in tree.body
        if isinstance(node, Definition) and not node.name.startswith("_")
    )


@cache
def shared_names() -> frozenset[str]:
    """Return the public names that a room other than their own imports."""
    defined = {(one.room, one.name) for one in public_names()}
    return frozenset(
        path.rpartition(".")[2]
        for module, tree in modules().items()
        for path in _imported(tree)
        if (room_of(path.replace(".", "/")), path.rpartition(".")[2]) in defined
        and room_of(path.replace(".", "/")) != room_of(module)
    )
