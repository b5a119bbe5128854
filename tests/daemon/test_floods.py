"""Peers that send without end, all kinds at once: who is well stays ok, health answers, signals are obeyed.

`TEST_FLOOD_SWEEPS` is the number of sweeps to look at, `TEST_FLOOD_RATE` the bytes per second of each
peer (0: as many as are taken).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.daemon.process import Running, daemon
from tests.hostile.floods.kinds import ALL_FLOODS
from tests.hostile.floods.serve import LOOPBACK, flooding

pytestmark = pytest.mark.alone
SWEEPS = int(os.environ.get("TEST_FLOOD_SWEEPS", "2"))
RATE = int(os.environ.get("TEST_FLOOD_RATE", "1000000"))
HEALTH_SECONDS = 1.0
NICE = 15
"""Floods cost their servers as much as their client: what is tested goes first."""
MEMORY = 192 * 1024
"""KiB."""
LIMITS = {
    "families": ["ipv4"],
    "dns_timeout": "1s",
    "connect_timeout": "1s",
    "tls_timeout": "1500ms",
    "http_timeout": "1500ms",
    "deadline": "4s",
}
KINDS = {one.name: one.protocol for one in ALL_FLOODS} | {"dns-other-ids": "dns", "ntp-other-times": "ntp"}


@contextmanager
def flooded(folder: Path, *, proxied: bool) -> Iterator[Path]:
    """Run servers that flood, and write the configuration that probes all of them and one that is well."""
    with (
        flooding("well", "dns") as well,
        flooding("proxy") as proxy,
        flooding(*KINDS, rate=RATE, nice=NICE) as floods,
    ):
        trust = folder / "trust.pem"
        trust.write_bytes(well.trust_store.read_bytes() + floods.trust_store.read_bytes())
        rows = [
            ("well", "https", well.ports["well"]),
            *((one, KINDS[one], floods.ports[one]) for one in KINDS),
        ]
        document: dict[str, Any] = {
            "profiles": [],
            "interval": "2s",
            "resolvers": [f"{LOOPBACK}:{well.ports['dns']}"],
            "trust": {"store": str(trust), "public_roots": str(trust)},
            "probe": LIMITS,
            "endpoints": [_endpoint(*row) for row in rows],
        }
        if proxied:
            document["proxy"] = {"url": f"http://{LOOPBACK}:{proxy.ports['proxy']}"}
        config = folder / "egressd.yml"
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        yield config


def _endpoint(name: str, protocol: str, port: int) -> dict[str, Any]:
    host = LOOPBACK if protocol == "dns" else f"{name}.flood.test"
    return {"id": name, "host": host, "port": port, "protocol": protocol}


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "tunnelled"])
def test_a_daemon_among_floods(tmp_path: Path, *, proxied: bool) -> None:
    """In every sweep the server that is well is ok, health and watchdog are in time; then SIGTERM is."""
    with (
        flooded(tmp_path, proxied=proxied) as config,
        daemon(tmp_path, config, WATCHDOG_USEC="2000000") as running,
    ):
        running.wait_for("READY=1")
        done: list[dict[str, Any]] = []
        while len(done) < SWEEPS:
            assert _ask(running, "/-/healthy", HEALTH_SECONDS)
            time.sleep(0.1)
            done = running.events("sweep")
            assert _own_verdict(running) in ("", "ok")
        assert _own_verdict(running) == "ok"
        assert _peak_memory(running) < MEMORY
        running.wait_for("WATCHDOG=1")
        code, seconds = running.stop()
        assert (code, seconds < 5) == (0, True)
        assert not [one for one in running.lines() if one["level"] == "error"]


def _ask(running: Running, path: str, seconds: float) -> str:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{running.port}{path}", timeout=seconds) as answer:
        text: str = answer.read().decode()
    return text


def _own_verdict(running: Running) -> str:
    """Return what is said of the server that is well: nothing before the first sweep has ended."""
    targets = json.loads(_ask(running, "/api/v1/targets", 5.0))["targets"]
    own = [one for one in targets if one["endpoint"] == "well"]
    return " ".join(one["outcome"] if one["outcome"] == "ok" else json.dumps(one) for one in own)


def _peak_memory(running: Running) -> int:
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def test_one_sweep_among_floods_ends_in_time(tmp_path: Path) -> None:
    """`--once` ends within its deadline, with a report that says what every peer did."""
    with flooded(tmp_path, proxied=False) as config:
        command = [sys.executable, "-m", "egressd", "--once", f"--config.file={config}", "--format=json"]
        ended = subprocess.run(
            [*command, "--deadline=20s"], capture_output=True, text=True, timeout=25, check=False
        )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    targets = {one["endpoint"]: one for one in json.loads(ended.stdout)["targets"]}
    assert targets["well"]["outcome"] == "ok"
    reasons = {one["reason"] for one in targets.values()}
    assert {"tls_flood", "http_flood"} <= reasons
    assert "internal_error" not in reasons
    blamed = {
        one["endpoint"]: one["blame"]
        for one in targets.values()
        if one["reason"] in ("tls_flood", "http_flood")
    }
    assert set(blamed.values()) == {"endpoint_owner"}, blamed
