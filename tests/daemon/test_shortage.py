"""The program with too few descriptors, threads or memory: what it lacks accuses nobody."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import Lab, settings

ALLOWED = {("ok", None), ("unknown", "local_resource_exhausted")}
SWEEP = """
import sys
import egressd.engine.session as session

real = session.sweep

async def watched(*args, **options):
    before = set(sys.modules)
    found = await real(*args, **options)
    print("imported:", *sorted(set(sys.modules) - before), file=sys.stderr)
    return found

session.sweep = watched
sys.argv = ["egressd", *sys.argv[1:]]
from egressd.__main__ import main
main()
"""
"""The program, which says what a sweep imported."""


def once(config: Path, *, limit: Callable[[], None]) -> tuple[int, dict[str, Any], str]:
    """Sweep once within a limit; return the exit code, the report and what was logged."""
    done = subprocess.run(
        [sys.executable, "-m", "egressd", "--once", f"--config.file={config}", "--format=json"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("descriptors", [16])
def test_few_descriptors(lab: Lab, tmp_path: Path, descriptors: int) -> None:
    """With fewer descriptors than it needs, targets are ok or not known, and only this host is blamed."""
    config = tmp_path / "few.yaml"
    config.write_text(settings(lab, profiles=["resource-bridge"]), encoding="utf-8")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    code, report, said = once(config, limit=limit)
    seen = Counter((one["outcome"], one["reason"]) for one in report["targets"])
    assert set(seen) <= ALLOWED
    assert seen["unknown", "local_resource_exhausted"]
    assert code == 3
    assert {one["reason"] for one in report["findings"]} <= {"local_resource_exhausted"}
    assert {one["blame"] for one in report["targets"]} <= {None, "egressd_env"}
    assert "Traceback" not in said


@pytest.mark.parametrize("fault", ["inspection=mcr.microsoft.com", "dns_truncated=mcr.microsoft.com"])
def test_a_sweep_imports_nothing(fault: str) -> None:
    """What a sweep needs is imported before it: an import during it may find no descriptor."""
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, "lab", "--once", f"--fault={fault}"],
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("imported:")]
    assert line == "imported:"
