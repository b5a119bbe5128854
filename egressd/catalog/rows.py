"""The rows of one profile file, defaults applied, as endpoints or as problems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from egressd.catalog.check import RowLocation, row_problems
from egressd.catalog.schema import VALID_ROW, DocumentRow, EndpointRow
from egressd.model.endpoint import Endpoint, Expect, Provenance, Samples
from egressd.yamlfile import Document
from egressd.yamlschema import build, problems_of

Raw = dict[str, object]

_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
_ROWS = TypeAdapter(dict[str, EndpointRow])
_OWN = ("id", "pattern")
"""Keys that a default can't stand for."""


@dataclass(slots=True, kw_only=True)
class RowReader:
    """Read the rows of all files; ids are unique over all of them."""

    calls: frozenset[str] | None
    """The names of the discovery calls; None where they are not known."""
    endpoints: list[Endpoint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)

    def read(self, document: Document, *, profile: str, documents: Mapping[str, DocumentRow] | None) -> None:
        """Take the rows of a file; what is wrong with them is added to the problems.

        Without `documents` (the file's header is wrong) provenance is not checked.
        """
        data = document.data if isinstance(document.data, dict) else {}
        defaults, bad = self._defaults(document, data.get("defaults"))
        documents = None if "provenance" in bad else documents
        for index, raw in _rows(data.get("endpoints")):
            place = self._place(document, index, raw)
            row = self._row(place, {**defaults, **raw})
            if row is not None:
                found = row_problems(row, documents=documents, calls=self.calls)
                self.problems += [place.say(path, words) for path, words in found]
                self.endpoints.append(_endpoint(place.id, row, profile=profile, documents=documents))

    def _defaults(self, document: Document, defaults: object) -> tuple[Raw, set[object]]:
        """Return what every row starts from, and which keys of it stand for wrong ones.

        A wrong default is reported once, not once a row.
        """
        if not isinstance(defaults, dict):
            return {}, set()
        self.problems += [
            f"{document.where(('defaults', key))}: every row has its own: it can't have a default"
            for key in _OWN
            if key in defaults
        ]
        good = {key: value for key, value in defaults.items() if key not in _OWN}
        try:
            _ROWS.validate_python({"defaults": {**VALID_ROW, **good}})
        except ValidationError as error:
            self.problems += problems_of(error, document, model=EndpointRow)
            bad: set[object] = {detail["loc"][1] for detail in error.errors(include_url=False)}
            right = {key: value for key, value in good.items() if key not in bad}
            return right | {key: value for key, value in VALID_ROW.items() if key in bad}, bad
        return good, set()

    def _place(self, document: Document, index: int, raw: Raw) -> RowLocation:
        """Name a row, by its number where its id is none."""
        name = raw.get("id")
        if isinstance(name, str) and _ID.fullmatch(name):
            place = RowLocation(document=document, index=index, id=name)
            here = f"{document.name}:{document.line(('endpoints', index, 'id'))}"
            if name in self._seen:
                self.problems.append(place.say(("id",), f"given twice, first at {self._seen[name]}"))
            self._seen.setdefault(name, here)
            return place
        place = RowLocation(document=document, index=index, id=f"endpoints[{index}]")
        words = "is missing" if name is None else f"must be lower-case letters, digits and `-`, not {name!r}"
        self.problems.append(place.say(("id",), words))
        return place

    def _row(self, place: RowLocation, merged: Raw) -> EndpointRow | None:
        merged.pop("id", None)
        try:
            return _ROWS.validate_python({place.id: merged})[place.id]
        except ValidationError as error:
            self.problems += problems_of(error, _alone(place, merged), model=EndpointRow)
            return None


def _rows(rows: object) -> Iterator[tuple[int, Raw]]:
    """Yield what can be a row; the rest is reported with the file's shape."""
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            yield index, row


def _alone(place: RowLocation, merged: Raw) -> Document:
    """Make a document of one row under its id, so that messages name it."""
    start: tuple[str | int, ...] = ("endpoints", place.index)
    lines = {(place.id, *path[2:]): line for path, line in place.document.lines.items() if path[:2] == start}
    return Document(data={place.id: merged}, name=place.document.name, lines=lines)


def _endpoint(
    name: str, row: EndpointRow, *, profile: str, documents: Mapping[str, DocumentRow] | None
) -> Endpoint:
    source = (documents or {}).get(row.provenance.document)
    return build(
        Endpoint,
        row,
        id=name,
        profile=profile,
        path=row.path or "/",
        expect=build(Expect, row.expect),
        samples=build(Samples, row.samples),
        provenance=build(Provenance, source, without="title", document=source.title) if source else None,
    )
