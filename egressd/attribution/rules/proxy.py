"""Rules for the explicit proxy: reaching it, its answer to CONNECT, and what it does to the tunnel.

A proxied trail's own DNS and TCP are about the proxy; the proxy resolves and dials the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from egressd.attribution.blame.suspects import (
    GATEWAY_UNKNOWN,
    LISTENER_REFUSES,
    NO_PROXY_ON_ROUTE,
    ROUTE_REFUSES,
    Signature,
)
from egressd.attribution.certainty import OBSERVED, SILENCE, at, contrasted, unless
from egressd.attribution.control_results.contrast import sni_contrast
from egressd.attribution.facts.address import parse_ip
from egressd.attribution.facts.proxy import (
    BAD_GATEWAY,
    arc_gateway_ends,
    arc_gateway_reached,
    auth_schemes,
    goes_by_arc_proxy,
    headers_of,
    inspected_answer,
    is_anonymous,
    only_unsupported,
    plain_request,
    proxy_error,
    proxy_handshake,
    proxy_refusal,
    squid_error,
)
from egressd.attribution.facts.sweep_index import NO_CONNECT, succeeded_in
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import product_of
from egressd.attribution.rules.certificate import is_origin_untrusted
from egressd.attribution.rules.condition import Condition
from egressd.attribution.rules.local import exhausted_in
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.attribution.rules.tls import TLS
from egressd.model.observation import Failure, Phase
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.model.verdict import Confidence

DNS_ERROR = re.compile(r"\bdns\b|resolve|name or service|unknown host|host not found", re.IGNORECASE)
ERRNOS = {111: "refused", 110: "timeout", 101: "unreachable", 113: "unreachable"}
DENIED = (403, 451, 470)
"""Forbidden, forbidden by law, and what Azure Firewall answers where no application rule matches."""
HANG_UPS = (Failure.CLOSED, Failure.RESET, Failure.ALERT)
DENIALS = ("ERR_ACCESS_DENIED", "ERR_CACHE_ACCESS_DENIED", "ERR_FORWARDING_DENIED")


def _unresolvable(context: TrailContext) -> bool:
    return context.proxied and context.failed_in is Phase.DNS


def _unreachable(context: TrailContext) -> bool:
    if not context.proxied or context.trail.seen(Phase.PROXY) is not None:
        return False
    return context.failed_in is Phase.TCP or proxy_handshake(context) is not None


def _untrusted(context: TrailContext) -> bool:
    own = proxy_handshake(context)
    return own is not None and own.failure is Failure.VERIFY


def _refused_with(*statuses: int) -> Condition:
    """Hold where the proxy itself refused with one of these statuses."""
    return lambda context: (own := proxy_refusal(context)) is not None and own.status in statuses


_wants_credentials = _refused_with(407)
_denied = _refused_with(*DENIED)
_wants_login = _refused_with(401, 511)
_rate_limited = _refused_with(429)
_redirected = _refused_with(*range(300, 400))


def _credentials_rejected(context: TrailContext) -> bool:
    own = proxy_refusal(context)
    return own is not None and own.status == 407 and own.credentials_sent


def _scheme_unsupported(context: TrailContext) -> bool:
    return _wants_credentials(context) and only_unsupported(auth_schemes(proxy_refusal(context)))


def _port_denied(context: TrailContext) -> bool:
    """Whether a tunnel to the same host on another port was opened."""
    return _denied(context) and any(map(succeeded_in(Phase.PROXY), _other_ports(context)))


def _who_is_no_proxy(context: TrailContext) -> Signature | None:
    """Who answered CONNECT by HTTP can be asked; where nobody did, the configuration comes first.

    A route's proxy is that of another program: its configuration is the host's, not egressd's.
    """
    answered = proxy_refusal(context) is not None
    if context.probe.route is not None:
        return ROUTE_REFUSES if answered else NO_PROXY_ON_ROUTE
    return LISTENER_REFUSES if answered else None


def _other_ports(context: TrailContext) -> Iterator[Trail]:
    for probe in context.index.probes_by_host.get(context.probe.host, ()):
        if probe.port != context.probe.port:
            yield from context.index.trails.get(probe.id, ())
    for control in context.controls(ControlKind.PORT_CONTRAST):
        yield from control.trails


def _squid_errno(context: TrailContext) -> str:
    found = re.match(r"ERR_CONNECT_FAIL\s+(\d+)", squid_error(proxy_error(context)))
    return ERRNOS.get(int(found[1]), "") if found else ""


def _upstream_refused(context: TrailContext) -> bool:
    return _squid_errno(context) == "refused"


def _upstream_timeout(context: TrailContext) -> bool:
    """Whether the proxy names a timeout, by errno or by 504 and no other cause, or left us without answer."""
    own = proxy_error(context)
    gateway = own is not None and own.status == 504 and not squid_error(own) and not _upstream_dns(context)
    return gateway or _squid_errno(context) == "timeout" or _silent(context)


def _upstream_unreachable(context: TrailContext) -> bool:
    return _squid_errno(context) == "unreachable"


def _upstream_dns(context: TrailContext) -> bool:
    own = proxy_error(context)
    if own is None or own.status not in BAD_GATEWAY:
        return False
    if squid_error(own):
        return squid_error(own).startswith(("ERR_DNS_FAIL", "ERR_CANNOT_FORWARD"))
    return bool(DNS_ERROR.search(own.body))


def _upstream_error(context: TrailContext) -> bool:
    own = proxy_error(context)
    return own is not None and own.status in BAD_GATEWAY


def _silent(context: TrailContext) -> bool:
    """Whether the proxy took the request and did not answer, while it serves others."""
    return _unanswered(context) and context.trail.path in context.index.working_proxies


def _unanswered(context: TrailContext) -> bool:
    answer = context.tunnel or plain_request(context)
    return answer is not None and answer.failure is Failure.TIMEOUT and answer.status is None


def _arc_proxy_gone(context: TrailContext) -> bool:
    """Whether the Arc proxy of this host does not take connections: no device is on the way there."""
    ours = goes_by_arc_proxy(context) and _is_on_loopback(context)
    return ours and _unreachable(context)


def _is_on_loopback(context: TrailContext) -> bool:
    address = parse_ip(context.dialled[0])
    return address is not None and address.is_loopback


def _arc_without_gateway(context: TrailContext) -> bool:
    return _arc_failed(context) and arc_gateway_reached(context) is False


def _who_keeps_it_from_gateway(context: TrailContext) -> Signature | None:
    """Where the gateway's name is not found, who answers for names comes first."""
    return GATEWAY_UNKNOWN if Phase.DNS in arc_gateway_ends(context) else None


