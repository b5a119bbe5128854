"""The example configurations are right: they load, each plan is complete, and nothing in them is idle."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from egressd.catalog import load_catalog
from egressd.cli.app import app
from egressd.config import Flags, load_settings
from egressd.model.endpoint import Need
from egressd.model.plan import Plan
from egressd.planning.plan import make_plan

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "examples"
FILES = sorted(FOLDER.glob("*.yml"))
EACH = pytest.mark.parametrize("path", FILES, ids=lambda one: one.name)
CATALOG = load_catalog()


def plan_of(path: Path) -> Plan:
    """Plan with a file, whatever host this is."""
    settings = load_settings(path, Flags(), catalog=CATALOG, host=False)
    return make_plan(CATALOG, settings, label="egressd-probe-0")


@EACH
def test_an_example_has_no_mistake_and_no_warning(path: Path) -> None:
    """`egressd config check --no-host` says ok, and nothing else."""
    done = CliRunner().invoke(app, ["config", "check", "--no-host", "--config.file", str(path)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("ok: ")


@EACH
def test_an_example_plans_on_a_host(path: Path, tmp_path: Path) -> None:
    """With the files it names in place, `egressd plan` prints its plan."""
    text = path.read_text(encoding="utf-8").replace("/etc/egressd/", f"{tmp_path}/")
    (tmp_path / "egressd.yml").write_text(text, encoding="utf-8")
    (tmp_path / "proxy-password").write_text("a password\n", encoding="utf-8")
    (tmp_path / "proxy-password").chmod(0o600)
    shutil.copy(ROOT / "config" / "web.yml", tmp_path / "web.yml")
    done = CliRunner().invoke(app, ["plan", "--config.file", str(tmp_path / "egressd.yml")])
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.search(r"^Plan: [0-9]+ targets by [0-9]+ probes", done.stdout)


@EACH
def test_nothing_is_idle_and_no_required_endpoint_lacks_a_value(path: Path) -> None:
    """Each source and override does something, and each required row has the values it needs."""
    plan = plan_of(path)
    assert [one.endpoint for one in plan.unsampled if one.need is Need.REQUIRED and one.lacks] == []
    assert [note for note in plan.notes if "matches nothing" in note or "nothing is probed" in note] == []


@EACH
def test_every_value_is_used(path: Path) -> None:
    """Each key of `values`, and each feature, belongs to a row of the chosen profiles."""
    settings = load_settings(path, Flags(), catalog=CATALOG, host=False)
    plan = plan_of(path)
    rows = {one.endpoint for one in plan.targets} | {one.endpoint for one in plan.unsampled}
    chosen = [one for one in CATALOG.endpoints if one.id in rows]
    used = {name for one in chosen for name in re.findall(r"\{(\w+)\}", one.pattern)}
    assert {name for name, _ in settings.values} <= used
    assert set(settings.features or ()) <= {one.feature for one in chosen}


def test_two_appliances_are_both_probed() -> None:
    """Each row of the appliance is probed from both addresses, through the proxy."""
    plan = plan_of(FOLDER / "two-appliances-behind-a-proxy.yml")
    [mcr] = [one for one in plan.targets if one.endpoint == "rb-mcr"]
    probes = [one for one in plan.probes if mcr.id in one.targets]
    assert {one.source for one in probes} == {"appliance-1", "appliance-2", "control-plane", "management"}
    assert all(one.via_proxy for one in probes)


def test_the_list_names_every_example() -> None:
    """The table beside the files has a row for each."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[`([\w.-]+)`\]", text, re.MULTILINE)) == [one.name for one in FILES]
