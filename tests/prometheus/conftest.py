"""Where the files for Prometheus are, and whether its programs are on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "config"
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
RULES = sorted((CONFIG / "prometheus").glob("egressd-*.yml"))

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian's package prometheus)"
)


def promtool(*words: str | Path) -> str:
    """Run promtool, which must succeed, and return what it prints."""
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
