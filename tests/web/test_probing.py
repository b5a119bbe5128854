"""`/probe`: probes a target of the plan now, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.engine.plan import plan_sweep
from egressd.lab import Lab
from egressd.model.snapshot import Snapshot
from egressd.web import probing
from tests.metrics.snapshots import make_snapshot
from tests.web.conftest import Running, Start


def of_lab(lab: Lab) -> Snapshot:
    settings = lab.settings()
    return replace(make_snapshot(), settings=settings, plan=plan_sweep(settings, lab.catalog))


async def start_on(lab: Lab, start: Start) -> Running:
    return await start(of_lab(lab), enable_probe=True)


TARGET = "rb-mcr/mcr.microsoft.com:443"


async def test_probe_is_off_by_default(start: Start) -> None:
    """`/probe` is off by default: reaching the port is not enough to make the host send anything."""
    running = await start()
    assert (await running.get("/probe", params={"target": TARGET}))[0] == 403


async def test_one_target_is_probed_now(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The response is a new probe of this target; the next request has to wait."""
    monkeypatch.setattr(probing, "AGAIN_AFTER", 60.0)
    async with Lab() as lab:
        running = await start_on(lab, start)
        status, text = await running.get("/probe", params={"target": TARGET})
        assert status == 200
        assert f'egressd_target_up{{source="default",target="{TARGET}"}} 1.0' in text
        assert text.count("egressd_target_up{") == 1
        assert (await running.get("/probe", params={"target": TARGET}))[0] == 429


async def test_a_fault_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe of one target has the reason that a sweep would give."""
    monkeypatch.setattr(probing, "AGAIN_AFTER", 0.0)
    async with Lab(faults=["tls_reset=mcr.microsoft.com"]) as lab:
        running = await start_on(lab, start)
        for _ in range(2):
            status, text = await running.get("/probe", params={"target": TARGET})
            assert status == 200
            assert 'reason="tls_reset_after_hello"' in text


async def test_a_missing_trust_store_is_an_error_message(start: Start, tmp_path: Path) -> None:
    """A missing trust store is an error message, not a traceback."""
    async with Lab() as lab:
        shown = of_lab(lab)
        trust = replace(shown.settings.trust, store=str(tmp_path / "gone.pem"))
        running = await start(
            replace(shown, settings=replace(shown.settings, trust=trust)), enable_probe=True
        )
        status, text = await running.get("/probe", params={"target": TARGET})
        assert status == 503
        assert "gone.pem" in text


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"target": "169.254.169.254:80"},
        {"target": "http://127.0.0.1:22/"},
        {"target": "rb-mcr"},
        {"target": ""},
        [("target", TARGET), ("target", TARGET)],
    ],
)
async def test_only_ids_of_planned_targets_are_accepted(
    start: Start, query: dict[str, str] | list[tuple[str, str]]
) -> None:
    """Anything but the id of a target is refused before a socket is opened."""
    async with Lab() as lab:
        running = await start_on(lab, start)
        status, text = await running.get("/probe", params=query)
        assert status == 400
        assert "169.254" not in text


async def test_a_probe_beyond_the_scrape_timeout_is_cancelled(start: Start) -> None:
    """A probe that exceeds Prometheus' scrape timeout is cancelled and reported."""
    async with Lab(faults=["tcp_silent=mcr.microsoft.com"]) as lab:
        running = await start_on(lab, start)
        brief = {probing.SCRAPE_TIMEOUT: "1.1"}
        status, text = await running.get("/probe", params={"target": TARGET}, headers=brief)
        assert (status, "0.6 seconds" in text) == (504, True)


async def test_waiting_requests_are_limited(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes run one at a time; with too many waiting, further requests get 429 at once."""
    monkeypatch.setattr(probing, "MAX_WAITING", 2)
    async with Lab(faults=["tcp_silent=*"]) as lab:
        running = await start_on(lab, start)
        plan = running.holder.current.plan
        assert plan is not None
        found: list[int] = []

        async def ask(target: str) -> None:
            headers = {probing.SCRAPE_TIMEOUT: "2"}
            found.append((await running.get("/probe", params={"target": target}, headers=headers))[0])

        async with asyncio.TaskGroup() as group:
            for one in plan.targets[10:15]:
                group.create_task(ask(one.id))
        assert found.count(429) == 3
