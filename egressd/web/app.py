"""The routes and their handlers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from egressd import clock
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.metrics.exposition import Exposition, choose_form
from egressd.metrics.limits import offline_limits
from egressd.model.catalog import Catalog
from egressd.web.access import Access
from egressd.web.json_api import SweepJson, alerts_document, targets_document
from egressd.web.middleware import access_middleware, header_signal
from egressd.web.probing import ProbeEndpoint
from egressd.web.status import render_status

RELOAD_TIMEOUT = 30.0
"""Seconds to wait for a reload."""
MOST_NAMES = 100
"""Metrics that `name[]` may select at once."""
_REFUSED = re.compile(r"q=0(\.0*)?")
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


def make_app(holder: SnapshotHolder, intents: Intents, access: Access, catalog: Catalog) -> web.Application:
    """Return the application; its only state is caches."""
    app = web.Application(middlewares=[access_middleware(access)], client_max_size=64 * 1024)
    app.on_response_prepare.append(header_signal(access))
    handlers = Handlers(
        holder=holder,
        intents=intents,
        exposition=Exposition(offline_limits(catalog)),
        sweeps=SweepJson(),
        probe_endpoint=ProbeEndpoint(holder=holder, catalog=catalog),
    )
    app.router.add_get("/", handlers.status)
    app.router.add_get("/metrics", handlers.metrics)
    app.router.add_get("/probe", handlers.probe)
    app.router.add_get("/-/healthy", handlers.healthy)
    app.router.add_get("/-/ready", handlers.ready)
    for method in (hdrs.METH_POST, hdrs.METH_PUT):
        app.router.add_route(method, "/-/reload", handlers.reload)
    app.router.add_get("/api/v1/sweep", handlers.sweep)
    app.router.add_get("/api/v1/targets", handlers.targets)
    app.router.add_get("/api/v1/alerts", handlers.alerts)
    return app


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The request handlers. Each reads the snapshot once."""

    holder: SnapshotHolder
    intents: Intents
    exposition: Exposition
    sweeps: SweepJson
    probe_endpoint: ProbeEndpoint

    async def status(self, request: web.Request) -> web.Response:
        """Serve the status page."""
        snapshot, stalled = self.holder.current, self.holder.watchdog.stalled
        text = await asyncio.to_thread(render_status, snapshot, now=clock.now(), stalled=stalled)
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return _compressed(request, web.Response(text=text, content_type="text/html", headers=headers))

    async def metrics(self, request: web.Request) -> web.Response:
        """Serve the metrics."""
        form = choose_form(",".join(request.headers.getall(hdrs.ACCEPT, [])))
        names = tuple(request.query.getall("name[]", []))[:MOST_NAMES]
        text = await asyncio.to_thread(self.exposition.render, self.holder.current, form=form, names=names)
        headers = {hdrs.CONTENT_TYPE: form, hdrs.VARY: hdrs.ACCEPT}
        return _compressed(request, web.Response(body=text, headers=headers))

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

    async def reload(self, _request: web.Request) -> web.Response:
        """Reload the configuration and report the outcome."""
        if not self.holder.current.settings.web.enable_reload:
            return web.Response(status=403, text="reloading is off: set web.enable_reload, or send SIGHUP\n")
        try:
            async with asyncio.timeout(RELOAD_TIMEOUT):
                status = await self.intents.reload()
        except TimeoutError:
            return web.Response(status=503, text="the reload is not done yet; see the log\n")
        if status.refused:
            return web.Response(status=500, text="\n".join(("not reloaded:", *status.refused)) + "\n")
        return web.Response(text="reloaded\n")

    async def sweep(self, request: web.Request) -> web.Response:
        """Serve the last sweep as `--once --format json` writes it."""
        sweep = self.holder.current.sweep
        if sweep is None:
            return _json(request, 503, '{"error": "the first sweep is not done"}\n')
        return _json(request, 200, await asyncio.to_thread(self.sweeps.render, sweep))

    async def targets(self, request: web.Request) -> web.Response:
        """Serve every target with its last verdicts and standings."""
        return await self._listed(request, targets_document)

    async def alerts(self, request: web.Request) -> web.Response:
        """Serve the unresolved alerts, the silences and the receivers."""
        return await self._listed(request, alerts_document)

    async def _listed(self, request: web.Request, make: Callable[..., object]) -> web.Response:
        text = await asyncio.to_thread(lambda: json.dumps(make(self.holder.current), indent=2) + "\n")
        return _json(request, 200, text)


def _json(request: web.Request, status: int, text: str) -> web.Response:
    return _compressed(request, web.Response(status=status, text=text, content_type="application/json"))


def _compressed(request: web.Request, response: web.Response) -> web.Response:
    """Compress for clients that accept gzip, and tell caches that the response varies by it."""
    if takes_gzip(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, []))):
        response.enable_compression(web.ContentCoding.gzip)
    response.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
    return response


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` header accepts gzip; weight 0 refuses it (RFC 9110 section 12.5.3)."""
    parts = [part.partition(";")[::2] for part in accepted[:2000].lower().split(",")]
    weights = {coding.strip(): parameter.replace(" ", "") for coding, parameter in parts}
    found = weights.get("gzip", weights.get("*"))
    return found is not None and _REFUSED.fullmatch(found) is None
