"""Rows and regions that were added, removed and changed between two catalogs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.catalog.diff import compare_catalogs, render_catalog_diff_json, render_catalog_diff_text
from egressd.catalog.read import load_pair
from egressd.errors import ConfigError
from egressd.model.endpoint import Cloud, CloudTerms, Forwarding, Protocol


@pytest.fixture
def newer(catalog_dir: Path, tmp_path: Path) -> Path:
    """The same catalog a revision later: a row has another id, one another need, a region another code."""
    folder = tmp_path / "newer"
    folder.mkdir()
    for path in catalog_dir.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("id: b-arm", "id: b-manager").replace(
            "templated: [", "templated: ['x-{his}.his.example', "
        )
        text = text.replace("need: conditional\n    condition: there is no other clock", "need: required")
        text = text.replace("his: usgv", "his: usgx").replace("revision: 2026-11-20", "revision: 2027-01-02")
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder


def test_rows_are_compared_by_their_ids(catalog_dir: Path, newer: Path) -> None:
    """Each changed key is shown with both values; unchanged rows are counted."""
    changes = compare_catalogs(load_catalog(catalog_dir), load_catalog(newer))
    assert [one.id for one in changes.came] == ["b-manager"]
    assert [one.id for one in changes.went] == ["b-arm"]
    found = {row.id: [(one.key, one.before, one.after) for one in some] for row, some in changes.changed}
    assert found["m-time"] == [
        ("need", "conditional", "required"),
        ("condition", "there is no other clock", "none"),
    ]
    ((key, before, after),) = found["b-his"]
    assert key == "samples"
    assert "templated {his}.his.example;" in before
    assert "templated x-{his}.his.example, {his}.his.example;" in after
    assert changes.regions_changed == ("usgov usgovvirginia",)
    assert (changes.unchanged, changes.regions_came, changes.regions_went) == (0, (), ())


def test_text_fits_and_shows_what_to_request(catalog_dir: Path, newer: Path) -> None:
    """New rows are to be requested; no line is wider than the width."""
    text = render_catalog_diff_text(
        compare_catalogs(load_catalog(catalog_dir), load_catalog(newer)), width=60
    )
    assert "1 row added" in text
    assert "ADDED: request these\n  b-manager: management.example 443 https (required)" in text
    assert "m-time: need required, was conditional" in text
    assert all(len(line) <= 60 for line in text.splitlines())


def test_kinds_of_rows_are_written_in_words(catalog_dir: Path) -> None:
    """Ranges, gateways and what differs in a cloud are words, and no value of the program."""
    catalog = load_catalog(catalog_dir)
    row = replace(
        catalog.endpoints[0],
        port=None,
        protocol=Protocol.ICMP,
        gateway=(("bridge", Forwarding.DIRECT),),
        by_cloud=(CloudTerms(cloud=Cloud.USGOV, until="2026-09-09"),),
    )
    text = render_catalog_diff_text(
        compare_catalogs(catalog, replace(catalog, endpoints=(row, *catalog.endpoints[1:]))), width=100
    )
    flat = " ".join(text.split())
    assert "port none, was 443" in flat
    assert "gateway bridge, direct, was none" in flat
    assert "by_cloud cloud usgov; until 2026-09-09, was none" in flat
    added = compare_catalogs(
        replace(catalog, endpoints=catalog.endpoints[1:]), replace(catalog, endpoints=(row,))
    )
    assert "  b-arm: management.example icmp (required), Resource Manager\n" in render_catalog_diff_text(
        added
    )


def test_equal_catalogs_have_no_changes(catalog_dir: Path) -> None:
    """A catalog has no changes against itself."""
    text = render_catalog_diff_text(compare_catalogs(load_catalog(catalog_dir), load_catalog(catalog_dir)))
    assert " ".join(text.split()).endswith("0 rows added, 0 removed, 0 changed, 3 unchanged")


def test_json_names_its_schema(catalog_dir: Path, newer: Path) -> None:
    """The JSON has the same changes, and names its schema."""
    document = json.loads(
        render_catalog_diff_json(compare_catalogs(load_catalog(catalog_dir), load_catalog(newer)))
    )
    assert document["schema"] == "egressd.catalog-diff/1"
    assert (document["before"], document["after"]) == ("2026-11-20", "2027-01-02")
    assert [one["id"] for one in document["came"]] == ["b-manager"]
    assert document["changed"][-1]["changes"][0] == {
        "key": "need", "before": "conditional", "after": "required",
    }  # fmt: skip


def test_a_single_file_is_compared_with_its_profile(catalog_dir: Path, newer: Path) -> None:
    """Rows of other profiles are not reported, whichever of the two is the file."""
    changes = compare_catalogs(*load_pair(catalog_dir / "bridge.yaml", newer))
    assert [one.id for one in changes.came] == ["b-manager"]
    assert not any(row.profile == "machine" for row, _ in changes.changed)
    changes = compare_catalogs(*load_pair(catalog_dir, newer / "machine.yaml"))
    assert (changes.came, changes.went) == ((), ())
    assert [row.id for row, _ in changes.changed] == ["m-time"]


def test_the_built_in_catalog_is_the_other_one(tmp_path: Path) -> None:
    """Without a second catalog the first is compared with the one that ships."""
    shipped = Path(load_catalog.__code__.co_filename).parent / "data"
    changes = compare_catalogs(*load_pair(shipped, None))
    assert (changes.came, changes.went, changes.changed) == ((), (), ())
    assert changes.unchanged > 100


def test_mistakes_of_a_file_are_all_named(catalog_dir: Path) -> None:
    """A file that is wrong is refused with every problem, by its path."""
    path = catalog_dir / "bridge.yaml"
    text = path.read_text(encoding="utf-8").replace("port: 443", "port: 0").replace("id: b-arm", "id: B ARM")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_pair(path, None)
    assert len(caught.value.problems) >= 2
    assert all(one.startswith(f"{path}:") for one in caught.value.problems)
