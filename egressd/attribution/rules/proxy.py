"""The explicit proxy: reaching it, its answer to CONNECT, and what it does to the tunnel.

A proxied trail's own DNS and TCP are about the proxy; the proxy resolves and dials the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast, always_fails, tries
from egressd.attribution.facts.proxy import (
    BAD_GATEWAY,
    anonymous,
    hop,
    inside,
    only_unsupported,
    page_text,
    plain,
    refusal,
    schemes,
    squid_error,
    words_of,
)
from egressd.attribution.facts.tally import handshakes
from egressd.attribution.facts.vendors import NOT_TRUSTED, page_product
from egressd.attribution.facts.whole import NO_CONNECT, answered_tls
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, STAGED, Rule, Table
from egressd.attribution.rules.tls import TLS
from egressd.model.observation import Failure, Phase
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail

DNS_WORDS = re.compile(r"\bdns\b|resolve|name or service|unknown host|host not found", re.IGNORECASE)
ERRNOS = {111: "refused", 110: "timeout", 101: "unreachable", 113: "unreachable"}
DENIALS = ("ERR_ACCESS_DENIED", "ERR_CACHE_ACCESS_DENIED", "ERR_FORWARDING_DENIED")


def _name(case: Case) -> bool:
    return case.proxied and case.failed_in is Phase.DNS


def _unreached(case: Case) -> bool:
    if not case.proxied or case.trail.seen(Phase.PROXY) is not None:
        return False
    return case.failed_in is Phase.TCP or hop(case) is not None


def _untrusted(case: Case) -> bool:
    own = hop(case)
    return own is not None and own.failure is Failure.VERIFY


def _status(case: Case) -> int | None:
    """Return the status with which the proxy itself refused."""
    own = refusal(case)
    return own.status if own is not None else None


def _schemes(case: Case) -> tuple[str, ...]:
    return schemes(refusal(case))


def _asks(case: Case) -> bool:
    return _status(case) == 407


def _asks_again(case: Case) -> bool:
    own = refusal(case)
    return own is not None and own.status == 407 and own.credentials_sent


def _asks_for_other(case: Case) -> bool:
    return _asks(case) and only_unsupported(_schemes(case))


def _denied(case: Case) -> bool:
    return _status(case) == 403


def _port_denied(case: Case) -> bool:
    """Whether a tunnel to the same host on another port was opened."""
    return _denied(case) and any(_opened(trail) for trail in _other_ports(case))


def _other_ports(case: Case) -> Iterator[Trail]:
    for probe in case.whole.by_host.get(case.probe.host, ()):
        if probe.port != case.probe.port:
            yield from case.whole.trails.get(probe.id, ())
    for control in case.controls(ControlKind.PORT_CONTRAST):
        yield from control.trails


def _opened(trail: Trail) -> bool:
    one = trail.seen(Phase.PROXY)
    return one is not None and one.failure is None


def _by_other_name(case: Case) -> Contrast:
    """Compare with any name the same proxy let pass."""
    return Contrast.PASSED if case.trail.path in case.whole.tunnelled else Contrast.NONE


def _squid_errno(case: Case) -> str:
    found = re.match(r"ERR_CONNECT_FAIL\s+(\d+)", squid_error(words_of(case)))
    return ERRNOS.get(int(found[1]), "") if found else ""


def _upstream_refused(case: Case) -> bool:
    return _squid_errno(case) == "refused"


def _upstream_timeout(case: Case) -> bool:
    return _squid_errno(case) == "timeout" or _silent(case)


def _upstream_unreachable(case: Case) -> bool:
    return _squid_errno(case) == "unreachable"


def _upstream_dns(case: Case) -> bool:
    own = words_of(case)
    if own is None or own.status not in BAD_GATEWAY:
        return False
    if squid_error(own):
        return squid_error(own).startswith(("ERR_DNS_FAIL", "ERR_CANNOT_FORWARD"))
    return bool(DNS_WORDS.search(own.body))


def _upstream(case: Case) -> bool:
    own = words_of(case)
    return own is not None and own.status in BAD_GATEWAY


def _silent(case: Case) -> bool:
    """Whether the proxy took the request and said nothing, while it serves others."""
    asked = case.tunnel or plain(case)
    waits = asked is not None and asked.failure is Failure.TIMEOUT and asked.status is None
    return waits and case.trail.path in case.whole.tunnelled


def _no_proxy(case: Case) -> bool:
    """Whether what listens there does not know CONNECT, or no HTTP at all, or no TLS where that is due."""
    asked, own = case.tunnel or plain(case), hop(case)
    if own is not None and own.failure in (Failure.NOT_TLS, Failure.TLS_ERROR):
        return True
    if asked is None:
        return False
    if asked.failure in (Failure.NOT_HTTP, Failure.MALFORMED, Failure.TOO_LARGE):
        return True
    if case.tunnel is None:
        return case.trail.path in case.whole.not_proxies
    return asked.failure is Failure.PROXY_STATUS and asked.status in NO_CONNECT


def _any_failure(case: Case) -> bool:
    asked = plain(case)
    if asked is not None:
        return asked.failure is not None and asked.status is None
    return case.proxied and case.failed_in is Phase.PROXY


def _in_tunnel(case: Case) -> bool:
    """Whether the tunnel stands and TLS inside it got no answer."""
    opened = case.tunnel is not None and case.tunnel.failure is None
    return opened and case.tls is not None and case.failed_in is Phase.TLS and not case.tls.server_hello


def _closed(case: Case) -> bool:
    tls = case.tls
    if not _in_tunnel(case) or tls is None or tls.bytes_received:
        return False
    return tls.failure in (Failure.CLOSED, Failure.RESET)


def _stalled(case: Case) -> bool:
    tls = case.tls
    return _in_tunnel(case) and tls is not None and tls.failure is Failure.TIMEOUT and not tls.bytes_received


def _by_other_hello(case: Case) -> Contrast:
    """Compare with another server name: in a tunnel to the same place, else in any tunnel."""
    tls = case.tls
    mine = tls.sni.lower() if tls is not None else ""
    shown = [
        one
        for control in case.controls(ControlKind.SNI_CONTRAST)
        for trail in control.trails
        for one in handshakes(trail)
    ]
    if any(answered_tls(one) for one in shown):
        return Contrast.FLIP if tries(case) > 1 and always_fails(case) else Contrast.PASSED
    passed = case.whole.heard.get(case.trail.path, frozenset()) - {mine}
    return Contrast.PASSED if passed and not shown else Contrast.NONE


def _origin_untrusted(case: Case) -> bool:
    tls = case.tls
    failed = case.proxied and tls is not None and tls.failure is Failure.VERIFY
    return failed and any(mark in case.issuer.lower() for mark in NOT_TRUSTED)


def _page(case: Case) -> bool:
    """Whether the proxy's own denial came inside a TLS session it signed itself."""
    page = inside(case) if case.proxied else None
    if page is None or (page.status or 0) < 400:
        return False
    error = squid_error(page)
    return error.startswith(DENIALS) if error else bool(page_product(page_text(page)))


PROXY = Table(
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
            faint=anonymous,
        ),
        Rule(reason="proxy_upstream_refused", when=_upstream_refused, score=IDENTIFIED, alone=True),
        Rule(
            reason="proxy_upstream_timeout",
            when=_upstream_timeout,
            score=IDENTIFIED,
            alone=True,
            faint=_silent,
        ),
        Rule(reason="proxy_upstream_unreachable", when=_upstream_unreachable, score=IDENTIFIED, alone=True),
        Rule(reason="proxy_upstream_dns_failed", when=_upstream_dns, score=IDENTIFIED - 1, alone=True),
        Rule(reason="proxy_upstream_error", when=_upstream, score=EXPLICIT, alone=True, faint=anonymous),
        Rule(reason="proxy_unknown", when=_any_failure, score=EXPLICIT - 1),
    ),
)
TUNNEL = Table(
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
