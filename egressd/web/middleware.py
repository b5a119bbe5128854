"""What every request passes: where it comes from, who may ask, and the headers of every answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import LooseHeaders
from msgspec import Struct

from egressd.bugs import report_bug
from egressd.daemon.holder import SnapshotHolder
from egressd.errors import Part
from egressd.web.access import Access
from egressd.web.connection.admission import group_of
from egressd.web.login import TooBusyError
from egressd.web.origin import is_cross_site, names_us
from egressd.web.tls import client_allowed

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PRODUCT = "egressd"
"""The `Server` header: it tells `egressd healthcheck` and people whose answer this is."""
ALWAYS = {
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Headers of every answer, errors included. The policy of a page that needs another one, and what the web
configuration says, win."""
API = "/api/"
"""Paths that answer in JSON, errors too."""
ACTIVE = ("/probe",)
"""Paths whose GET makes this host do something."""
MOST_OF_A_PATH = 100
"""Characters of a path in the log."""
LARGEST_BODY = 4096
"""Bytes: no request of ours has a body."""
_SAFE = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)


class Gate(Struct, frozen=True, kw_only=True):
    """Lets requests in or refuses them, by the rules in force."""

    access: Access
    holder: SnapshotHolder
    loopback_only: bool
    """Whether the server listens on loopback only: then nobody else's name is asked for."""

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer, or refuse; errors of the API are JSON."""
        try:
            refused = self._misplaced(request) or await self._unauthorized(request)
            return refused or await handler(request)
        except web.HTTPException as error:
            if not request.path.startswith(API):
                raise
            kept = {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
            return refuse(request, error.status, error.reason, kept)
        except Exception as bug:  # noqa: BLE001 - it is reported: requests must not fill the log with it
            report_bug(Part.HTTP, bug, path=request.path[:MOST_OF_A_PATH])
            return refuse(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal error, see the log of egressd")

    async def add_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Complete the headers of a response just before they are sent."""
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers[hdrs.SERVER] = PRODUCT  # aiohttp has set its own by now
        response.headers.update(self.access.rules.config.headers)

    def _misplaced(self, request: web.Request) -> web.Response | None:
        """Refuse what was sent to another name, by another site, or with a body."""
        allowed = self.holder.current.settings.web.allowed_hosts
        if (self.loopback_only or allowed) and not names_us(request, allowed):
            why = "this is not the host that was asked for: use a loopback address, or set web.allowed_hosts"
            return refuse(request, HTTPStatus.MISDIRECTED_REQUEST, why)
        if (request.method not in _SAFE or request.path in ACTIVE) and is_cross_site(request):
            return refuse(request, HTTPStatus.FORBIDDEN, "another site's page sent this request")
        if (request.content_length or 0) > LARGEST_BODY:
            return refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no request here has a body")
        return None

    async def _unauthorized(self, request: web.Request) -> web.Response | None:
        rules = self.access.rules
        tls = rules.config.tls
        if tls is not None and not client_allowed(
            request.get_extra_info("peercert"), tls.client_allowed_sans
        ):
            why = "the client certificate carries none of the allowed names"
            return refuse(request, HTTPStatus.FORBIDDEN, why)
        if rules.login.is_open:
            return None
        client = group_of(request.remote or "")
        try:
            if await rules.login.admits(request.headers.get(hdrs.AUTHORIZATION, ""), client):
                return None
        except TooBusyError:
            busy = {hdrs.RETRY_AFTER: "5"}
            return refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, "too many logins at once", busy)
        challenge = {hdrs.WWW_AUTHENTICATE: 'Basic realm="egressd"'}
        return refuse(request, HTTPStatus.UNAUTHORIZED, "Unauthorized", challenge)


def refuse(request: web.Request, status: int, why: str, headers: LooseHeaders | None = None) -> web.Response:
    """Return an error: JSON where the path answers in JSON, else a line of text."""
    if request.path.startswith(API):
        text, content_type = json.dumps({"error": why}) + "\n", "application/json"
    else:
        text, content_type = f"{why}\n", "text/plain"
    return web.Response(status=status, text=text, content_type=content_type, headers=headers)
