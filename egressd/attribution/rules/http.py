"""Rules for the HTTP answer. Over a public chain it is the server's own; in clear, it may be forged."""

from __future__ import annotations

import re

from egressd.attribution.blame.suspects import CUT_IN_CLEAR, Signature
from egressd.attribution.certainty import SILENCE, at, contrasted
from egressd.attribution.control_results.contrast import Contrast, passed_if
from egressd.attribution.facts.freshness import is_stale
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.proxy import headers_of
from egressd.attribution.facts.sweep_index import host_of
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import CACHE_HEADERS, CDN_HEADERS, OWN_DOMAINS, product_of
from egressd.attribution.rules.certificate import is_private_ca
from egressd.attribution.rules.condition import phase_failed
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, HttpObservation, Phase
from egressd.model.verdict import Confidence, Outcome

SLOW = 32 * 1024
"""Bytes per second under which a download is too slow for updates."""
NOT_UPGRADED = frozenset({405, 426, 501, 505})
NO_ACCESS = re.compile(r"public ?network ?access|private ?link ?scope|private endpoint", re.IGNORECASE)

_cut = phase_failed(Phase.HTTP, Failure.RESET, Failure.CLOSED)


def _answer(context: TrailContext) -> HttpObservation | None:
    """Return the answer, where one came and the chain verified."""
    http = context.http
    return http if http is not None and http.status is not None and not http.unverified else None


def _status(context: TrailContext) -> int:
    answer = _answer(context)
    return answer.status or 0 if answer is not None else 0


def _headers(context: TrailContext) -> dict[str, str]:
    return headers_of(_answer(context))


def _forgeable(context: TrailContext) -> bool:
    """Whether a device on the way could have written the answer."""
    return _answer(context) is not None and not _is_authenticated(context)


def _is_authenticated(context: TrailContext) -> bool:
    """Whether the server proved its name, by a public chain or by the operator's own."""
    return context.public_tls or is_private_ca(context)


def _azure_firewall(context: TrailContext) -> bool:
    return _status(context) == 470


def _block_page(context: TrailContext) -> bool:
    answer = _answer(context)
    return answer is not None and _forgeable(context) and bool(product_of(answer))


def _captive_portal(context: TrailContext) -> bool:
    if not _forgeable(context):
        return False
    return _status(context) == 511 or (300 <= _status(context) < 400 and _leads_away(context))


def _leads_away(context: TrailContext) -> bool:
    """Whether a redirect leaves the host's own domain (and Microsoft's own)."""
    host, own = host_of(_headers(context).get("location", "")), domain_of(context.probe.host)
    if not host or host == context.probe.host.lower():
        return False
    return domain_of(host) != own and not {domain_of(host), own} <= OWN_DOMAINS


def _proxy_auth(context: TrailContext) -> bool:
    asked = _status(context) == 407 or "proxy-authenticate" in _headers(context)
    unlikely_401 = _status(context) == 401 and not context.given and context.tls is None
    return _forgeable(context) and not context.proxied and (asked or unlikely_401)


def _wanted(context: TrailContext) -> bool:
    """Whether the status is one of those expected."""
    return _status(context) in context.target.expect.status


def _good(context: TrailContext) -> bool:
    return _status(context) in (200, 206) or _wanted(context)


def _wants_content(context: TrailContext) -> bool:
    expect = context.target.expect
    return bool(expect.content_type or expect.sha256 or expect.min_bytes)


def _media_type(context: TrailContext) -> str:
    return _headers(context).get("content-type", "").partition(";")[0].strip().lower()


def _html_instead(context: TrailContext) -> bool:
    wanted = (context.target.expect.content_type or "").lower()
    return _media_type(context) == "text/html" and wanted != "text/html"


def _replaced(context: TrailContext) -> bool:
    if not _forgeable(context) or not _good(context) or not _wants_content(context):
        return False
    return _html_instead(context) or _wrong_digest(context)


def _wrong_digest(context: TrailContext) -> bool:
    answer, expect = _answer(context), context.target.expect
    if answer is None or expect.sha256 is None or answer.sha256 is None:
        return False
    return answer.sha256 != expect.sha256


def _no_digest(context: TrailContext) -> bool:
    """Whether a digest is expected and could not be taken: the body is longer than what is read."""
    answer = _answer(context)
    return answer is not None and context.target.expect.sha256 is not None and answer.sha256 is None


def _wrong_type(context: TrailContext) -> bool:
    wanted = context.target.expect.content_type
    return wanted is not None and _media_type(context) != wanted.lower()


def _too_short(context: TrailContext) -> bool:
    answer, least = _answer(context), context.target.expect.min_bytes
    return answer is not None and least is not None and answer.bytes_received < least


def _range_blocked(context: TrailContext) -> bool:
    ranged = context.target.expect.min_bytes is not None
    return ranged and _status(context) in (403, 416) and not _wanted(context)


