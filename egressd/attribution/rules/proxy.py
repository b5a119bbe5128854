"""The explicit proxy: reaching it, its answer to CONNECT, and what it does to the tunnel.

A proxied trail's own DNS and TCP are about the proxy; the proxy resolves and dials the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from egressd.attribution.control_results.contrast import Contrast, always_fails, tries
from egressd.attribution.facts.proxy import (
    BAD_GATEWAY,
    auth_schemes,
    inspected_answer,
    is_unattributed,
    only_unsupported,
    page_text,
    plain_request,
    proxy_error,
    proxy_handshake,
    proxy_refusal,
    squid_error,
)
from egressd.attribution.facts.stats import handshakes
from egressd.attribution.facts.sweep_index import NO_CONNECT, answered_tls
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import NOT_TRUSTED, page_product
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, STAGED, Rule, RuleTable
from egressd.attribution.rules.tls import TLS
from egressd.model.observation import Failure, Phase
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail

DNS_WORDS = re.compile(r"\bdns\b|resolve|name or service|unknown host|host not found", re.IGNORECASE)
ERRNOS = {111: "refused", 110: "timeout", 101: "unreachable", 113: "unreachable"}
DENIALS = ("ERR_ACCESS_DENIED", "ERR_CACHE_ACCESS_DENIED", "ERR_FORWARDING_DENIED")


def _name(context: TrailContext) -> bool:
    return context.proxied and context.failed_in is Phase.DNS


def _unreached(context: TrailContext) -> bool:
    if not context.proxied or context.trail.seen(Phase.PROXY) is not None:
        return False
    return context.failed_in is Phase.TCP or proxy_handshake(context) is not None


def _untrusted(context: TrailContext) -> bool:
    own = proxy_handshake(context)
    return own is not None and own.failure is Failure.VERIFY


def _status(context: TrailContext) -> int | None:
    """Return the status with which the proxy itself refused."""
    own = proxy_refusal(context)
    return own.status if own is not None else None


def _schemes(context: TrailContext) -> tuple[str, ...]:
    return auth_schemes(proxy_refusal(context))


def _asks(context: TrailContext) -> bool:
    return _status(context) == 407


def _asks_again(context: TrailContext) -> bool:
    own = proxy_refusal(context)
    return own is not None and own.status == 407 and own.credentials_sent


def _asks_for_other(context: TrailContext) -> bool:
    return _asks(context) and only_unsupported(_schemes(context))


def _denied(context: TrailContext) -> bool:
    return _status(context) == 403


def _port_denied(context: TrailContext) -> bool:
    """Whether a tunnel to the same host on another port was opened."""
    return _denied(context) and any(_opened(trail) for trail in _other_ports(context))


def _other_ports(context: TrailContext) -> Iterator[Trail]:
    for probe in context.index.probes_by_host.get(context.probe.host, ()):
        if probe.port != context.probe.port:
            yield from context.index.trails.get(probe.id, ())
    for control in context.controls(ControlKind.PORT_CONTRAST):
        yield from control.trails


def _opened(trail: Trail) -> bool:
    one = trail.seen(Phase.PROXY)
    return one is not None and one.failure is None


def _by_other_name(context: TrailContext) -> Contrast:
    """Compare with any name the same proxy let pass."""
    return Contrast.PASSED if context.trail.path in context.index.working_proxies else Contrast.NONE


def _squid_errno(context: TrailContext) -> str:
    found = re.match(r"ERR_CONNECT_FAIL\s+(\d+)", squid_error(proxy_error(context)))
    return ERRNOS.get(int(found[1]), "") if found else ""


def _upstream_refused(context: TrailContext) -> bool:
    return _squid_errno(context) == "refused"


def _upstream_timeout(context: TrailContext) -> bool:
    return _squid_errno(context) == "timeout" or _silent(context)


def _upstream_unreachable(context: TrailContext) -> bool:
    return _squid_errno(context) == "unreachable"


def _upstream_dns(context: TrailContext) -> bool:
    own = proxy_error(context)
    if own is None or own.status not in BAD_GATEWAY:
        return False
    if squid_error(own):
        return squid_error(own).startswith(("ERR_DNS_FAIL", "ERR_CANNOT_FORWARD"))
    return bool(DNS_WORDS.search(own.body))


def _upstream(context: TrailContext) -> bool:
    own = proxy_error(context)
    return own is not None and own.status in BAD_GATEWAY


def _silent(context: TrailContext) -> bool:
    """Whether the proxy took the request and said nothing, while it serves others."""
    asked = context.tunnel or plain_request(context)
    waits = asked is not None and asked.failure is Failure.TIMEOUT and asked.status is None
    return waits and context.trail.path in context.index.working_proxies


def _no_proxy(context: TrailContext) -> bool:
    """Whether what listens there does not know CONNECT, or no HTTP at all, or no TLS where that is due."""
    asked, own = context.tunnel or plain_request(context), proxy_handshake(context)
    if own is not None and own.failure in (Failure.NOT_TLS, Failure.TLS_ERROR):
        return True
    if asked is None:
        return False
    if asked.failure in (Failure.NOT_HTTP, Failure.MALFORMED, Failure.TOO_LARGE):
        return True
    if context.tunnel is None:
        return context.trail.path in context.index.not_proxies
    return asked.failure is Failure.PROXY_STATUS and asked.status in NO_CONNECT


def _any_failure(context: TrailContext) -> bool:
    asked = plain_request(context)
    if asked is not None:
        return asked.failure is not None and asked.status is None
    return context.proxied and context.failed_in is Phase.PROXY


def _in_tunnel(context: TrailContext) -> bool:
    """Whether the tunnel stands and TLS inside it got no answer."""
    opened = context.tunnel is not None and context.tunnel.failure is None
    return (
        opened and context.tls is not None and context.failed_in is Phase.TLS and not context.tls.server_hello
    )


def _closed(context: TrailContext) -> bool:
    tls = context.tls
    if not _in_tunnel(context) or tls is None or tls.bytes_received:
        return False
    return tls.failure in (Failure.CLOSED, Failure.RESET)


def _stalled(context: TrailContext) -> bool:
    tls = context.tls
    return (
        _in_tunnel(context) and tls is not None and tls.failure is Failure.TIMEOUT and not tls.bytes_received
    )


def _by_other_hello(context: TrailContext) -> Contrast:
    """Compare with another server name: in a tunnel to the same place, else in any tunnel."""
    tls = context.tls
    mine = tls.sni.lower() if tls is not None else ""
    shown = [
        one
        for control in context.controls(ControlKind.SNI_CONTRAST)
        for trail in control.trails
        for one in handshakes(trail)
    ]
    if any(answered_tls(one) for one in shown):
        return Contrast.FLIP if tries(context) > 1 and always_fails(context) else Contrast.PASSED
    passed = context.index.tunnel_answered_sni.get(context.trail.path, frozenset()) - {mine}
    return Contrast.PASSED if passed and not shown else Contrast.NONE


def _origin_untrusted(context: TrailContext) -> bool:
    tls = context.tls
    failed = context.proxied and tls is not None and tls.failure is Failure.VERIFY
    return failed and any(mark in context.issuer.lower() for mark in NOT_TRUSTED)


def _page(context: TrailContext) -> bool:
    """Whether the proxy's own denial came inside a TLS session it signed itself."""
    page = inspected_answer(context) if context.proxied else None
    if page is None or (page.status or 0) < 400:
        return False
    error = squid_error(page)
    return error.startswith(DENIALS) if error else bool(page_product(page_text(page)))


