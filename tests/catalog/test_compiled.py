"""The compiled catalog is the catalog of the files, or is not used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.catalog import load
from egressd.catalog.compiled import compile_catalog, read_compiled
from egressd.catalog.load import DATA, load_catalog
from egressd.model.catalog import Catalog


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    """Read the files themselves."""
    return load_catalog(DATA)


def test_nothing_is_lost(shipped: Catalog) -> None:
    """Every row, document, profile and region of the package comes back as it was."""
    assert read_compiled(compile_catalog(shipped), shipped.digest) == shipped


def test_a_small_catalog_too(catalog_dir: Path) -> None:
    """Defaults, calls and values of regions are kept."""
    catalog = load_catalog(catalog_dir)
    assert read_compiled(compile_catalog(catalog), catalog.digest) == catalog


def test_other_files_are_another_catalog(shipped: Catalog) -> None:
    """A form that is not of these very files is not used, nor is one of another schema."""
    text = compile_catalog(shipped)
    assert read_compiled(text, "0" * 64) is None
    assert (
        read_compiled(json.dumps({**json.loads(text), "schema": "egressd.compiled/9"}), shipped.digest)
        is None
    )


def test_an_edited_file_counts_at_once(
    shipped: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the compiled form is of other files, the files are read."""
    stale = tmp_path / "compiled.json"
    stale.write_text(compile_catalog(replace(shipped, digest="0" * 64, endpoints=())), encoding="utf-8")
    monkeypatch.setattr(load, "COMPILED", stale)
    assert load_catalog() == shipped


def test_the_compiled_form_is_what_is_loaded(
    shipped: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the digest of the files it is taken as it is; a folder that is named is always read."""
    fresh = tmp_path / "compiled.json"
    fresh.write_text(compile_catalog(replace(shipped, revision="2001-01-01")), encoding="utf-8")
    monkeypatch.setattr(load, "COMPILED", fresh)
    assert load_catalog().revision == "2001-01-01"
    assert load_catalog(DATA) == shipped
