"""Service tags by flag, variable and file: in the plan, in a saved report, and a clear mistake where bad."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TAGS = {
    "changeNumber": 400,
    "values": [
        {
            "name": "AzureArcInfrastructure",
            "properties": {"region": "", "addressPrefixes": ["127.0.0.0/8", "192.0.2.0/24"]},
        }
    ],
}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "egressd", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | variables,
    )


def test_a_bad_file_ends_with_2_by_flag_and_78_by_file(tmp_path: Path) -> None:
    """One line each, before anything is probed."""
    bad, config = tmp_path / "tags.json", tmp_path / "egressd.yml"
    bad.write_text("<html>not found</html>")
    config.write_text("service_tags: tags.json\n")
    by_flag = run("--once", "--service-tags", str(bad))
    by_file = run("--once", "--config.file", str(config))
    by_variable = run("plan", EGRESSD_SERVICE_TAGS=str(bad))
    assert [one.returncode for one in (by_flag, by_file, by_variable)] == [2, 78, 2]
    for one in (by_flag, by_file, by_variable):
        assert one.stdout == ""
        assert "not JSON; it must be Microsoft's JSON" in one.stderr
        assert "Traceback" not in one.stderr


def test_an_old_file_is_said_in_the_report_and_judged_again(tmp_path: Path) -> None:
    """The report carries the ranges and the note, so that replay needs no file."""
    tags, saved = tmp_path / "ServiceTags_Public_20240101.json", tmp_path / "sweep.json"
    tags.write_text(json.dumps(TAGS))
    config = tmp_path / "egressd.yml"
    config.write_text(
        f"region: westeurope\nprofiles: [connected-machine]\nservice_tags: {tags.name}\n"
        "resolvers: ['127.0.0.1:9']\nprobe: {dns_timeout: 200ms, families: [ipv4]}\n"
    )
    done = run(
        *("--once", "--config.file", str(config), "--only", "gbl.his.arc.azure.com"),
        *("--format", "json", "--output", str(saved)),
    )
    assert done.returncode in (1, 3), done.stderr
    report = json.loads(saved.read_text())
    assert any("days old" in note for note in report["plan"]["notes"])
    (tag,) = report["plan"]["service_tags"]["tags"]
    assert tag["prefixes"] == ["127.0.0.0/8", "192.0.2.0/24"]
    tags.unlink()
    again = run("replay", str(saved), "--format", "json")
    assert json.loads(again.stdout)["plan"]["service_tags"] == report["plan"]["service_tags"]
