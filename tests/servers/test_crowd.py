"""Many silent targets, an impatient operator, servers that never stop: every sweep ends, in bounds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.conftest import Run
from tests.servers.papers import ZONE
from tests.servers.place import Place

pytestmark = [pytest.mark.servers, pytest.mark.alone]

CROWD = 1000
DEADLINE = 8
SLACK = 1.75
"""A sweep of silent targets ends within this many deadlines; a second round would make it two."""
MEMORY_KIB = 150 * 1024
HOSTILE = (
    "garbage",
    "endless_header",
    "one_endless_line",
    "gigabyte",
    "drip",
    "nothing",
    "half_record",
    "full_backlog",
)


def _endpoint(number: int, host: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "service": "Crowd",
        "host": host,
        "port": 443,
        "protocol": "https",
        "roles": ["machine"],
        **more,
    }


def _crowd() -> list[dict[str, Any]]:
    return [_endpoint(number, f"n{number}.good.{ZONE}") for number in range(CROWD)]


def _seconds(run: dict[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
    return (ended - begun).total_seconds()


@pytest.mark.parametrize(("resolver", "phase"), [("unbound", "tcp"), ("dns_silent", "dns")])
def test_a_thousand_black_holes(
    resolver: str,
    phase: str,
    settings: Callable[..., dict[str, Any]],
    sweep: Callable[..., Run],
) -> None:
    """A thousand silent targets cost little more than one deadline, and each gets its verdict."""
    config = settings(*_crowd(), dial={"*:443": "full_backlog"}, resolver=resolver)
    config["probe"] |= {"deadline": f"{DEADLINE}s", "connect_timeout": f"{DEADLINE - 2}s"}
    run = sweep(config, patience=180)
    assert len(run.report["targets"]) == CROWD
    assert {one["outcome"] for one in run.report["targets"]} <= {"blocked", "down", "unknown"}
    assert {one["phase"] for one in run.report["targets"]} == {phase}
    assert _seconds(run.report["run"]) <= SLACK * DEADLINE
    assert run.ended.code in (1, 3)


def test_interrupt_leaves_a_valid_partial_report(
    world: Place, settings: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Ctrl-C in the middle ends the sweep at once, with every target in a valid report, and exit code 130."""
    healthy = _endpoint(CROWD, f"healthy.{ZONE}")
    dial = {f"healthy.{ZONE}:443": "healthy", "*:443": "full_backlog"}
    config = settings(healthy, *_crowd(), dial=dial)
    config["probe"] |= {"deadline": "60s", "connect_timeout": "50s"}
    path = tmp_path / "egressd.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    interrupted: list[float] = []

    def all_wait() -> bool:
        """By then the healthy one, whose turn is first, has long been answered."""
        if waiting := world.dialling() >= CROWD:
            interrupted.append(time.monotonic())
        return waiting

    ended = world.egressd(
        "--once", f"--config.file={path}", "--format", "json", interrupt_when=all_wait, patience=40
    )
    report = json.loads(ended.stdout)
    assert ended.code == 130, ended.stderr
    assert report["run"]["interrupted"] is True
    assert len(report["targets"]) == CROWD + 1
    assert (
        next(one for one in report["targets"] if one["id"] and one["host"] == f"healthy.{ZONE}")["outcome"]
        == "ok"
    )
    assert time.monotonic() - interrupted[-1] < 30


@pytest.mark.parametrize("protocol", ["http", "https"])
@pytest.mark.parametrize("server", HOSTILE)
def test_hostile_server(
    server: str,
    protocol: str,
    settings: Callable[..., dict[str, Any]],
    sweep: Callable[..., Run],
) -> None:
    """Whatever a server sends, for however long, the sweep ends with a verdict and in bounded memory."""
    host = f"{server.replace('_', '-')}.{ZONE}"
    port = 443 if protocol == "https" else 80
    endpoint = _endpoint(1, host, port=port, protocol=protocol)
    run = sweep(settings(endpoint, dial={f"{host}:{port}": server}), patience=60)
    target = run.target(host)
    assert target["outcome"] in ("ok", "degraded", "blocked", "down", "unknown")
    assert target["reason"] != "internal_error", run.ended.stderr
    assert run.ended.code in (0, 1, 3)
    assert run.ended.peak_kib < MEMORY_KIB
    assert "Traceback" not in run.ended.stderr


def test_a_download_that_never_ends(
    settings: Callable[..., dict[str, Any]], sweep: Callable[..., Run]
) -> None:
    """A gigabyte where a checksum is wanted is read within the deadline and never held in memory."""
    host = f"gigabyte.{ZONE}"
    expect = {"status": [200], "sha256": "0" * 64}
    endpoint = _endpoint(1, host, port=80, protocol="http", expect=expect)
    run = sweep(settings(endpoint, dial={f"{host}:80": "gigabyte"}), patience=60)
    assert run.target(host)["outcome"] != "ok"
    assert run.ended.peak_kib < MEMORY_KIB


@pytest.mark.parametrize("resolver", ["dns_noise", "dns_loop", "dns_silent"])
def test_hostile_resolver(
    resolver: str, settings: Callable[..., dict[str, Any]], sweep: Callable[..., Run]
) -> None:
    """Noise, loops and silence from a resolver end as a failure of DNS, not as a crash."""
    host = f"healthy.{ZONE}"
    config = settings(_endpoint(1, host), dial={f"{host}:443": "healthy"}, resolver=resolver)
    run = sweep(config, patience=60)
    target = run.target(host)
    assert target["phase"] == "dns"
    assert target["reason"].startswith("dns_"), target["reason"]
    assert run.ended.code in (1, 3)
    assert "Traceback" not in run.ended.stderr