def _unexpected_status(context: TrailContext) -> bool:
    if _answer(context) is None or _wanted(context) or context.probe.protocol is Protocol.WSS:
        return False
    return bool(context.target.expect.status) or (_wants_content(context) and _status(context) >= 400)


def _unexpected_content(context: TrailContext) -> bool:
    wrong = _wrong_type(context) or _wrong_digest(context) or _no_digest(context) or _too_short(context)
    return _good(context) and wrong


def _no_upgrade(context: TrailContext) -> bool:
    """Whether the upgrade was refused in a way the service itself would not: it answers 101 or an error."""
    if context.probe.protocol is not Protocol.WSS:
        return False
    if _cut(context):
        return True
    status = _status(context)
    if not status or status == 101 or _wanted(context):
        return False
    return 200 <= status < 400 or status in NOT_UPGRADED or not _is_authenticated(context)


def _no_access(context: TrailContext) -> bool:
    answer = _answer(context)
    return answer is not None and answer.status == 403 and bool(NO_ACCESS.search(answer.body))


def _any_failure(context: TrailContext) -> bool:
    return context.http is not None and context.http.failure is not None and not context.http.unverified


def _clear_suspects(context: TrailContext) -> Signature | None:
    """Suspect a filter where the request was readable on the way, or the session was not the server's."""
    return None if _is_authenticated(context) else CUT_IN_CLEAR


def _blocked_in_clear(context: TrailContext) -> Outcome | None:
    return None if _is_authenticated(context) else Outcome.BLOCKED


def _by_handshake(context: TrailContext) -> Contrast:
    """Compare with the phase before: the session itself works."""
    return passed_if(context.tls is not None and context.tls.failure is None)


def _from_cdn(context: TrailContext) -> bool:
    return any(name in _headers(context) for name in CDN_HEADERS)


def _cached(context: TrailContext) -> bool:
    """Whether a cache on the way left its marks; those of a content network do not count."""
    if context.proxied or not _forgeable(context) or _from_cdn(context):
        return False
    return any(name in _headers(context) for name in CACHE_HEADERS)


def _stale(context: TrailContext) -> bool:
    """Whether a cache on the way kept the answer too long; a content network's cache is the service's own."""
    answer = _answer(context)
    if answer is None or not _forgeable(context) or _from_cdn(context):
        return False
    return is_stale(answer, context.index.recording.vantage.clock_readings)


def _service_error(context: TrailContext) -> bool:
    return _status(context) >= 400 and _is_authenticated(context)


def _slow(context: TrailContext) -> bool:
    answer = _answer(context)
    return answer is not None and answer.throughput is not None and answer.throughput < SLOW


HTTP = RuleTable(
    phase=Phase.HTTP,
    rules=(
        Rule(reason="http_azure_firewall_denied", when=_azure_firewall),
        Rule(reason="http_block_page", when=_block_page),
        Rule(reason="http_transparent_proxy_auth", when=_proxy_auth),
        Rule(reason="http_websocket_blocked", when=_no_upgrade, certainty=contrasted(_by_handshake)),
        Rule(reason="http_captive_portal", when=_captive_portal),
        Rule(reason="http_range_blocked", when=_range_blocked, certainty=at(Confidence.MEDIUM)),
        Rule(reason="http_content_replaced", when=_replaced),
        Rule(reason="http_truncated", when=phase_failed(Phase.HTTP, Failure.TRUNCATED)),
        Rule(reason="service_public_access_denied", when=_no_access, certainty=at(Confidence.HIGH)),
        Rule(reason="http_unexpected_status", when=_unexpected_status),
        Rule(reason="http_content_unexpected", when=_unexpected_content, certainty=at(Confidence.HIGH)),
        Rule(
            reason="http_h2_broken",
            when=phase_failed(Phase.HTTP, Failure.HTTP2_ERROR),
            certainty=contrasted(_by_handshake),
        ),
        Rule(
            reason="http_reset_after_request",
            when=_cut,
            outcome=_blocked_in_clear,
            suspects=_clear_suspects,
        ),
        Rule(
            reason="http_no_answer",
            when=phase_failed(Phase.HTTP, Failure.TIMEOUT),
            outcome=_blocked_in_clear,
            suspects=_clear_suspects,
            certainty=SILENCE,
        ),
        Rule(
            reason="http_not_http",
            when=phase_failed(Phase.HTTP, Failure.NOT_HTTP, Failure.MALFORMED),
        ),
        Rule(
            reason="http_headers_too_large",
            when=phase_failed(Phase.HTTP, Failure.TOO_LARGE),
        ),
        Rule(reason="http_unknown", when=_any_failure, certainty=at(Confidence.LOW)),
    ),
    notes=(
        Rule(reason="http_slow_download", when=_slow, certainty=at(Confidence.MEDIUM)),
        Rule(reason="http_stale_cache", when=_stale, certainty=at(Confidence.HIGH)),
        Rule(reason="http_transparent_proxy_present", when=_cached),
        Rule(reason="service_reachable_http", when=_service_error),
    ),
)