def _arc_denied(context: TrailContext) -> bool:
    status = context.tunnel.status if context.tunnel is not None else None
    return _arc_failed(context) and status is not None and 300 <= status < 500


def _arc_failed(context: TrailContext) -> bool:
    """Whether the Arc proxy took CONNECT and opened no tunnel."""
    tunnel = context.tunnel
    return goes_by_arc_proxy(context) and tunnel is not None and tunnel.failure is not None


def _is_silent(context: TrailContext) -> bool:
    return context.tunnel is not None and context.tunnel.status is None


def _hung_up(context: TrailContext) -> bool:
    answer = context.tunnel or plain_request(context)
    return answer is not None and answer.status is None and answer.failure in HANG_UPS


def _no_proxy(context: TrailContext) -> bool:
    """Whether the listener does not know CONNECT, or no HTTP at all, or no TLS where it is configured."""
    answer, own = context.tunnel or plain_request(context), proxy_handshake(context)
    if own is not None and own.failure in (Failure.NOT_TLS, Failure.TLS_ERROR):
        return True
    if answer is None or context.trail.path not in context.index.not_proxies:
        return False
    return context.tunnel is None or answer.failure is Failure.NOT_HTTP or answer.status in NO_CONNECT


def _page_for_tunnel(context: TrailContext) -> bool:
    """Whether a page came where the tunnel should begin: announced by the answer, or without its own head.

    A clear-text answer with a head may be the far end's.
    """
    tunnel, tls = context.tunnel, context.tls
    if tunnel is None or tls is None:
        return tunnel is not None and tunnel.failure is Failure.PROXY_PAGE
    if tls.failure is not Failure.NOT_TLS:
        return False
    announced = {"content-type", "content-length", "transfer-encoding"} & headers_of(tunnel).keys()
    text = tls.first_text.lstrip().lower()
    return text.startswith("<") or (bool(announced) and not text.startswith("http/"))


def _refused_otherwise(context: TrailContext) -> bool:
    return proxy_refusal(context) is not None


def _any_failure(context: TrailContext) -> bool:
    answer = plain_request(context)
    if answer is not None:
        return answer.failure is not None and answer.status is None
    return context.proxied and context.failed_in is Phase.PROXY


