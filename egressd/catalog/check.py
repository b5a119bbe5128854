"""Checks between the keys of a catalog row, whose single values are valid already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from egressd.catalog.schema import EndpointRow
from egressd.model.endpoint import Need
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import PLACEHOLDER, RESOLVER, is_host, placeholders
from egressd.yamlfile import Document, render_path

Problem = tuple[tuple[str | int, ...], str]
"""Where inside the row, and what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLocation:
    """A row in its file."""

    document: Document
    index: int
    id: str

    def problem(self, path: tuple[str | int, ...], message: str) -> str:
        """Render a problem as `file:line: row-id.key: message`."""
        line = self.document.line(("endpoints", self.index, *path))
        return f"{self.document.name}:{line}: {render_path((self.id, *path))}: {message}"


def row_problems(
    row: EndpointRow, *, documents: Mapping[str, object] | None, calls: frozenset[str] | None
) -> Iterator[Problem]:
    """Yield everything in a row that contradicts the rest of it, its file, or the regions file.

    References to documents or calls are not checked if these are None.
    """
    for rule in _RULES:
        yield from rule(row)
    if documents is not None and row.provenance.document not in documents:
        yield ("provenance", "document"), f"{row.provenance.document!r} is not under `documents` in this file"
    call = row.samples.discovered
    if calls is not None and call is not None and call not in calls:
        yield ("samples", "discovered"), f"{call!r} is no discovery call of regions.yaml"


def _pattern(row: EndpointRow) -> Iterator[Problem]:
    if not is_host(_without_placeholders(row.pattern).replace("*", "x")):
        yield ("pattern",), f"{row.pattern!r} is not a host name or wildcard"
    if row.deep and not row.pattern.startswith("*."):
        yield ("deep",), "has no effect: the pattern does not start with `*.`"
    if "{resolver}" in row.pattern and row.pattern != RESOLVER:
        yield ("pattern",), f"{RESOLVER} must be the whole pattern"


def _need(row: EndpointRow) -> Iterator[Problem]:
    if row.need is Need.CONDITIONAL and row.condition is None:
        yield ("need",), "is conditional, but there is no `condition`"
    if row.need is not Need.CONDITIONAL and row.condition is not None:
        yield ("condition",), f"has no effect: `need` is {row.need}"


def _samples(row: EndpointRow) -> Iterator[Problem]:
    samples = row.samples
    if "*" not in row.pattern:
        if samples.documented or samples.templated or samples.discovered or samples.random:
            yield ("samples",), "have no effect: the pattern is not a wildcard"
        return
    for index, host in enumerate(samples.documented):
        yield from _sample(row, host, ("samples", "documented", index), templated=False)
    for index, host in enumerate(samples.templated):
        yield from _sample(row, host, ("samples", "templated", index), templated=True)
    if samples.random and not (row.protocol.encrypted or row.protocol.speaks_http):
        yield (
            ("samples", "random"),
            f"no host name is sent with {row.protocol}, so a random one proves nothing",
        )


def _sample(
    row: EndpointRow, host: str, path: tuple[str | int, ...], *, templated: bool
) -> Iterator[Problem]:
    if not is_host(_without_placeholders(host)):
        yield path, f"{host!r} is not a host name"
    elif templated and not placeholders(host):
        yield path, f"{host!r} has no placeholder: it belongs under `documented`"
    elif not templated and placeholders(host):
        yield path, f"{host!r} has a placeholder: it belongs under `templated`"
    elif not _fits(row, host):
        yield path, f"{host!r} is outside the pattern {row.pattern!r}"


def _fits(row: EndpointRow, host: str) -> bool:
    """Compare with placeholders as fixed labels, or as `*` if only the pattern has them."""
    loose = PLACEHOLDER.sub("*", row.pattern)
    return any(
        pattern_covers(one, _without_placeholders(host), deep=row.deep)
        for one in (_without_placeholders(row.pattern), loose)
    )


def _without_placeholders(text: str) -> str:
    return PLACEHOLDER.sub(lambda found: f"x-{found[1].replace('_', '-')}-x", text)


def _answer(row: EndpointRow) -> Iterator[Problem]:
    if row.protocol.speaks_http:
        return
    if row.path is not None:
        yield ("path",), f"has no effect: {row.protocol} has no paths"
    if row.expect.model_fields_set:
        yield ("expect",), f"has no effect: {row.protocol} has no HTTP response"


def _dates(row: EndpointRow) -> Iterator[Problem]:
    if row.since and row.until and row.until < row.since:
        yield ("until",), f"{row.until} is before `since`, {row.since}"


_RULES: tuple[Callable[[EndpointRow], Iterator[Problem]], ...] = (_pattern, _need, _samples, _answer, _dates)
