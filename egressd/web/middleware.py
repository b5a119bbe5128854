"""What every request passes: client certificate and login before, response headers after."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from egressd.bugs import report_bug
from egressd.errors import Part
from egressd.web.access import Access
from egressd.web.login import TooBusyError
from egressd.web.tls import client_allowed

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AddHeaders = Callable[[web.Request, web.StreamResponse], Awaitable[None]]
MOST_OF_A_PATH = 100
"""Characters of a path in the log."""
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


def access_middleware(access: Access) -> Middleware:
    """Return the middleware, which applies the rules in force."""

    @web.middleware
    async def authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await _refuse(request, access) or await handler(request)
        except web.HTTPException:
            raise
        except Exception as bug:  # noqa: BLE001 - it is reported: requests must not fill the log with it
            report_bug(Part.HTTP, bug, path=request.path[:MOST_OF_A_PATH])
            return web.Response(status=500, text="internal error, see the log of egressd\n")

    return authorize


def header_signal(access: Access) -> AddHeaders:
    """Return the signal that completes the headers of a response just before they are sent."""

    async def add(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers[hdrs.SERVER] = PRODUCT  # aiohttp has set its own by now
        response.headers.update(access.rules.config.headers)

    return add


async def _refuse(request: web.Request, access: Access) -> web.Response | None:
    rules = access.rules
    tls = rules.config.tls
    if tls is not None and not client_allowed(request.get_extra_info("peercert"), tls.client_allowed_sans):
        return web.Response(status=403, text="the client certificate carries none of the allowed names\n")
    if rules.login.is_open:
        return None
    try:
        if await rules.login.admits(request.headers.get(hdrs.AUTHORIZATION, "")):
            return None
    except TooBusyError:
        return web.Response(status=503, text="too many logins at once\n", headers={hdrs.RETRY_AFTER: "5"})
    return web.Response(
        status=401, text="Unauthorized\n", headers={hdrs.WWW_AUTHENTICATE: 'Basic realm="egressd"'}
    )
