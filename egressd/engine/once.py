"""One sweep from start to end: `egressd --once`, the lab, and the short form of the library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from egressd.engine.latest import RecordChange
from egressd.engine.session import OnDone, Session
from egressd.model.catalog import Catalog
from egressd.model.plan import Plan
from egressd.model.recording import Baseline, ProbeRecord
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep


class Progress(Struct, frozen=True, kw_only=True):
    """How far a sweep has come, in probes."""

    done: int
    total: int
    ok: int
    failing: int


class SweepListener(Protocol):
    """Is told of a sweep while it runs."""

    def planned(self, plan: Plan) -> None:
        """Take the plan, before anything is probed."""
        ...

    def probed(self, record: ProbeRecord) -> None:
        """Take the record of a probe that ended."""
        ...


async def run_once(
    settings: Settings,
    catalog: Catalog,
    *,
    progress: Callable[[Progress], None] | None = None,
    listener: SweepListener | None = None,
    stop: asyncio.Event | None = None,
    baseline: Baseline | None = None,
) -> Sweep:
    """Plan, probe and judge once, against a baseline if there is one.

    `progress` and `listener` are called as each probe ends; setting `stop` ends the sweep early.

    Raises:
        ConfigError: a trust store can't be read.
        UsageError: there is nothing to plan.
    """
    session = Session(settings, catalog, baseline=baseline, stop=stop)
    await session.discover()
    count = _counter(len(session.plan.probes), progress)
    if listener is None:
        return await session.sweep(on_done=count)
    listener.planned(session.plan)

    def on_done(record: ProbeRecord, change: RecordChange) -> None:
        count(record, change)
        listener.probed(record)

    return await session.sweep(on_done=on_done)


def run_sweep(settings: Settings, catalog: Catalog, *, baseline: Baseline | None = None) -> Sweep:
    """Plan, probe and judge once, where no event loop is running; raises what `run_once` raises."""
    found: list[Sweep] = []

    async def keep() -> None:
        # Not returned: Python 3.11 writes the main task out with its result as it puts SIGINT's handler back.
        found.append(await run_once(settings, catalog, baseline=baseline))

    asyncio.run(keep())
    return found[0]


def _counter(total: int, progress: Callable[[Progress], None] | None) -> OnDone:
    """Return what counts probes as they end; `ok` are those with a trail that reached its end."""
    done = ok = 0

    def count(record: ProbeRecord, _change: RecordChange) -> None:
        nonlocal done, ok
        done += 1
        ok += any(trail.address and trail.last and trail.last.failure is None for trail in record.trails)
        if progress is not None:
            progress(Progress(done=done, total=total, ok=ok, failing=done - ok))

    return count
