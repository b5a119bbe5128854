"""`egressd catalog export --format LANGUAGE`, as an engineer runs it to have something to paste."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hcl2
import pytest
import yaml

from egressd.cli.options import RuleFormat
from egressd.firewall.languages import LANGUAGES
from tests.firewall.devices.test_fortigate import Console

SERVICE = "Bob's \"own\" ${service} %{if} $(id) \\ ]['x"
CONFIG = {
    "profiles": [],
    "region": "westeurope",
    "sources": [
        {"name": "appliance-1", "address": "10.20.0.11", "roles": ["appliance"]},
        {"name": "appliance-2", "address": "10.20.0.12", "roles": ["appliance"]},
        {"name": "machine", "interface": "eth1", "roles": ["machine"]},
    ],
    "endpoints": [
        {"id": "own-host", "service": SERVICE, "host": "own.corp.example", "port": 443, "protocol": "https"},
        {"id": "own-time", "service": "Time", "host": "time.corp.example", "port": 123, "protocol": "ntp"},
        {"id": "own-ping", "service": "Ping", "host": "10.9.9.9", "protocol": "icmp"},
        {
            "id": "own-deep",
            "service": "Deep",
            "pattern": "*.deep.example",
            "port": "8000-8002",
            "protocol": "tls",
        },
    ],
}
for one in CONFIG["endpoints"]:
    one["roles"] = ["appliance", "machine"]  # type: ignore[index]

READERS: dict[str, Callable[[str], object]] = {
    "azure-firewall": json.loads,
    "terraform": hcl2.loads,
    "fortigate": lambda text: Console().run(text),
}
"""One language of each kind: every one starts a process. The others are read in `tests/firewall`."""


def export(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `egressd catalog export` with the configuration."""
    path = tmp_path / "egressd.yml"
    path.write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    command = [sys.executable, "-m", "egressd", "catalog", "export", "--config.file", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_every_language_can_be_asked_for() -> None:
    """The names that `--format` takes are those of the languages, in their order."""
    assert [one.value for one in RuleFormat] == list(LANGUAGES)


@pytest.mark.parametrize("name", READERS)
def test_stdout_can_be_pasted_as_it_is(tmp_path: Path, name: str) -> None:
    """Nothing but the language is on stdout, nothing on stderr, and every source of each row is in."""
    done = export(tmp_path, "--format", name)
    assert (done.returncode, done.stderr) == (0, "")
    READERS[name](done.stdout)
    assert "own.corp.example" in done.stdout
    assert "10.20.0.11" in done.stdout
    assert "10.20.0.12" in done.stdout
    assert "eth1" in done.stdout


def test_without_rules_a_text_says_so(tmp_path: Path) -> None:
    """An empty selection is an empty document of the language, with a comment, and no error."""
    done = export(tmp_path, "--format", "fortigate", "--need", "optional")
    assert (done.returncode, done.stderr) == (0, "")
    assert "# egressd: 0 rules to ask for." in done.stdout
    assert "\nconfig" not in done.stdout


def test_an_unknown_language_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A device that has no language here is a mistake of the command line, and the names are listed."""
    done = export(tmp_path, "--format", "checkpoint")
    assert done.returncode == 2
    assert "fortigate" in done.stderr
