"""`/probe?target=ID`: one target of the plan, looked at now, at Prometheus' own rhythm if it likes.

Ids come from the plan only: no request can name a host. One look at a time, few in waiting, and the same
target not twice in quick succession, so that nobody uses egressd to knock on somebody's door.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial

from aiohttp import hdrs, web

from egressd import clock
from egressd.attribution import judge
from egressd.daemon.holder import SnapshotHolder
from egressd.drive import ask, open_context
from egressd.errors import EgressdError
from egressd.metrics.exposition import PLAIN
from egressd.metrics.once import render_target
from egressd.model.plan import Plan
from egressd.model.recording import ProbeRecord
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep
from egressd.probe.sweep import sweep

MOST_WAITING = 20
AGAIN_AFTER = 5.0
"""Seconds before the same target may be asked for again."""
PATIENCE = 30.0
"""Seconds for waiting and probing together, where the request does not say."""
SCRAPE_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"
HEAD_START = 0.5
"""Seconds by which we give up before Prometheus does: then it gets an answer."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """Where single looks are asked for."""

    holder: SnapshotHolder
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0
    _asked: dict[str, float] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the metrics of one target, from a look made now."""
        settings, plan = self.holder.current.settings, self.holder.current.plan
        if not settings.web.enable_probe:
            return _refuse(403, "single probes are off: set web.enable_probe")
        wanted = request.query.getall("target", [])
        if plan is None:
            return _refuse(503, "there is no plan yet")
        if len(wanted) != 1 or wanted[0] not in {one.id for one in plan.targets}:
            return _refuse(400, "target must be the id of a target of the plan; /api/v1/targets lists them")
        if self._waiting >= MOST_WAITING or self._too_soon(wanted[0], plan):
            busy = _refuse(429, f"too many probes at once, or this target within {AGAIN_AFTER:.0f} seconds")
            busy.headers[hdrs.RETRY_AFTER] = f"{AGAIN_AFTER:.0f}"
            return busy
        return await self._look(wanted[0], settings, plan, patience=_patience(request))

    def _too_soon(self, target: str, plan: Plan) -> bool:
        now = clock.monotonic()
        if now - self._asked.get(target, now - AGAIN_AFTER) < AGAIN_AFTER:
            return True
        self._asked = {one.id: self._asked[one.id] for one in plan.targets if one.id in self._asked}
        self._asked[target] = now
        return False

    async def _look(self, target: str, settings: Settings, plan: Plan, *, patience: float) -> web.Response:
        self._waiting += 1
        try:
            async with asyncio.timeout(patience), self._turn:
                seen = await look(target, settings, plan)
        except EgressdError as error:
            return _refuse(503, f"cannot probe now: {error}")
        except TimeoutError:
            return _refuse(504, f"the probe was not done within {patience:g} seconds")
        finally:
            self._waiting -= 1
        text = await asyncio.to_thread(render_target, seen)
        return web.Response(text=text, headers={hdrs.CONTENT_TYPE: PLAIN})


async def look(target: str, settings: Settings, plan: Plan) -> Sweep:
    """Probe one target from every source it is probed from, and judge it by itself."""
    narrow = replace(
        plan,
        targets=tuple(one for one in plan.targets if one.id == target),
        probes=tuple(replace(one, targets=(target,)) for one in plan.probes if target in one.targets),
        unsampled=(),
        coverage=(),
    )
    context = await asyncio.to_thread(open_context, settings, narrow)
    recording = await sweep(
        narrow, context, stop=asyncio.Event(), on_done=_ignore, plan_followups=partial(ask, settings)
    )
    return await asyncio.to_thread(judge, recording)


def _ignore(_record: ProbeRecord) -> None:
    """Nobody waits for a part of it."""


def _patience(request: web.Request) -> float:
    try:
        wanted = float(request.headers.get(SCRAPE_TIMEOUT, PATIENCE + HEAD_START)) - HEAD_START
    except ValueError:
        return PATIENCE
    return min(max(wanted, HEAD_START), PATIENCE) if wanted == wanted else PATIENCE  # noqa: PLR0124 - nan


def _refuse(status: int, why: str) -> web.Response:
    return web.Response(status=status, text=f"{why}\n")
