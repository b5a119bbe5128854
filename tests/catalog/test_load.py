"""Catalog files become a Catalog, or every mistake in them is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from egressd.catalog import load_catalog
from egressd.errors import ConfigError
from egressd.model.catalog import DiscoveryCall, Profile, Region
from egressd.model.endpoint import Cloud, Endpoint, Need, Protocol, Provenance, Role, Samples
from egressd.planning.pattern import pattern_covers
from egressd.yamlfile import MAX_CHARACTERS


def broken(directory: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_catalog(directory)
    return caught.value.problems


def change(directory: Path, name: str, old: str, new: str) -> None:
    path = directory / name
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is not there once"
    path.write_text(text.replace(old, new))


def test_rows_take_their_defaults(catalog_dir: Path) -> None:
    """A row is its own keys over the file's defaults, and knows its document."""
    catalog = load_catalog(catalog_dir)
    assert catalog.endpoints[1] == Endpoint(
        id="b-his",
        profile="bridge",
        service="Identity",
        pattern="*.his.example",
        port=443,
        protocol=Protocol.HTTPS,
        roles=(Role.APPLIANCE,),
        need=Need.REQUIRED,
        purpose="Identify.",
        samples=Samples(
            documented=("gbl.his.example",),
            templated=("{his}.his.example",),
            discovered="his-region",
            random=True,
        ),
        provenance=Provenance(
            document="The list", commit="0c23bce664bc", date="2026-09-09", path="owner/repo/list.md"
        ),
    )


def test_profiles_regions_and_calls(catalog_dir: Path) -> None:
    """Profiles, regions and calls are kept in file order."""
    catalog = load_catalog(catalog_dir)
    assert catalog.profiles == (
        Profile(name="bridge", title="The bridge", summary="A bridge."),
        Profile(name="machine", title="The machine", summary="A machine.", includes=("bridge",)),
    )
    assert catalog.regions == (
        Region(name="westeurope", cloud=Cloud.PUBLIC, his="weu", gas="we", values=(("storage", "wes1"),)),
        Region(name="usgovvirginia", cloud=Cloud.USGOV, his="usgv"),
    )
    assert catalog.discoveries == (
        DiscoveryCall(
            name="his-region",
            cloud=Cloud.PUBLIC,
            host="gbl.his.example",
            path="/discovery?location={region}",
            answer="his-region",
        ),
    )
    assert catalog.revision == "2026-11-20"


def test_digest_follows_the_files(catalog_dir: Path) -> None:
    """The digest changes with any byte of the data, and with nothing else."""
    before = load_catalog(catalog_dir).digest
    assert load_catalog(catalog_dir).digest == before
    (catalog_dir / "notes.txt").write_text("not a catalog file")
    assert load_catalog(catalog_dir).digest == before
    change(catalog_dir, "machine.yaml", "Tell the time.", "Tell  the time.")
    assert load_catalog(catalog_dir).digest != before


HIS = 'pattern: "*.his.example"'
MISTAKES = yaml.safe_load((Path(__file__).parent / "mistakes.yaml").read_text())


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row["mistake"])
def test_each_mistake_has_its_message(catalog_dir: Path, row: dict[str, Any]) -> None:
    """One mistake gives its message, with file, line and row, and no others."""
    change(catalog_dir, row["file"], row["old"], row["new"])
    assert list(broken(catalog_dir)) == row["says"]


def test_all_mistakes_at_once(catalog_dir: Path) -> None:
    """Mistakes in several files, headers and rows are reported together."""
    change(catalog_dir, "bridge.yaml", "title: The bridge", "titel: The bridge")
    change(catalog_dir, "bridge.yaml", "gbl.his.example", "gbl.hers.example")
    change(catalog_dir, "machine.yaml", "port: 123", "port: 0")
    change(catalog_dir, "regions.yaml", "revision: 2026-11-20", "revision: today")
    places = [problem.split(": ")[0] for problem in broken(catalog_dir)]
    assert places == ["regions.yaml:2", "bridge.yaml:2", "bridge.yaml:2", "bridge.yaml:21", "machine.yaml:8"]


def test_a_file_that_is_a_list(catalog_dir: Path) -> None:
    """A file of the wrong shape is one mistake, not one per row."""
    (catalog_dir / "machine.yaml").write_text("- id: a\n")
    assert broken(catalog_dir) == ("machine.yaml:1: must be a mapping of keys to values, not a list",)


def test_a_file_that_is_not_yaml_does_not_hide_the_others(catalog_dir: Path) -> None:
    """A syntax error in one file is reported beside the mistakes of another."""
    (catalog_dir / "bridge.yaml").write_text("a: [1\n")
    change(catalog_dir, "machine.yaml", "port: 123", "port: 0")
    problems = broken(catalog_dir)
    assert problems[0].startswith("bridge.yaml:1: not valid YAML")
    assert (
        "machine.yaml:8: m-time.port: must be a port from 1 to 65535, or a range such as 10124-10139, not 0"
        in problems
    )


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda path: (path / "regions.yaml").unlink(), "there is no regions.yaml"),
        (lambda path: (path / "bridge.yaml").write_bytes(b"\xff\xfe"), "bridge.yaml:1: not UTF-8 text"),
        (
            lambda path: (path / "bridge.yaml").write_text("x" * (MAX_CHARACTERS + 1)),
            f"more than {MAX_CHARACTERS} characters",
        ),
    ],
)
def test_files_that_cannot_be_read(catalog_dir: Path, prepare: object, expected: str) -> None:
    """A file that is missing, binary or too large is an error with a message."""
    assert callable(prepare)
    prepare(catalog_dir)
    assert expected in broken(catalog_dir)[0]


def test_no_such_directory(tmp_path: Path) -> None:
    """A directory that is not there is named."""
    assert broken(tmp_path / "none") == (
        f"{tmp_path / 'none'}: cannot read the catalog: No such file or directory",
    )


def test_deep_allows_a_multi_label_sample(catalog_dir: Path) -> None:
    """`deep` lets the leading wildcard cover several labels."""
    change(catalog_dir, "bridge.yaml", HIS, HIS + "\n    deep: true")
    change(catalog_dir, "bridge.yaml", "[gbl.his.example]", "[a.b.his.example]")
    assert load_catalog(catalog_dir).endpoints[1].deep


def test_the_package_s_own_catalog_loads() -> None:
    """The data that ships is free of mistakes, and serves the two default profiles."""
    catalog = load_catalog()
    assert {"resource-bridge", "connected-machine", "scvmm"} <= {profile.name for profile in catalog.profiles}
    assert re.fullmatch(r"[0-9a-f]{64}", catalog.digest)
    for endpoint in catalog.endpoints:
        for host in endpoint.samples.documented:
            pattern = re.sub(r"\{[a-z_]+\}", "*", endpoint.pattern)
            assert pattern_covers(pattern, host, deep=endpoint.deep), f"{endpoint.id}: {host}"


def test_files_in_clear_expect_what_no_page_is() -> None:
    """Every row on port 80 that asks for a file says what is in it, or never is: anybody can answer."""
    rows = [one for one in load_catalog().endpoints if one.protocol is Protocol.HTTP and one.port == 80]
    wanted = {one.id: one.expect for one in rows if "." in one.path.rpartition("/")[2]}
    assert wanted
    for name, expect in wanted.items():
        assert expect.der or expect.sha256 or expect.not_content_type == "text/html", name
