"""What `egressd fleet --prometheus` takes, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

from bench.fleet.programs import Running


@dataclass(frozen=True, kw_only=True)
class CommandCost:
    """One call."""

    code: int
    wall: float
    cpu: float
    peak_mib: float
    sites: int
    verdicts: int

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"egressd fleet --prometheus: {self.wall:.1f} s, {self.cpu:.1f} s of a processor, "
            f"{self.peak_mib:.0f} MiB; {self.sites} sites, {self.verdicts} verdicts, exit code {self.code}"
        )


def fleet_command(running: Running) -> CommandCost | None:
    """Run it once; None: it could not be used."""
    words = ("fleet", "--prometheus", f"http://{running.prometheus}", "--format", "json")
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "egressd", *words], stdout=subprocess.PIPE)
    stdout = process.stdout
    text = stdout.read() if stdout else b""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if not text:
        return None
    document = json.loads(text)
    return CommandCost(
        code=process.returncode,
        wall=time.monotonic() - begun,
        cpu=used.ru_utime + used.ru_stime,
        peak_mib=used.ru_maxrss / 1024,
        sites=len(document["sites"]),
        verdicts=len(document["verdicts"]),
    )
