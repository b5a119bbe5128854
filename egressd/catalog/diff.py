"""Rows and regions that were added, removed and changed from one catalog to another. Pure; text out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct, to_builtins
from msgspec.structs import asdict

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint
from egressd.planning.render import wrap
from egressd.wording import count

SCHEMA = "egressd.catalog-diff/1"


class FieldChange(Struct, frozen=True, kw_only=True):
    """One key of a row, before and after, as text."""

    key: str
    before: str
    after: str


class CatalogChanges(Struct, frozen=True, kw_only=True):
    """Rows by their ids, which are never reused; regions by cloud and name."""

    before: str
    """Its revision."""
    after: str
    came: tuple[Endpoint, ...]
    went: tuple[Endpoint, ...]
    changed: tuple[tuple[Endpoint, tuple[FieldChange, ...]], ...]
    regions_came: tuple[str, ...]
    regions_went: tuple[str, ...]
    regions_changed: tuple[str, ...]
    unchanged: int


def compare_catalogs(before: Catalog, after: Catalog) -> CatalogChanges:
    """Compare rows by id, and regions by cloud and name."""
    old = {one.id: one for one in before.endpoints}
    new = {one.id: one for one in after.endpoints}
    changed = [
        (one, found) for name, one in new.items() if name in old and (found := _fields(old[name], one))
    ]
    places = {f"{one.cloud} {one.name}": one for one in before.regions}
    fresh = {f"{one.cloud} {one.name}": one for one in after.regions}
    return CatalogChanges(
        before=before.revision,
        after=after.revision,
        came=tuple(one for name, one in new.items() if name not in old),
        went=tuple(one for name, one in old.items() if name not in new),
        changed=tuple(changed),
        regions_came=tuple(name for name in fresh if name not in places),
        regions_went=tuple(name for name in places if name not in fresh),
        regions_changed=tuple(name for name in fresh if name in places and fresh[name] != places[name]),
        unchanged=len(old.keys() & new.keys()) - len(changed),
    )


def _fields(old: Endpoint, new: Endpoint) -> tuple[FieldChange, ...]:
    pairs = ((key, getattr(old, key), getattr(new, key)) for key in Endpoint.__struct_fields__)
    return tuple(
        FieldChange(key=key, before=_show(was), after=_show(now)) for key, was, now in pairs if was != now
    )


def _show(value: object) -> str:
    """Write a value of a row as text."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_show(one) for one in value)
    if isinstance(value, StrEnum | str | int):
        return str(value)
    parts = asdict(value).items()  # type: ignore[arg-type]  # a value of the model
    return "; ".join(f"{name} {_show(one)}" for name, one in parts if one not in (None, (), False)) or "none"


def render_catalog_diff_text(changes: CatalogChanges, *, width: int = 80) -> str:
    """Render changes for people: rules to request, to withdraw, and to review."""
    blocks = [[_summary(changes)], *_blocks(changes)]
    return "\n".join(
        "\n".join(wrap(line, first="" if n == 0 else "  ", width=width) for n, line in enumerate(lines))
        + "\n"
        for lines in blocks
    )


def _summary(one: CatalogChanges) -> str:
    return (
        f"catalog of {one.before} to catalog of {one.after}: {count(len(one.came), 'row')} added, "
        f"{len(one.went)} removed, {len(one.changed)} changed, {one.unchanged} unchanged"
    )


def _blocks(changes: CatalogChanges) -> Iterator[list[str]]:
    if changes.came:
        yield ["ADDED: request these", *(_row(one) for one in changes.came)]
    if changes.went:
        yield ["REMOVED: no longer in the catalog", *(_row(one) for one in changes.went)]
    if changes.changed:
        lines = (
            f"{row.id}: {', '.join(f'{one.key} {one.after}, was {one.before}' for one in found)}"
            for row, found in changes.changed
        )
        yield ["CHANGED", *lines]
    for title, names in (
        ("REGIONS ADDED", changes.regions_came),
        ("REGIONS REMOVED", changes.regions_went),
        ("REGIONS CHANGED", changes.regions_changed),
    ):
        if names:
            yield [title, ", ".join(names)]


def _row(one: Endpoint) -> str:
    ports = f"{one.ports} {one.protocol}".lstrip()
    return f"{one.id}: {one.pattern} {ports} ({one.need}), {one.service}"


def render_catalog_diff_json(changes: CatalogChanges) -> str:
    """Render changes for programs (`egressd.catalog-diff/1`)."""
    document = to_builtins(changes) | {
        "changed": [
            {"id": row.id, "profile": row.profile, "changes": [to_builtins(one) for one in found]}
            for row, found in changes.changed
        ]
    }
    return json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=False) + "\n"
