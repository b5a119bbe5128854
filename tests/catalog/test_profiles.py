"""The profiles as people and programs see them: figures that agree with the rows, pages that hold them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from egressd.catalog import load_catalog
from egressd.catalog.profiles import render_profiles, render_profiles_json, summarize_profiles
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Need
from egressd.model.settings import DEFAULT_PROFILES, Settings
from egressd.planning.placeholder import placeholders, regional_placeholders
from egressd.planning.select import select
from tests.catalog.conftest import BRIDGE, MACHINE

CATALOG = load_catalog()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(catalog_dir: Path) -> Catalog:
    """A catalog of two profiles, with what only some profiles have."""
    bridge = BRIDGE.replace(
        "summary: A bridge., includes: []",
        "summary: A bridge., audience: Whoever has a bridge, regions: {public: [westeurope]}",
    )
    bridge += """\
  - id: b-vault
    service: Vault
    pattern: "{vault}.vault.example"
    purpose: Keep secrets.
    need: conditional
    condition: secrets are kept
    feature: secrets
    clouds: {public: {}, usgov: {need: optional}}
"""
    (catalog_dir / "bridge.yaml").write_text(bridge)
    (catalog_dir / "machine.yaml").write_text(MACHINE)
    (catalog_dir / "features.yaml").write_text(
        "schema: egressd.features/1\nfeatures: [{name: secrets, title: Secrets}]\n"
    )
    return load_catalog(catalog_dir)


def test_text(small: Catalog) -> None:
    """A block for each: what it is, for whom, rows by cloud and need, and what else there is to know."""
    assert (
        render_profiles(small, width=80)
        == """\
2 profiles, catalog of 2026-11-20. Choose with --profile NAME, once for each, or
with `profiles:` in the configuration. Without either: resource-bridge,
connected-machine.

bridge: The bridge
  for       Whoever has a bridge
  rows      public: 3 (2 required, 1 conditional)
            usgov: 1 (1 optional)
  regions   public: westeurope
  features  secrets
  values    vault

machine: The machine
  for       A machine.
  rows      public: 1 (1 conditional)
  includes  bridge
"""
    )


def test_json(small: Catalog) -> None:
    """Programs get the same."""
    document = json.loads(render_profiles_json(small))
    assert (document["schema"], document["default"]) == ("egressd.profiles/1", list(DEFAULT_PROFILES))
    assert document["catalog"] == {"revision": small.revision, "digest": small.digest}
    bridge, machine = document["profiles"]
    assert bridge == {
        "name": "bridge",
        "title": "The bridge",
        "summary": "A bridge.",
        "audience": "Whoever has a bridge",
        "default": False,
        "includes": [],
        "include_conditions": {},
        "clouds": {
            "public": {"rows": 3, "required": 2, "conditional": 1, "optional": 0},
            "usgov": {"rows": 1, "required": 0, "conditional": 0, "optional": 1},
        },
        "regions": {"public": ["westeurope"]},
        "features": ["secrets"],
        "values": ["vault"],
        "offline_limit_days": None,
    }
    assert (machine["name"], machine["includes"]) == ("machine", ["bridge"])


def test_every_row_of_the_package_is_counted_once() -> None:
    """The figures add up to the catalog, and to what a selection of the profile alone has."""
    for cloud in Cloud:
        counted = [
            sum(one.needs[cloud].values()) for one in summarize_profiles(CATALOG) if cloud in one.needs
        ]
        assert sum(counted) == sum(cloud in row.clouds for row in CATALOG.endpoints)
    summary = next(one for one in summarize_profiles(CATALOG) if one.profile.name == "defender")
    rows = [row.endpoint for row in select(CATALOG, Settings(cloud=Cloud.USGOV, profiles=("defender",)))]
    assert summary.needs[Cloud.USGOV] == {
        need: some for need in Need if (some := sum(row.need is need for row in rows))
    }


def test_the_default_profiles_are_marked() -> None:
    """Those that a sweep without options checks, and no other."""
    marked = re.findall(r"^(\S+) \(default\): ", render_profiles(CATALOG), re.MULTILINE)
    assert set(marked) == set(Settings().profiles) == {"resource-bridge", "connected-machine"}


def test_the_text_fits_a_terminal() -> None:
    """No line is wider than 80 columns, and every profile says for whom it is."""
    text = render_profiles(CATALOG, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("\n  for       ") == len(CATALOG.profiles)


def test_every_placeholder_of_the_package_is_explained() -> None:
    """A placeholder is a region's, the resolver's, or one that the page on the catalog has a line on."""
    page = (ROOT / "docs" / "catalog.md").read_text(encoding="utf-8")
    block = page.partition("```yaml\nvalues:\n")[2].partition("```")[0]
    explained = set(re.findall(r"^  ([a-z_]+): .*# ", block, re.MULTILINE))
    used = {name for one in CATALOG.endpoints for text in one.written_hosts for name in placeholders(text)}
    assert used - regional_placeholders(CATALOG) - {"resolver"} == explained


def test_every_profile_has_a_page_with_all_its_rows_and_no_page_is_left_over() -> None:
    """A page is there for each profile that is there, and names each of its rows."""
    pages = {one.stem: one.read_text(encoding="utf-8") for one in (ROOT / "docs" / "catalog").glob("*.md")}
    assert pages.keys() == {one.name for one in CATALOG.profiles} | {"README"}
    for row in CATALOG.endpoints:
        assert f"| `{row.id}` |" in pages[row.profile], row.id
    assert all(f"[{name}]({name}.md)" in pages["README"] for name in pages if name != "README")