PROXY = RuleTable(
    phase=Phase.PROXY,
    rules=(
        Rule(reason="proxy_name_unresolvable", when=_name, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_certificate_untrusted", when=_untrusted, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_not_connect_capable", when=_no_proxy, score=IDENTIFIED - 1, alone=True),
        Rule(reason="proxy_unreachable", when=_unreached, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_auth_unsupported", when=_asks_for_other, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_auth_rejected", when=_asks_again, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_auth_required", when=_asks, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_port_denied", when=_port_denied, score=IDENTIFIED - 1, alone=True),
        Rule(
            reason="proxy_denied",
            when=_denied,
            score=IDENTIFIED - 1,
            contrast=_by_other_name,
            alone=True,
            weak=is_unattributed,
        ),
        Rule(reason="proxy_upstream_refused", when=_upstream_refused, score=IDENTIFIED, alone=True),
        Rule(
            reason="proxy_upstream_timeout",
            when=_upstream_timeout,
            score=IDENTIFIED,
            alone=True,
            weak=_silent,
        ),
        Rule(reason="proxy_upstream_unreachable", when=_upstream_unreachable, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_upstream_dns_failed", when=_upstream_dns, score=IDENTIFIED - 1, alone=True),
        Rule(reason="proxy_upstream_error", when=_upstream, score=EXPLICIT, alone=True, weak=is_unattributed),
        Rule(reason="proxy_unknown", when=_any_failure, score=EXPLICIT - 1),
    ),
)
TUNNEL = RuleTable(
    phase=Phase.TLS,
    rules=(
        Rule(reason="proxy_block_page_in_tunnel", when=_page, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_origin_untrusted", when=_origin_untrusted, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_tunnel_closed_on_sni", when=_closed, score=EXPLICIT, contrast=_by_other_hello),
        Rule(reason="proxy_tunnel_stall", when=_stalled, score=STAGED, silent=True, contrast=_by_other_hello),
        *TLS.rules,
    ),
    notes=TLS.notes,
)
"""The handshake inside a tunnel: what the proxy does to it comes before what any path can do."""