def _tunnel_cut(*failures: Failure) -> Condition:
    """Hold where the tunnel was opened and TLS inside it failed like that before a byte came back."""

    def when(context: TrailContext) -> bool:
        tunnel, tls = context.tunnel, context.tls
        if tunnel is None or tunnel.failure is not None or tls is None or context.failed_in is not Phase.TLS:
            return False
        return tls.failure in failures and not tls.server_hello and not tls.bytes_received

    return when


_tunnel_closed = _tunnel_cut(Failure.CLOSED, Failure.RESET)


def _closed_on_sni(context: TrailContext) -> bool:
    """Whether a tunnel that was cut is not cut with another server name in it, to the same place."""
    return _tunnel_closed(context) and sni_contrast(context).separates


def _block_page(context: TrailContext) -> bool:
    """Whether the proxy's own denial came inside a TLS session it signed itself."""
    page = inspected_answer(context) if context.proxied else None
    if page is None or (page.status or 0) < 400:
        return False
    error = squid_error(page)
    return error.startswith(DENIALS) if error else bool(product_of(page))


PROXY = RuleTable(
    phase=Phase.PROXY,
    rules=(
        exhausted_in(Phase.TCP, Phase.PROXY),
        Rule(reason="proxy_name_unresolvable", when=_unresolvable),
        Rule(reason="proxy_certificate_untrusted", when=_untrusted),
        Rule(reason="proxy_not_connect_capable", when=_no_proxy, suspects=_who_is_no_proxy),
        Rule(reason="proxy_arc_unreachable", when=_arc_proxy_gone),
        Rule(
            reason="proxy_arc_no_gateway",
            when=_arc_without_gateway,
            certainty=SILENCE,
            suspects=_who_keeps_it_from_gateway,
        ),
        Rule(reason="proxy_arc_denied", when=_arc_denied),
        Rule(reason="proxy_arc_failed", when=_arc_failed, certainty=unless(_is_silent, OBSERVED)),
        Rule(reason="proxy_unreachable", when=_unreachable),
        Rule(reason="proxy_auth_unsupported", when=_scheme_unsupported),
        Rule(reason="proxy_auth_rejected", when=_credentials_rejected),
        Rule(reason="proxy_auth_required", when=_wants_credentials),
        Rule(reason="proxy_port_denied", when=_port_denied),
        Rule(reason="proxy_denied", when=_denied, certainty=unless(is_anonymous, OBSERVED)),
        Rule(reason="proxy_redirected", when=_redirected),
        Rule(reason="proxy_login_required", when=_wants_login),
        Rule(reason="proxy_rate_limited", when=_rate_limited),
        Rule(reason="proxy_upstream_refused", when=_upstream_refused),
        Rule(reason="proxy_upstream_timeout", when=_upstream_timeout, certainty=unless(_silent, OBSERVED)),
        Rule(reason="proxy_upstream_unreachable", when=_upstream_unreachable),
        Rule(reason="proxy_upstream_dns_failed", when=_upstream_dns),
        Rule(
            reason="proxy_upstream_error",
            when=_upstream_error,
            certainty=unless(is_anonymous, at(Confidence.HIGH)),
        ),
        Rule(reason="proxy_page_for_tunnel", when=_page_for_tunnel),
        Rule(reason="proxy_refused", when=_refused_otherwise),
        Rule(reason="proxy_closed", when=_hung_up, certainty=SILENCE),
        Rule(reason="proxy_no_answer", when=_unanswered, certainty=SILENCE),
        Rule(reason="proxy_unknown", when=_any_failure, certainty=at(Confidence.LOW)),
    ),
)
TUNNEL = RuleTable(
    phase=Phase.TLS,
    rules=(
        Rule(reason="proxy_block_page_in_tunnel", when=_block_page),
        Rule(reason="proxy_origin_untrusted", when=is_origin_untrusted, certainty=at(Confidence.MEDIUM)),
        Rule(reason="proxy_tunnel_closed_on_sni", when=_closed_on_sni, certainty=contrasted(sni_contrast)),
        Rule(reason="proxy_tunnel_closed", when=_tunnel_closed, certainty=SILENCE),
        Rule(reason="proxy_tunnel_stall", when=_tunnel_cut(Failure.TIMEOUT), certainty=SILENCE),
        *TLS.rules,
    ),
    notes=TLS.notes,
)
"""The handshake inside a tunnel: what the proxy does to it is tried before what any path can do."""
