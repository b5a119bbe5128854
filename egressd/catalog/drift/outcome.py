"""What drifted, as values, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, to_builtins

from egressd.planning.render import wrap
from egressd.wording import count

SCHEMA = "egressd.catalog-drift/1"

Assumed = Literal["profile", "path", "rows", "export", "nothing"]
"""How it is known which document a file stands for."""


class DriftChange(Struct, frozen=True, kw_only=True):
    """One key of a row: what the catalog has, and what the document says."""

    key: str
    before: str
    after: str


class DriftLine(Struct, frozen=True, kw_only=True):
    """One row that is not the same in both."""

    pattern: str
    port: str | None
    """None where the document has none."""
    cloud: str
    endpoints: tuple[str, ...] = ()
    """The catalog's rows: those that went or changed, or the one that covers a host that came."""
    line: int | None = None
    section: str | None = None
    service: str | None = None
    changes: tuple[DriftChange, ...] = ()
    covered_by: str | None = None
    """A wildcard: of the catalog for a row that came, of the document for one that went."""


class DocumentDrift(Struct, frozen=True, kw_only=True):
    """One document against the rows of the catalog that came from it."""

    name: str
    format: str
    rows: int
    profiles: tuple[str, ...]
    document: str | None
    """The title of the catalog's document that it stands for; None if it stands for none."""
    date: str | None
    assumed: Assumed
    clouds: tuple[str, ...]
    region: str | None
    came: tuple[DriftLine, ...]
    went: tuple[DriftLine, ...]
    changed: tuple[DriftLine, ...]
    covered: tuple[DriftLine, ...]
    elsewhere: tuple[DriftLine, ...]
    """Hosts that the catalog has for other products than the document's."""
    unchanged: int
    not_compared: int
    """Rows that name no host, or of a cloud that was not asked for."""
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether a row came, went or changed; a host that a wildcard covers needs nothing new."""
        return bool(self.came or self.went or self.changed)


class Drift(Struct, frozen=True, kw_only=True):
    """All documents."""

    revision: str
    digest: str
    documents: tuple[DocumentDrift, ...]
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether any document drifted."""
        return any(one.drifted for one in self.documents)


def render_drift_json(drift: Drift) -> str:
    """Render for programs (`egressd.catalog-drift/1`)."""
    document = {
        "schema": SCHEMA,
        "catalog": {"revision": drift.revision, "digest": drift.digest},
        "drifted": drift.drifted,
        "documents": [{**to_builtins(one), "drifted": one.drifted} for one in drift.documents],
        "notes": list(drift.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_drift_text(drift: Drift, *, width: int = 80) -> str:
    """Render for people: a block for each document, then the notes."""
    lines: list[str] = []
    for one in drift.documents:
        lines.append(wrap(f"{one.name}: {_compared_with(one)}", first="", width=width))
        below = (*_lines(one), _summary(one), *(f"note: {note}" for note in one.notes))
        lines += [wrap(line, first="  ", width=width) for line in below]
        lines.append("")
    lines += [wrap(f"note: {note}", first="", width=width) for note in drift.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


_HOW = {
    "profile": "by --profile",
    "path": "by its path",
    "rows": "by its rows",
    "export": "as it says itself",
    "nothing": "by most of its rows",
}


def _compared_with(one: DocumentDrift) -> str:
    dated = f" ({one.date})" if one.date else ""
    what = (
        f'"{one.document}"{dated} of {", ".join(one.profiles)}' if one.document else ", ".join(one.profiles)
    )
    place = f"; cloud {', '.join(one.clouds)}" + (f"; region {one.region}" if one.region else "")
    return f"compared with {what}, {_HOW[one.assumed]}{place}"


def _lines(one: DocumentDrift) -> Iterator[str]:
    several = len(one.clouds) > 1
    for line in one.came:
        others = f" (other products have it: {', '.join(line.endpoints)})" if line.endpoints else ""
        yield f"came     {_where(line, several=several)}{_about(line)}{others}"
    for line in one.went:
        covered = f"; the document still has {line.covered_by}" if line.covered_by else ""
        yield f"went     {_where(line, several=several)}: {', '.join(line.endpoints)}{covered}"
    for line in one.changed:
        changes = ", ".join(f"{change.key} {change.after}, was {change.before}" for change in line.changes)
        yield f"changed  {_where(line, several=several)}: {changes}: {', '.join(line.endpoints)}"
    for line in one.covered:
        rows = ", ".join(line.endpoints)
        yield f"covered  {_where(line, several=several)}{_about(line)}: by {line.covered_by} ({rows})"
    for line in one.elsewhere:
        yield f"known    {_where(line, several=several)}{_about(line)}: {', '.join(line.endpoints)}"


def _where(line: DriftLine, *, several: bool) -> str:
    port = f" {line.port}" if line.port else ""
    return f"{line.pattern}{port}" + (f" ({line.cloud})" if several else "")


def _about(line: DriftLine) -> str:
    place = f", line {line.line}" if line.line else ""
    return f"{place}: {line.service}" if line.service else place


def _summary(one: DocumentDrift) -> str:
    numbers = (
        f"{len(one.came)} came, {len(one.went)} went, {len(one.changed)} changed, {one.unchanged} unchanged"
    )
    more = f", {count(len(one.covered), 'host')} covered by a wildcard" if one.covered else ""
    more += f", {len(one.elsewhere)} known of other products" if one.elsewhere else ""
    left = f", {count(one.not_compared, 'row')} not compared" if one.not_compared else ""
    return f"{'' if one.drifted else 'no drift: '}{numbers}{more}{left}"
