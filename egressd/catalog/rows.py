"""Read the rows of profile files, with defaults applied, as endpoints or problems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct, field
from pydantic import TypeAdapter, ValidationError

from egressd.catalog.check import Problem, RowLocation, row_problems
from egressd.catalog.schema import OWN_PROFILE, VALID_ROW, CloudRow, DocumentRow, EndpointRow, ProvenanceRow
from egressd.model.endpoint import Cloud, CloudTerms, Endpoint, Expect, Provenance, Samples
from egressd.yamlfile import Document
from egressd.yamlschema import build, problems_of

Raw = dict[str, object]

_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
_ROWS = TypeAdapter(dict[str, EndpointRow])
_OWN = ("id", "pattern")
"""Keys that can't have a default."""


class RowReader(Struct, kw_only=True):
    """Read the rows of all files; ids are unique over all of them."""

    calls: frozenset[str] | None
    """The names of the discovery calls; None if they are not known."""
    features: frozenset[str] | None
    """The names of the features; None if they are not known."""
    regions: frozenset[str] | None
    """The names of the regions; None if they are not known."""
    endpoints: list[Endpoint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)

    def read(self, document: Document, *, profile: str, documents: Mapping[str, DocumentRow] | None) -> None:
        """Read the rows of a file, and collect their problems.

        Without `documents` (the file's header is wrong) provenance is not checked.
        """
        data = document.data if isinstance(document.data, dict) else {}
        defaults, bad = self._defaults(document, data.get("defaults"))
        documents = None if "provenance" in bad else documents
        for index, raw in _rows(data.get("endpoints")):
            location = self._location(document, index, raw)
            row = self._row(location, {**defaults, **raw})
            if row is not None:
                found = (*row_problems(row, documents=documents), *self._unknown(row))
                self.problems += [location.problem(path, message) for path, message in found]
                self.endpoints.append(_endpoint(location.id, row, profile=profile, documents=documents))

    def _defaults(self, document: Document, defaults: object) -> tuple[Raw, set[object]]:
        """Return the valid defaults, and the keys whose wrong default was replaced by a valid value.

        A wrong default is reported once, not once a row.
        """
        if not isinstance(defaults, dict):
            return {}, set()
        self.problems += [
            f"{document.where(('defaults', key))}: can't have a default: every row has its own"
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

    def _location(self, document: Document, index: int, raw: Raw) -> RowLocation:
        """Return where a row is, by its index if its id is invalid."""
        name = raw.get("id")
        if isinstance(name, str) and _ID.fullmatch(name):
            location = RowLocation(document=document, index=index, id=name)
            here = f"{document.name}:{document.line(('endpoints', index, 'id'))}"
            if name in self._seen:
                self.problems.append(location.problem(("id",), f"given twice, first at {self._seen[name]}"))
            self._seen.setdefault(name, here)
            return location
        location = RowLocation(document=document, index=index, id=f"endpoints[{index}]")
        message = (
            "is missing" if name is None else f"must be lower-case letters, digits and `-`, not {name!r}"
        )
        self.problems.append(location.problem(("id",), message))
        return location

    def _unknown(self, row: EndpointRow) -> Iterator[Problem]:
        """Yield what the row names and the other files do not have."""
        features = {("feature",): row.feature} | {
            ("clouds", cloud, "feature"): terms.feature for cloud, terms in row.clouds.items()
        }
        for path, feature in features.items():
            if self.features is not None and feature is not None and feature not in self.features:
                yield path, f"{feature!r} is no feature of features.yaml"
        regions = {("regions", at): name for at, name in enumerate(row.regions)} | {
            ("samples", "templated_in", at): name for at, name in enumerate(row.samples.templated_in)
        }
        for place, region in regions.items():
            if self.regions is not None and region not in self.regions:
                yield place, f"{region!r} is no region of regions.yaml"
        call = row.samples.discovered
        if self.calls is not None and call is not None and call not in self.calls:
            yield ("samples", "discovered"), f"{call!r} is no discovery call of regions.yaml"

    def _row(self, location: RowLocation, merged: Raw) -> EndpointRow | None:
        merged.pop("id", None)
        try:
            return _ROWS.validate_python({location.id: merged})[location.id]
        except ValidationError as error:
            self.problems += problems_of(error, _row_document(location, merged), model=EndpointRow)
            return None


def _rows(rows: object) -> Iterator[tuple[int, Raw]]:
    """Yield the rows that are mappings; others are reported with the file's schema."""
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            yield index, row


def _row_document(location: RowLocation, merged: Raw) -> Document:
    """Make a document of one row under its id, so that messages show the id."""
    start: tuple[str | int, ...] = ("endpoints", location.index)
    lines = {
        (location.id, *path[2:]): line for path, line in location.document.lines.items() if path[:2] == start
    }
    return Document(data={location.id: merged}, name=location.document.name, lines=lines)


def _endpoint(
    name: str, row: EndpointRow, *, profile: str, documents: Mapping[str, DocumentRow] | None
) -> Endpoint:
    first, last = row.port or (None, None)
    return build(
        Endpoint,
        row,
        without=("path",),
        id=name,
        profile=profile,
        port=first,
        last_port=last,
        gateway=tuple(
            (profile if asking == OWN_PROFILE else asking, word) for asking, word in row.gateway.items()
        ),
        paths=tuple(row.paths) or (row.path or "/",),
        expect=build(Expect, row.expect),
        samples=build(Samples, row.samples),
        clouds=tuple(row.clouds),
        by_cloud=tuple(
            _terms(cloud, terms, documents) for cloud, terms in row.clouds.items() if terms.model_fields_set
        ),
        provenance=_provenance(row.provenance, documents),
    )


def _terms(cloud: Cloud, terms: CloudRow, documents: Mapping[str, DocumentRow] | None) -> CloudTerms:
    return build(
        CloudTerms,
        terms,
        cloud=cloud,
        provenance=_provenance(terms.provenance, documents) if terms.provenance else None,
    )


def _provenance(row: ProvenanceRow, documents: Mapping[str, DocumentRow] | None) -> Provenance | None:
    """Return the document of a row; None if the file's header is wrong."""
    source = (documents or {}).get(row.document)
    return build(Provenance, source, without=("title",), document=source.title) if source else None
