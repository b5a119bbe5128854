"""The daemon notices that its configuration file says something else than what is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.daemon.reload import watch_file
from egressd.errors import ConfigError
from egressd.metrics.collect import rows_of
from egressd.model.snapshot import StateStatus
from tests.daemon.simulation import make_simulation


async def test_a_changed_file_is_stale_until_it_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed, bad or absent: it is stale since the first time; put back, it is not."""
    monkeypatch.setattr("egressd.daemon.reload.STALE_EVERY", 0.001)
    holder = make_simulation().holder
    holder.update(config=replace(holder.current.config, digest="held"))

    def bad() -> str:
        raise ConfigError(("egressd.yml:1: bad",))

    contents: list[Callable[[], str | None]] = [lambda: "held"]

    def on_disk() -> str | None:
        return contents[0]()

    task = asyncio.get_running_loop().create_task(watch_file(holder, on_disk))

    async def seen(stale: bool) -> str | None:
        async with asyncio.timeout(10):
            while (holder.current.config.stale_since is not None) is not stale:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert rows_of(holder.current, limits={})["config_stale"] == [((), float(stale))]
        return holder.current.config.stale_since

    await seen(stale=False)
    contents[0] = lambda: "other"
    since = await seen(stale=True)
    for content in (bad, lambda: None):
        contents[0] = content
        await asyncio.sleep(0.02)
        assert await seen(stale=True) == since
    contents[0] = lambda: "held"
    await seen(stale=False)
    assert not task.done()
    task.cancel()


def test_state_that_is_not_kept_is_a_metric() -> None:
    """1 while it is saved, 0 while it is not, absent where nothing is to be kept."""
    holder = make_simulation().holder
    values = []
    for status in (
        StateStatus(),
        StateStatus(directory="/var/lib/egressd", saved_at="2026-11-20T03:00:00.000Z"),
        StateStatus(directory="/var/lib/egressd", problem="no space"),
    ):
        rows = rows_of(holder.update(state=status), limits={})
        values.append((rows.get("state_persisted"), rows.get("state_last_saved_timestamp_seconds")))
    assert values == [(None, None), ([((), 1.0)], [((), 1795143600.0)]), ([((), 0.0)], None)]
