"""Checks between the keys of a catalog row, whose single values are valid already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from egressd.catalog.schema import EndpointRow, SamplesRow
from egressd.model.endpoint import Direction, Need, Protocol
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import PLACEHOLDER, RESOLVER, is_host, placeholders
from egressd.yamlfile import Document, render_path

Problem = tuple[tuple[str | int, ...], str]
"""Where inside the row, and what is wrong."""


class RowLocation(Struct, frozen=True, kw_only=True):
    """A row in its file."""

    document: Document
    index: int
    id: str

    def problem(self, path: tuple[str | int, ...], message: str) -> str:
        """Render a problem as `file:line: row-id.key: message`."""
        line = self.document.line(("endpoints", self.index, *path))
        return f"{self.document.name}:{line}: {render_path((self.id, *path))}: {message}"


def row_problems(row: EndpointRow, *, documents: Mapping[str, object] | None) -> Iterator[Problem]:
    """Yield everything in a row that contradicts the rest of it, or its file.

    References to documents are not checked if these are None.
    """
    for rule in _RULES:
        yield from rule(row)
    named = {("provenance", "document"): row.provenance.document} | {
        ("clouds", cloud, "provenance", "document"): terms.provenance.document
        for cloud, terms in row.clouds.items()
        if terms.provenance
    }
    for path, document in named.items():
        if documents is not None and document not in documents:
            yield path, f"{document!r} is not under `documents` in this file"


def _pattern(row: EndpointRow) -> Iterator[Problem]:
    if not is_host(_without_placeholders(row.pattern).replace("*", "x")):
        yield ("pattern",), f"{row.pattern!r} is not a host name or wildcard"
    if row.deep and not row.pattern.startswith("*"):
        yield ("deep",), "has no effect: the pattern does not start with `*`"
    if "{resolver}" in row.pattern and row.pattern != RESOLVER:
        yield ("pattern",), f"{RESOLVER} must be the whole pattern"


def _port(row: EndpointRow) -> Iterator[Problem]:
    if row.protocol is Protocol.ICMP and row.port is not None:
        yield ("port",), f"has no effect: {row.protocol} has no ports"
    if row.protocol is not Protocol.ICMP and row.port is None:
        yield ("port",), "is missing"


def _need(row: EndpointRow) -> Iterator[Problem]:
    yield from _terms(row.need, row.condition, row.feature, place=())
    for cloud, terms in row.clouds.items():
        if terms.need is None and (terms.condition or terms.feature) is None:
            continue
        need = terms.need or row.need
        kept = row.need is Need.CONDITIONAL is need
        condition = terms.condition or (row.condition if kept else None)
        yield from _terms(need, condition, terms.feature, place=("clouds", cloud))


def _terms(
    need: Need, condition: str | None, feature: str | None, *, place: tuple[str, ...]
) -> Iterator[Problem]:
    if need is Need.CONDITIONAL:
        if condition is None:
            yield (*place, "need"), "is conditional, but there is no `condition`"
        return
    for key, value in (("condition", condition), ("feature", feature)):
        if value is not None:
            yield (*place, key), f"has no effect: `need` is {need}"


def _group(row: EndpointRow) -> Iterator[Problem]:
    if row.one_of is not None and row.direction is Direction.INBOUND:
        yield ("one_of",), "has no effect: the row is inbound, and never probed"


def _samples(row: EndpointRow) -> Iterator[Problem]:
    samples = row.samples
    if "*" not in row.pattern:
        if samples != SamplesRow():
            yield ("samples",), "have no effect: the pattern is not a wildcard"
        return
    for index, host in enumerate(samples.documented):
        yield from _sample(row, host, ("samples", "documented", index), templated=False)
    for index, host in enumerate(samples.templated):
        yield from _sample(row, host, ("samples", "templated", index), templated=True)
    for index, host in enumerate(samples.derived):
        yield from _sample(row, host, ("samples", "derived", index), templated=None)
    if samples.templated_in and not samples.templated:
        yield ("samples", "templated_in"), "has no effect: there is no templated host"
    if samples.random and not (row.protocol.encrypted or row.protocol.speaks_http):
        yield (
            ("samples", "random"),
            f"no host name is sent with {row.protocol}, so a random one proves nothing",
        )


def _sample(
    row: EndpointRow, host: str, path: tuple[str | int, ...], *, templated: bool | None
) -> Iterator[Problem]:
    """Check a sample; `templated` is whether it needs a placeholder, or None if it may have one."""
    if not is_host(_without_placeholders(host)):
        yield path, f"{host!r} is not a host name"
    elif templated is True and not placeholders(host):
        yield path, f"{host!r} has no placeholder: it belongs under `documented`"
    elif templated is False and placeholders(host):
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
    if row.path is not None and row.paths:
        yield ("paths",), "can't be given beside `path`"
    if row.protocol.speaks_http:
        return
    for key, given in (("path", row.path), ("paths", row.paths)):
        if given:
            yield (key,), f"has no effect: {row.protocol} has no paths"
    if row.expect.model_fields_set:
        yield ("expect",), f"has no effect: {row.protocol} has no HTTP response"


def _dates(row: EndpointRow) -> Iterator[Problem]:
    if row.since and row.until and row.until < row.since:
        yield ("until",), f"{row.until} is before `since`, {row.since}"
    for cloud, terms in row.clouds.items():
        since, until = terms.since or row.since, terms.until or row.until
        if terms.model_fields_set and since and until and until < since:
            yield ("clouds", cloud), f"`until`, {until}, is before `since`, {since}"


_RULES: tuple[Callable[[EndpointRow], Iterator[Problem]], ...] = (
    _pattern,
    _port,
    _need,
    _group,
    _samples,
    _answer,
    _dates,
)
