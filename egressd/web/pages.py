"""The pages for people: the status page, the reasons, the documents, and the files they refer to."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import hdrs, web
from msgspec import Struct, field

from egressd import clock
from egressd.attribution.reasons import find_reason
from egressd.daemon.holder import SnapshotHolder
from egressd.firewall.languages import LANGUAGES
from egressd.web.connection.page import PageMaker
from egressd.web.manual.document import (
    RUNBOOKS,
    documents,
    listed_documents,
    place_of,
    render_document,
)
from egressd.web.manual.reason import render_reason, render_reasons
from egressd.web.middleware import refuse
from egressd.web.status.filters import page_query
from egressd.web.status.page import StatusPage
from egressd.web.template import POLICY, STATIC, render_page, root_of, static_file

HTML = {hdrs.CONTENT_TYPE: "text/html; charset=utf-8", "Content-Security-Policy": POLICY}


class PageHandlers(Struct, frozen=True, kw_only=True):
    """The request handlers of the pages. What is not there is 404, whatever a path says."""

    holder: SnapshotHolder
    pages: PageMaker
    status_page: StatusPage = field(default_factory=StatusPage)

    async def status(self, request: web.Request) -> web.StreamResponse:
        """Serve the status page; whatever its address asks for, a page is served."""
        snapshot, stalled = self.holder.current, self.holder.watchdog.stalled
        query = page_query(request.query)
        return await self.pages.answer(
            request,
            lambda: self.status_page.render(snapshot, now=clock.now(), stalled=stalled, query=query),
            HTML,
            name="/",
            variant=query,
        )

    async def rules(self, request: web.Request) -> web.StreamResponse:
        """Serve the rules that the last sweep asks for, in the language of a device."""
        language, sweep = LANGUAGES.get(request.match_info["language"]), self.holder.current.sweep
        if language is None:
            raise web.HTTPNotFound
        if sweep is None:
            return refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, "the first sweep is not done")
        headers = {
            hdrs.CONTENT_TYPE: "text/plain; charset=utf-8",
            hdrs.CONTENT_DISPOSITION: f'inline; filename="egressd-{language.name}{language.suffix}"',
        }
        return await self.pages.answer(
            request, lambda: self.status_page.asks.render(sweep, language).encode(), headers
        )

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Serve a file that pages refer to."""
        name = request.match_info["name"]
        if name not in STATIC:
            raise web.HTTPNotFound
        return await self.pages.answer(request, lambda: static_file(name), {hdrs.CONTENT_TYPE: STATIC[name]})

    async def reasons(self, request: web.Request) -> web.StreamResponse:
        """Serve the list of the reasons."""
        return await self._send(request, "/reasons", lambda: render_reasons(root=""))

    async def reason(self, request: web.Request) -> web.StreamResponse:
        """Serve the page of a reason."""
        reason = find_reason(request.match_info["code"])
        if reason is None:
            raise web.HTTPNotFound
        return await self._send(request, f"/reasons/{reason.code}", lambda: render_reason(reason, root="../"))

    async def listed(self, request: web.Request) -> web.StreamResponse:
        """Serve the list of the documents."""
        return await self._send(
            request,
            "/docs",
            lambda: render_page("documents.html", root="", title="Documents", groups=listed_documents()),
        )

    async def document(self, request: web.Request) -> web.StreamResponse:
        """Serve a document."""
        return await self._document(request, request.match_info["name"])

    async def runbook(self, request: web.Request) -> web.StreamResponse:
        """Serve a runbook where the links of alerts lead."""
        return await self._document(request, RUNBOOKS + request.match_info["name"])

    async def _document(self, request: web.Request, name: str) -> web.StreamResponse:
        place = f"/{place_of(name)}"
        if name not in documents() or request.path != place:
            raise web.HTTPNotFound
        return await self._send(request, place, lambda: _document_page(name, root_of(place)))

    async def _send(self, request: web.Request, name: str, write: Callable[[], bytes]) -> web.StreamResponse:
        return await self.pages.answer(request, write, HTML, name=name)


def _document_page(name: str, root: str) -> bytes:
    found = render_document(name, root)
    return render_page("document.html", root=root, title=found.title or name, html=found.html)
