"""Catalogs to compare: folders, or single profile files measured against the same profile of the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from egressd.catalog.load import load_catalog, load_profile
from egressd.model.catalog import Catalog


def load_pair(before: Path, after: Path | None) -> tuple[Catalog, Catalog]:
    """Load both; where one is a single file, the other is cut down to that file's profile.

    Raises ConfigError with every problem of a file.
    """
    old, new = _load(before), _load(after)
    if before.is_file():
        new = _only(new, old)
    if after is not None and after.is_file():
        old = _only(old, new)
    return old, new


def _load(path: Path | None) -> Catalog:
    if path is not None and path.is_file():
        return load_profile(path)
    return load_catalog(path)


def _only(catalog: Catalog, single: Catalog) -> Catalog:
    names = {one.name for one in single.profiles}
    rows = tuple(one for one in catalog.endpoints if one.profile in names)
    return replace(catalog, endpoints=rows, regions=single.regions)
