"""Many targets without answer, interrupts, endless responses: every sweep ends within its limits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.certificates import ZONE
from tests.servers.conftest import Run
from tests.servers.namespace import ServerNamespace

pytestmark = [pytest.mark.servers, pytest.mark.alone]

MANY = 1000
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
        "service": "Many",
        "host": host,
        "port": 443,
        "protocol": "https",
        "roles": ["machine"],
        **more,
    }


def _many() -> list[dict[str, Any]]:
    return [_endpoint(number, f"n{number}.good.{ZONE}") for number in range(MANY)]


def _seconds(run: dict[str, Any]) -> float:
    started_at, completed = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
    return (completed - started_at).total_seconds()


@pytest.mark.parametrize(("resolver", "phase"), [("unbound", "tcp"), ("dns_silent", "dns")])
def test_a_thousand_targets_without_answer(
    resolver: str,
    phase: str,
    settings: Callable[..., dict[str, Any]],
    sweep: Callable[..., Run],
) -> None:
    """A thousand silent targets take little more than one deadline, and each gets its verdict."""
    config = settings(*_many(), dial={"*:443": "full_backlog"}, resolver=resolver)
    config["probe"] |= {"deadline": f"{DEADLINE}s", "connect_timeout": f"{DEADLINE - 2}s"}
    run = sweep(config, timeout=180)
    assert len(run.report["targets"]) == MANY
    assert {one["outcome"] for one in run.report["targets"]} <= {"blocked", "down", "unknown"}
    assert {one["phase"] for one in run.report["targets"]} == {phase}
    assert _seconds(run.report["run"]) <= SLACK * DEADLINE
    assert run.completed.code in (1, 3)


def test_interrupt_leaves_a_valid_partial_report(
    namespace: ServerNamespace, settings: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """SIGINT ends the sweep at once, with every target in a valid report, and exit code 130."""
    healthy = _endpoint(MANY, f"healthy.{ZONE}")
    dial = {f"healthy.{ZONE}:443": "healthy", "*:443": "full_backlog"}
    config = settings(healthy, *_many(), dial=dial)
    config["probe"] |= {"deadline": "60s", "connect_timeout": "50s"}
    path = tmp_path / "egressd.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    interrupted: list[float] = []

    def all_wait() -> bool:
        """Return whether all silent targets are waiting; the healthy one is done."""
        if waiting := namespace.pending_connects() >= MANY:
            interrupted.append(time.monotonic())
        return waiting

    completed = namespace.egressd(
        "--once", f"--config.file={path}", "--format", "json", interrupt_when=all_wait, timeout=40
    )
    report = json.loads(completed.stdout)
    assert completed.code == 130, completed.stderr
    assert report["run"]["interrupted"] is True
    assert len(report["targets"]) == MANY + 1
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
    """With any hostile response the sweep ends with a verdict and in bounded memory."""
    host = f"{server.replace('_', '-')}.{ZONE}"
    port = 443 if protocol == "https" else 80
    endpoint = _endpoint(1, host, port=port, protocol=protocol)
    run = sweep(settings(endpoint, dial={f"{host}:{port}": server}), timeout=60)
    target = run.target(host)
    assert target["outcome"] in ("ok", "degraded", "blocked", "down", "unknown")
    assert target["reason"] != "internal_error", run.completed.stderr
    assert run.completed.code in (0, 1, 3)
    assert run.completed.peak_kib < MEMORY_KIB
    assert "Traceback" not in run.completed.stderr


def test_endless_download(settings: Callable[..., dict[str, Any]], sweep: Callable[..., Run]) -> None:
    """A gigabyte for a checksum is read within the deadline and never held in memory."""
    host = f"gigabyte.{ZONE}"
    expect = {"status": [200], "sha256": "0" * 64}
    endpoint = _endpoint(1, host, port=80, protocol="http", expect=expect)
    run = sweep(settings(endpoint, dial={f"{host}:80": "gigabyte"}), timeout=60)
    assert run.target(host)["outcome"] != "ok"
    assert run.completed.peak_kib < MEMORY_KIB


@pytest.mark.parametrize("resolver", ["dns_noise", "dns_loop", "dns_silent"])
def test_hostile_resolver(
    resolver: str, settings: Callable[..., dict[str, Any]], sweep: Callable[..., Run]
) -> None:
    """Random bytes, CNAME loops and timeouts of a resolver are DNS failures, not crashes."""
    host = f"healthy.{ZONE}"
    config = settings(_endpoint(1, host), dial={f"{host}:443": "healthy"}, resolver=resolver)
    run = sweep(config, timeout=60)
    target = run.target(host)
    assert target["phase"] == "dns"
    assert target["reason"].startswith("dns_"), target["reason"]
    assert run.completed.code in (1, 3)
    assert "Traceback" not in run.completed.stderr
