"""A lab in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def lab_process(config: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `egressd lab` with its configuration in a file; yield the process once the lab is open.

    What it prints after that is not read, so it must stay small.
    """
    command = [sys.executable, "-m", "egressd", "lab", *arguments, "--config.write", str(config)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = ""
        while "the lab is open" not in said:
            said = process.stdout.readline()
            assert said, "the lab did not open; it said why on stderr"
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()
