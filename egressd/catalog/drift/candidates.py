"""Which rows of the catalog a document should have: those that were read from it. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Endpoint, Provenance
from egressd.planning.placeholder import PLACEHOLDER

MOST_MISSING = 8
"""A copy of a document lacks no more than one in so many of its hosts; of a short one, one."""
MOST_OF = 0.75
"""The part of its own hosts by which another document shows in a page that includes it."""
LEAST_ALIKE = 0.6
"""The hosts that a file and a document share, as a part of all that either has, for the one to be a copy."""
NEARLY_ALL = 0.8
"""The part of a file's hosts that a document must have, for another product's row in the file to be news."""
LEAST_OF_ANOTHER = 3
"""Hosts of its own by which another document shows in a page that includes it."""


class CatalogDocument(Struct, frozen=True, kw_only=True):
    """A document that rows of the catalog were read from, by its path."""

    path: str
    title: str
    date: str | None
    rows: tuple[tuple[Cloud, Endpoint], ...]
    """The rows as they are in a cloud; not those that were withdrawn, nor those without a host."""
    profiles: tuple[str, ...]
    """The profiles that have rows of it."""


def catalog_documents(catalog: Catalog, profiles: Iterable[str] | None) -> tuple[CatalogDocument, ...]:
    """Return the documents of the profiles; of all if None."""
    chosen = None if profiles is None else set(profiles)
    rows: dict[str, list[tuple[Cloud, Endpoint]]] = {}
    for endpoint in catalog.endpoints:
        if chosen is not None and endpoint.profile not in chosen:
            continue
        for cloud in endpoint.clouds:
            row = endpoint.in_cloud(cloud)
            if row.provenance is not None:
                rows.setdefault(_key(row.provenance), []).append((cloud, row))
    return tuple(_document(some) for some in rows.values())


def _key(source: Provenance) -> str:
    """Return what copies of one document share: the path, or the title where the path is a folder's."""
    path = source.path or ""
    return path if PurePosixPath(path).suffix else f"{path}: {source.document}"


def _document(rows: list[tuple[Cloud, Endpoint]]) -> CatalogDocument:
    """Put the copies of one document together; the newest has the title."""
    sources = [row.provenance for _, row in rows if row.provenance is not None]
    newest = max(sources, key=lambda one: one.date or "")
    return CatalogDocument(
        path=newest.path or newest.document,
        title=newest.document,
        date=newest.date,
        rows=tuple((cloud, row) for cloud, row in rows if is_current(row)),
        profiles=tuple(dict.fromkeys(row.profile for _, row in rows)),
    )


def is_current(row: Endpoint) -> bool:
    """Whether a document should have the row today: it was not withdrawn, and names a host."""
    return row.until is None and PLACEHOLDER.fullmatch(row.pattern) is None


def by_path(documents: Iterable[CatalogDocument], place: str) -> tuple[CatalogDocument, ...]:
    """Return the documents whose path ends as the file's does, the most parts alike; none for a name alone.

    A name that only one document has is enough, if it is not one that any folder may have.
    """
    found = [(_alike(one.path, place), one) for one in documents]
    most = max((alike for alike, _ in found), default=0)
    best = tuple(one for alike, one in found if alike == most)
    names = Counter(PurePosixPath(one.path).name.lower() for _, one in found)
    name = PurePosixPath(place).name.lower()
    if most > 1 or (most == 1 and names[name] == 1 and name not in _COMMON):
        return best
    return ()


_COMMON = frozenset(
    {"overview.md", "network-requirements.md", "readme.md", "index.md", "prerequisites.md", "ports.md"}
)


def _alike(path: str, place: str) -> int:
    """Return how many parts of two paths are the same from the end."""
    ours, theirs = path.lower().split("/")[::-1], place.lower().replace("\\", "/").split("/")[::-1]
    number = 0
    for mine, other in zip(ours, theirs, strict=False):
        if mine != other:
            break
        number += 1
    return number


class Likeness(Struct, frozen=True, kw_only=True):
    """How much of a document a file has."""

    wanted: int
    there: int
    rows: int
    """Hosts of the file."""

    @property
    def share(self) -> float:
        """The part of the document's hosts that the file has."""
        return self.there / self.wanted if self.wanted else 0.0

    @property
    def is_most_of_the_file(self) -> bool:
        """Whether the file has hardly more than the document."""
        return self.there >= NEARLY_ALL * self.rows

    @property
    def whole(self) -> float:
        """How alike both are: 1 for the same hosts."""
        return self.there / (self.wanted + max(self.rows - self.there, 0) or 1)

    @property
    def is_copy(self) -> bool:
        """Whether the file can be taken for a copy, and not for a page on something near to it."""
        missing = self.wanted - self.there
        return self.there > 1 and missing <= max(1, self.wanted // MOST_MISSING) and self.whole >= LEAST_ALIKE


def likeness(document: CatalogDocument, seen: Mapping[Cloud, frozenset[str]], rows: int) -> Likeness:
    """Compare a document with the ids of the rows that a file has, by cloud."""
    wanted = {(cloud, row.pattern): row.id for cloud, row in document.rows if cloud in seen}
    there = sum(name in seen[cloud] for (cloud, _), name in wanted.items())
    return Likeness(wanted=len(wanted), there=there, rows=rows)


def is_left_out(pattern: str) -> bool:
    """Whether a host is one that the catalog leaves out on purpose: see `docs/catalog.md`."""
    domain = ".".join(pattern.split(".")[-2:])
    return hashlib.sha256(domain.encode()).hexdigest() in _LEFT_OUT


_LEFT_OUT = frozenset(
    {
        "a4aa2ac280bb8d1a0ce7a1be5a7bfb10292b49fe9435ad5cff19f421f3c70e41",
        "8b5bb5eb9d758455b8635855cf8aaf05b68775e3f83f0291e800ef338fb9783c",
    }
)
"""SHA-256 of the two domains of a third party's package index, which egressd does not name."""
