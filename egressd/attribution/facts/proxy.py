"""Answers of an explicit proxy: its own refusals and errors, as opposed to what it forwards."""

from __future__ import annotations

import re
from collections.abc import Iterable

from egressd.attribution.facts.stats import seen_since
from egressd.attribution.facts.sweep_index import host_of
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import CDN_HEADERS, PROXY_SERVERS, product_of
from egressd.model.observation import Failure, HttpObservation, Phase, ProxyObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.settings import ARC_ROUTE

ProxyAnswer = ProxyObservation | HttpObservation

BAD_GATEWAY = frozenset({500, 502, 503, 504})
AMBIGUOUS = frozenset({403, 502, 503, 504})
"""Statuses that a proxy gives as readily as an origin does."""
PROXY_HEADERS = frozenset({"via", "proxy-agent", "proxy-connection", "proxy-authenticate", "x-squid-error"})
PROXY_STATUSES = frozenset({407, 511})
"""Statuses that only a proxy or a portal gives (RFC 9110 section 15.5.8, RFC 6585 section 6)."""
BASIC = "basic"
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]{0,30})(?=\s*(?:,|$)|\s+[A-Za-z0-9+/=])")


def goes_by_arc_proxy(context: TrailContext) -> bool:
    """Whether the trail goes through the Arc proxy, to what an Azure Arc gateway forwards."""
    return context.probe.route == ARC_ROUTE and context.proxied


def arc_gateway_reached(context: TrailContext) -> bool | None:
    """Whether the gateway's own URL was reached: its name was proven, or every try of it failed.

    None: neither, as where it was not tried, or where TLS inspection answered for it.
    """
    trails = _gateway_trails(context)
    facts = [one.facts for trail in trails for one in trail.handshakes if one.failure is None]
    if any(one is not None and one.publicly_anchored for one in facts):
        return True
    failed = all(trail.last is not None and trail.last.failure is not None for trail in trails)
    return False if trails and failed else None


def arc_gateway_ends(context: TrailContext) -> frozenset[Phase]:
    """Return the phases that the tries of the gateway's own URL got to; of several, DNS does not count."""
    found = frozenset(trail.last.phase for trail in _gateway_trails(context) if trail.last is not None)
    return found - {Phase.DNS} or found


def _gateway_trails(context: TrailContext) -> list[Trail]:
    index = context.index
    probes = index.probes_by_host.get(index.recording.plan.arc_gateway or "", ())
    since = index.recording.evidence_since
    return [
        trail for probe in probes if seen_since(own := index.trails.get(probe.id, ()), since) for trail in own
    ]


def headers_of(one: ProxyAnswer | None) -> dict[str, str]:
    """Return the headers of an answer, names in lower case."""
    return {name.lower(): value for name, value in one.headers} if one is not None else {}


def auth_schemes(one: ProxyAnswer | None) -> tuple[str, ...]:
    """Return the authentication schemes an answer offers, as it spells them (RFC 9110 section 11.6.1)."""
    headers = one.headers if one is not None else ()
    offers = (_QUOTED.sub('""', value) for name, value in headers if name.lower() == "proxy-authenticate")
    return tuple(dict.fromkeys(found for offer in offers for found in _SCHEME.findall(offer)))


def squid_error(one: ProxyAnswer | None) -> str:
    """Return Squid's own error and errno, such as `ERR_CONNECT_FAIL 111`; empty where it gives none."""
    return headers_of(one).get("x-squid-error", "")


def redirect_host(one: ProxyAnswer | None) -> str:
    """Return the host that an answer sends the client to; empty where it names none."""
    return host_of(headers_of(one).get("location", ""))


def names_web_server(one: ProxyAnswer | None) -> bool:
    """Whether an answer names its server's software, and that is none of a proxy."""
    headers = headers_of(one)
    server = headers.get("server", "").lower()
    return bool(server) and not server.startswith(PROXY_SERVERS) and not headers.keys() & PROXY_HEADERS


def plain_request(context: TrailContext) -> HttpObservation | None:
    """Return the request that the proxy was to forward without a tunnel."""
    return context.http if context.proxied and context.tunnel is None else None


def proxy_refusal(context: TrailContext) -> ProxyAnswer | None:
    """Return the answer in which the proxy itself refused or failed; None where it forwarded."""
    tunnel = context.tunnel
    if tunnel is not None:
        return tunnel if tunnel.failure is Failure.PROXY_STATUS else None
    request = plain_request(context)
    if request is None or request.status is None:
        return None
    return request if _has_proxy_mark(request) or is_anonymous(context) else None


def is_anonymous(context: TrailContext) -> bool:
    """Whether the answer to a plain request shows neither the proxy nor the origin as its author.

    Then it is not taken for the origin's.
    """
    request = plain_request(context)
    if request is None or request.status not in AMBIGUOUS or _has_proxy_mark(request):
        return False
    headers = headers_of(request)
    service = any(name in CDN_HEADERS or name.startswith("x-ms-") for name in headers)
    return not service and not headers.get("server")


def _has_proxy_mark(one: HttpObservation) -> bool:
    """Whether a proxy's own marks are on an answer; a forwarded answer of an origin has none."""
    headers = headers_of(one)
    server = headers.get("server", "").lower()
    if one.status in PROXY_STATUSES or "x-squid-error" in headers or "x-proxy-error" in headers:
        return True
    return (one.status or 0) >= 400 and (server.startswith(PROXY_SERVERS) or bool(product_of(one)))


def inspected_answer(context: TrailContext) -> HttpObservation | None:
    """Return the answer inside a TLS session whose chain leads to no public root."""
    tls = context.tls
    if tls is None or tls.facts is None or tls.facts.publicly_anchored is not False:
        return None
    if context.http is not None and context.http.status is not None:
        return context.http
    controls = context.control_results(ControlKind.LOOK_INSIDE, HttpObservation)
    return next((one for one in controls if one.status is not None), None)


def proxy_error(context: TrailContext) -> ProxyAnswer | None:
    """Return the answer with the proxy's own error: its refusal, or a page inside the tunnel."""
    return proxy_refusal(context) or (one if squid_error(one := inspected_answer(context)) else None)


def proxy_handshake(context: TrailContext) -> TlsObservation | None:
    """Return the handshake with the proxy itself, where it failed."""
    failing = context.failing
    with_proxy = context.proxied and context.tls is None
    return failing if with_proxy and isinstance(failing, TlsObservation) else None


def only_unsupported(offered: Iterable[str]) -> bool:
    """Whether schemes are offered, and none that egressd or the agents support."""
    offered = tuple(offered)
    return bool(offered) and BASIC not in {one.lower() for one in offered}
