"""The routes and their handlers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from http import HTTPStatus

from aiohttp import hdrs, web
from msgspec import Struct

from egressd import clock
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.metrics.exposition import Exposition, choose_form
from egressd.metrics.limits import offline_limits
from egressd.model.catalog import Catalog
from egressd.model.snapshot import Snapshot
from egressd.state.history import HistoryError
from egressd.web.api.document import SweepJson, alerts_document, targets_document
from egressd.web.api.history import (
    EVENT_KEYS,
    TIMELINE_KEYS,
    HistoryQuery,
    history_document,
    parse_query,
    timeline_document,
)
from egressd.web.api.paging import BadQueryError, parse_page
from egressd.web.connection.page import PageMaker
from egressd.web.middleware import Gate, refuse
from egressd.web.probing import ProbeEndpoint
from egressd.web.routes import PageRoutes

RELOAD_TIMEOUT = 30.0
"""Seconds to wait for a reload."""
MOST_NAMES = 100
"""Metrics that `name[]` may select at once."""
JSON = {hdrs.CONTENT_TYPE: "application/json; charset=utf-8"}


def make_app(gate: Gate, holder: SnapshotHolder, intents: Intents, catalog: Catalog) -> web.Application:
    """Return the application; its only state is caches."""
    app = web.Application(middlewares=[gate.check])
    app.on_response_prepare.append(gate.add_headers)
    pages = PageMaker()
    handlers = Handlers(
        holder=holder,
        intents=intents,
        exposition=Exposition(offline_limits(catalog)),
        sweeps=SweepJson(),
        pages=pages,
        probe_endpoint=ProbeEndpoint(holder=holder, catalog=catalog),
    )
    for path, handler in PageRoutes(holder=holder, pages=pages):
        app.router.add_get(path, handler)
    app.router.add_get("/metrics", handlers.metrics)
    app.router.add_get("/probe", handlers.probe)
    app.router.add_get("/-/healthy", handlers.healthy)
    app.router.add_get("/-/ready", handlers.ready)
    for method in (hdrs.METH_POST, hdrs.METH_PUT):
        app.router.add_route(method, "/-/reload", handlers.reload)
    app.router.add_get("/api/v1/sweep", handlers.sweep)
    app.router.add_get("/api/v1/targets", handlers.targets)
    app.router.add_get("/api/v1/alerts", handlers.alerts)
    app.router.add_get("/api/v1/history", handlers.history)
    app.router.add_get("/api/v1/timeline", handlers.timeline)
    return app


class Handlers(Struct, frozen=True, kw_only=True):
    """The request handlers. Each reads the snapshot once."""

    holder: SnapshotHolder
    intents: Intents
    exposition: Exposition
    sweeps: SweepJson
    pages: PageMaker
    probe_endpoint: ProbeEndpoint

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Serve the metrics."""
        form = choose_form(",".join(request.headers.getall(hdrs.ACCEPT, [])))
        names = tuple(request.query.getall("name[]", []))[:MOST_NAMES]
        snapshot = self.holder.current
        return await self.pages.answer(
            request,
            lambda: self.exposition.render(snapshot, form=form, names=names),
            {hdrs.CONTENT_TYPE: form, hdrs.VARY: hdrs.ACCEPT},
            variant=(form, names),
        )

    async def probe(self, request: web.Request) -> web.Response:
        """Probe one target of the plan now."""
        return await self.probe_endpoint.answer(request)

    async def healthy(self, _request: web.Request) -> web.Response:
        """Answer 503 when the scheduler has stalled."""
        if self.holder.watchdog.stalled:
            return web.Response(status=503, text="the scheduler has stalled\n")
        return web.Response(text="egressd is healthy\n")

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer 503 until the first sweep is complete."""
        if self.holder.current.sweep is None:
            return web.Response(status=503, text="the first sweep is not done\n")
        return web.Response(text="egressd is ready\n")

    async def reload(self, request: web.Request) -> web.Response:
        """Reload the configuration and report the outcome."""
        if not self.holder.current.settings.web.enable_reload:
            return refuse(request, 403, "reloading is off: set web.enable_reload, or send SIGHUP")
        try:
            async with asyncio.timeout(RELOAD_TIMEOUT):
                status = await self.intents.reload()
        except TimeoutError:
            return web.Response(status=503, text="the reload is not done yet; see the log\n")
        if status.refused:
            return web.Response(status=500, text="\n".join(("not reloaded:", *status.refused)) + "\n")
        return web.Response(text="reloaded\n")

    async def sweep(self, request: web.Request) -> web.StreamResponse:
        """Serve the last sweep as `--once --format json` writes it."""
        sweep = self.holder.current.sweep
        if sweep is None:
            return refuse(request, 503, "the first sweep is not done")
        return await self.pages.answer_packed(request, lambda: self.sweeps.render(sweep), JSON)

    async def targets(self, request: web.Request) -> web.StreamResponse:
        """Serve a page of the targets with their last verdicts and standings."""
        try:
            asked = parse_page(request.query)
            return await self._listed(request, partial(targets_document, asked=asked), variant=asked)
        except BadQueryError as error:
            return refuse(request, HTTPStatus.BAD_REQUEST, str(error))

    async def alerts(self, request: web.Request) -> web.StreamResponse:
        """Serve the unresolved alerts, the silences and the receivers."""
        return await self._listed(request, alerts_document)

    async def history(self, request: web.Request) -> web.StreamResponse:
        """Serve what changed, when and why, as `egressd history --format json` writes it."""
        return await self._queried(request, EVENT_KEYS, history_document)

    async def timeline(self, request: web.Request) -> web.StreamResponse:
        """Serve what each target was believed to be, from when to when."""
        return await self._queried(
            request, TIMELINE_KEYS, lambda snapshot, asked: _json(timeline_document(snapshot, asked))
        )

    async def _queried(
        self,
        request: web.Request,
        keys: Sequence[str],
        write: Callable[[Snapshot, HistoryQuery], bytes],
    ) -> web.StreamResponse:
        snapshot = self.holder.current
        try:
            asked = parse_query(request.query, keys, now=clock.now())
            return await self.pages.answer(request, lambda: write(snapshot, asked), JSON, variant=asked)
        except BadQueryError as error:
            return refuse(request, HTTPStatus.BAD_REQUEST, str(error))
        except HistoryError as error:
            return refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    async def _listed(
        self, request: web.Request, document: Callable[[Snapshot], object], *, variant: Hashable = None
    ) -> web.StreamResponse:
        snapshot = self.holder.current
        return await self.pages.answer(request, lambda: _json(document(snapshot)), JSON, variant=variant)


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()
