"""The middleware of every request: client certificate, login and response headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from egressd.web.access import Access
from egressd.web.login import TooBusyError
from egressd.web.tls import client_allowed

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ALWAYS = {"X-Content-Type-Options": "nosniff"}


def access_middleware(access: Access) -> Middleware:
    """Return the middleware, which applies the rules in force."""

    @web.middleware
    async def authorize(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = await _refuse(request, access)
        try:
            response = refused or await handler(request)
        except web.HTTPException as error:
            _add_headers(error, access)
            raise
        if not response.prepared:
            _add_headers(response, access)
        return response

    return authorize


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


def _add_headers(response: web.StreamResponse, access: Access) -> None:
    for name, value in {**ALWAYS, **dict(access.rules.config.headers)}.items():
        response.headers[name] = value
