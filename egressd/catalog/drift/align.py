"""Which rows of the catalog a host of a document stands for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Endpoint
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import PLACEHOLDER, placeholders


class Aligned(Struct, frozen=True, kw_only=True):
    """A row of the catalog that has the host's own pattern."""

    row: Endpoint
    regions: frozenset[str] | None = None
    """The regions that the host is of, if the pattern has their codes; None if it has none."""
    given: bool = False
    """Whether the host has a name in the place of something that only an operator knows."""


class _Form(Struct, frozen=True, kw_only=True):
    row: Endpoint
    expression: re.Pattern[str]
    names: tuple[str, ...]


def region_codes(catalog: Catalog, cloud: Cloud) -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Return the regions by code, for each placeholder that regions fill in."""
    found: dict[str, dict[str, set[str]]] = {}
    for region in catalog.regions:
        for name, code in region.codes.items():
            codes = found.setdefault(name, {})
            if region.cloud is cloud:
                codes.setdefault(code, set()).add(region.name)
    return {name: {code: frozenset(one) for code, one in codes.items()} for name, codes in found.items()}


class Aligner(Struct):
    """Find the rows of one cloud by the pattern of a document."""

    rows: tuple[Endpoint, ...]
    codes: Mapping[str, Mapping[str, frozenset[str]]]
    _plain: dict[str, list[Endpoint]] = field(default_factory=dict)
    _forms: list[_Form] = field(default_factory=list)
    _found: dict[str, tuple[Aligned, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            pattern = row.pattern.lower()
            names = placeholders(pattern)
            self._plain.setdefault(pattern, []).append(row)
            if names and not PLACEHOLDER.fullmatch(pattern):
                parts = PLACEHOLDER.split(pattern)  # a text, a name, a text, ...
                value = r"(\{[a-z0-9_]+\}|[a-z0-9-]+)"
                text = "".join(re.escape(one) if not at % 2 else value for at, one in enumerate(parts))
                self._forms.append(_Form(row=row, expression=re.compile(text), names=tuple(parts[1::2])))

    def aligned(self, pattern: str) -> tuple[Aligned, ...]:
        """Return the rows whose pattern this is, with placeholders filled in or named otherwise."""
        if pattern not in self._found:
            found = [Aligned(row=row) for row in self._plain.get(pattern, ())]
            found += [one for form in self._forms if (one := self._filled(form, pattern)) is not None]
            if PLACEHOLDER.search(pattern):  # `<name>.corp` and `*.corp` ask for the same rule
                wide = ".".join("*" if PLACEHOLDER.fullmatch(one) else one for one in pattern.split("."))
                found += [Aligned(row=row) for row in self._plain.get(wide, ())]
            self._found[pattern] = tuple({one.row.id: one for one in reversed(found)}.values())[::-1]
        return self._found[pattern]

    def _filled(self, form: _Form, pattern: str) -> Aligned | None:
        match = form.expression.fullmatch(pattern)
        if match is None:
            return None
        regions: frozenset[str] | None = None
        given = False
        for name, value in zip(form.names, match.groups(), strict=True):
            if value.startswith("{"):
                continue
            if name not in self.codes:
                given = True
                continue
            here = self.codes[name].get(value)
            if here is None:
                return None
            regions = here if regions is None else regions & here
        return Aligned(row=form.row, regions=regions, given=given)

    def covering(self, pattern: str, ports: str | None, rows: Iterable[Endpoint]) -> Endpoint | None:
        """Return a row with a wildcard that covers the host at its port."""
        sample = PLACEHOLDER.sub("x", pattern).replace("*", "x")
        for row in rows:
            wide = PLACEHOLDER.sub("*", row.pattern.lower())
            wanted = "*" in row.pattern and "*" not in pattern.removeprefix("*.")
            if (
                wanted
                and (ports is None or row.ports == ports)
                and pattern_covers(wide, sample, deep=row.deep)
            ):
                return row
        return None
