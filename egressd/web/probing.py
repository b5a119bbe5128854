"""`/probe?target=ID`: one target of the plan, probed now, as often as Prometheus scrapes it.

Ids come from the plan only: no request can name a host. One probe at a time, few that wait, and the same
target not twice in quick succession, so that egressd can't be used to flood other hosts.
"""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from msgspec import Struct, field
from msgspec.structs import replace

from egressd import clock
from egressd.daemon.holder import SnapshotHolder
from egressd.engine.session import Session
from egressd.errors import EgressdError
from egressd.metrics.exposition import PLAIN
from egressd.metrics.once import render_target
from egressd.model.catalog import Catalog
from egressd.model.plan import Plan
from egressd.model.settings import Settings
from egressd.web.middleware import refuse

MAX_WAITING = 20
AGAIN_AFTER = 5.0
"""Seconds before the same target may be asked for again."""
TIMEOUT = 30.0
"""Seconds for waiting and probing together, where the request does not say."""
SCRAPE_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"
HEAD_START = 0.5
"""Seconds by which we give up before Prometheus does, so that it gets an answer."""


class ProbeEndpoint(Struct, kw_only=True):
    """Answers `/probe`."""

    holder: SnapshotHolder
    catalog: Catalog
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0
    _asked: dict[str, float] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the metrics of one target, probed now."""
        settings, plan = self.holder.current.settings, self.holder.current.plan
        if not settings.web.enable_probe:
            return refuse(request, 403, "single probes are off: set web.enable_probe")
        wanted = request.query.getall("target", [])
        if plan is None:
            return refuse(request, 503, "there is no plan yet")
        if len(wanted) != 1 or wanted[0] not in {one.id for one in plan.targets}:
            why = "target must be the id of a target of the plan; /api/v1/targets lists them"
            return refuse(request, 400, why)
        if self._waiting >= MAX_WAITING or self._too_soon(wanted[0], plan):
            why = f"too many probes at once, or this target within {AGAIN_AFTER:.0f} seconds"
            return refuse(request, 429, why, {hdrs.RETRY_AFTER: f"{AGAIN_AFTER:.0f}"})
        return await self._probe(request, wanted[0], settings, plan)

    def _too_soon(self, target: str, plan: Plan) -> bool:
        now = clock.monotonic()
        if now - self._asked.get(target, now - AGAIN_AFTER) < AGAIN_AFTER:
            return True
        self._asked = {one.id: self._asked[one.id] for one in plan.targets if one.id in self._asked}
        self._asked[target] = now
        return False

    async def _probe(self, request: web.Request, target: str, settings: Settings, plan: Plan) -> web.Response:
        seconds = _seconds(request)
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds), self._turn:
                session = await asyncio.to_thread(
                    Session, settings, self.catalog, plan=plan_of_target(plan, target)
                )
                sweep = await session.sweep()
        except EgressdError as error:
            return refuse(request, 503, f"cannot probe now: {error}")
        except TimeoutError:
            return refuse(request, 504, f"the probe was not done within {seconds:g} seconds")
        finally:
            self._waiting -= 1
        text = await asyncio.to_thread(render_target, sweep)
        return web.Response(text=text, headers={hdrs.CONTENT_TYPE: PLAIN})


def plan_of_target(plan: Plan, target: str) -> Plan:
    """Narrow a plan to one target, from every source it is probed from."""
    return replace(
        plan,
        targets=tuple(one for one in plan.targets if one.id == target),
        probes=tuple(replace(one, targets=(target,)) for one in plan.probes if target in one.targets),
        unsampled=(),
        coverage=(),
    )


def _seconds(request: web.Request) -> float:
    try:
        wanted = float(request.headers.get(SCRAPE_TIMEOUT, TIMEOUT + HEAD_START)) - HEAD_START
    except ValueError:
        return TIMEOUT
    return min(max(wanted, HEAD_START), TIMEOUT) if wanted == wanted else TIMEOUT  # noqa: PLR0124 - nan
