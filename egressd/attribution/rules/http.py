"""The answer to the one request. Over a public chain the server speaks for itself; in clear, anyone may."""

from __future__ import annotations

import re

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast
from egressd.attribution.facts.freshness import is_stale
from egressd.attribution.facts.vendors import CACHE_HEADERS, CDN_HEADERS, OWN_DOMAINS, page_product
from egressd.attribution.facts.whole import host_of
from egressd.attribution.rules.certificate import is_private_ca
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, INCONSISTENT, SILENCE, Rule, Table
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, HttpObservation, Phase
from egressd.model.verdict import Blame, Outcome

SLOW = 32 * 1024
"""Bytes per second under which a download is too slow for updates."""
NOT_UPGRADED = frozenset({405, 426, 501, 505})
NO_ACCESS = re.compile(r"public ?network ?access|private ?link ?scope|private endpoint", re.IGNORECASE)


def _answer(case: Case) -> HttpObservation | None:
    """Return the answer, where one came from the other end of the path."""
    http = case.http
    return http if http is not None and http.status is not None and not http.unverified else None


def _status(case: Case) -> int:
    answer = _answer(case)
    return answer.status or 0 if answer is not None else 0


def _headers(case: Case) -> dict[str, str]:
    answer = _answer(case)
    return {name.lower(): value for name, value in answer.headers} if answer is not None else {}


def _failed(case: Case, *failures: Failure) -> bool:
    return case.http is not None and case.http.failure in failures


def _plain(case: Case) -> bool:
    """Whether anybody on the way could have written the answer."""
    return _answer(case) is not None and not _its_own(case)


def _its_own(case: Case) -> bool:
    """Whether the server proved its name, by a public chain or by the operator's own."""
    return case.public_tls or is_private_ca(case)


def _azure_firewall(case: Case) -> bool:
    return _status(case) == 470


def _block_page(case: Case) -> bool:
    answer = _answer(case)
    if answer is None or not _plain(case):
        return False
    headers = (f"{name}: {value}" for name, value in answer.headers)
    return bool(page_product(" ".join((*headers, answer.title, answer.body))))


def _portal(case: Case) -> bool:
    if not _plain(case):
        return False
    return _status(case) == 511 or (300 <= _status(case) < 400 and _leads_away(case))


def _leads_away(case: Case) -> bool:
    """Whether a redirect leaves the host's own domain (and Microsoft's own)."""
    host = host_of(_headers(case).get("location", ""))
    if not host or host == case.probe.host.lower():
        return False
    return _domain(host) != _domain(case.probe.host) and not (_own(host) and _own(case.probe.host))


def _domain(host: str) -> str:
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _own(host: str) -> bool:
    return _domain(host) in OWN_DOMAINS


def _proxy_auth(case: Case) -> bool:
    asked = _status(case) == 407 or "proxy-authenticate" in _headers(case)
    hidden = _plain(case) and not case.proxied
    return hidden and (asked or (_status(case) == 401 and not case.given and case.tls is None))


def _wanted(case: Case) -> bool:
    """Whether the status is one of those asked for."""
    return _status(case) in case.target.expect.status


def _good(case: Case) -> bool:
    return _status(case) in (200, 206) or _wanted(case)


def _wants_content(case: Case) -> bool:
    expect = case.target.expect
    return bool(expect.content_type or expect.sha256 or expect.min_bytes)


def _media_type(case: Case) -> str:
    return _headers(case).get("content-type", "").partition(";")[0].strip().lower()


def _looks_replaced(case: Case) -> bool:
    wanted = (case.target.expect.content_type or "").lower()
    return _media_type(case) == "text/html" and wanted != "text/html"


def _replaced(case: Case) -> bool:
    if not _plain(case) or not _good(case) or not _wants_content(case):
        return False
    return _looks_replaced(case) or _wrong_digest(case)


def _wrong_digest(case: Case) -> bool:
    answer, expect = _answer(case), case.target.expect
    if answer is None or expect.sha256 is None or answer.sha256 is None:
        return False
    return answer.sha256 != expect.sha256


def _no_digest(case: Case) -> bool:
    """Whether a digest is wanted and could not be taken: the body is longer than what is read."""
    answer = _answer(case)
    return answer is not None and case.target.expect.sha256 is not None and answer.sha256 is None


def _wrong_type(case: Case) -> bool:
    wanted = case.target.expect.content_type
    return wanted is not None and _media_type(case) != wanted.lower()


def _too_short(case: Case) -> bool:
    answer, least = _answer(case), case.target.expect.min_bytes
    return answer is not None and least is not None and answer.bytes_received < least


def _range_blocked(case: Case) -> bool:
    ranged = case.target.expect.min_bytes is not None
    return ranged and _status(case) in (403, 416) and not _wanted(case)


def _truncated(case: Case) -> bool:
    return _failed(case, Failure.TRUNCATED)


def _unexpected_status(case: Case) -> bool:
    if _answer(case) is None or _wanted(case) or case.probe.protocol is Protocol.WSS:
        return False
    expect = case.target.expect
    return bool(expect.status) or (_wants_content(case) and _status(case) >= 400)


def _unexpected_content(case: Case) -> bool:
    return _good(case) and (_wrong_type(case) or _wrong_digest(case) or _no_digest(case) or _too_short(case))


def _no_upgrade(case: Case) -> bool:
    """Whether the upgrade was refused in a way the service itself would not: it answers 101 or an error."""
    if case.probe.protocol is not Protocol.WSS or case.http is None:
        return False
    if _failed(case, Failure.CLOSED, Failure.RESET):
        return True
    status = _status(case)
    if not status or status == 101 or _wanted(case):
        return False
    return 200 <= status < 400 or status in NOT_UPGRADED or not _its_own(case)


def _no_access(case: Case) -> bool:
    answer = _answer(case)
    return answer is not None and answer.status == 403 and bool(NO_ACCESS.search(answer.body))


def _h2(case: Case) -> bool:
    return _failed(case, Failure.HTTP2_ERROR)


def _reset(case: Case) -> bool:
    return _failed(case, Failure.RESET, Failure.CLOSED)


def _silent(case: Case) -> bool:
    return _failed(case, Failure.TIMEOUT)


def _not_http(case: Case) -> bool:
    return _failed(case, Failure.NOT_HTTP, Failure.MALFORMED)


def _too_large(case: Case) -> bool:
    return _failed(case, Failure.TOO_LARGE)


def _any_failure(case: Case) -> bool:
    return case.http is not None and case.http.failure is not None and not case.http.unverified


def _filter_in_clear(case: Case) -> Blame | None:
    """Blame a filter where the request was readable on the way, or the session was not the server's."""
    return None if _its_own(case) else Blame.FIREWALL_L7


def _blocked_in_clear(case: Case) -> Outcome | None:
    return None if _its_own(case) else Outcome.BLOCKED


def _by_handshake(case: Case) -> Contrast:
    """Compare with the phase before: the session itself stands."""
    return Contrast.PASSED if case.tls is not None and case.tls.failure is None else Contrast.NONE


def _cache(case: Case) -> bool:
    """Whether a cache on the way left its marks; a content network's own do not count."""
    headers = _headers(case)
    if case.proxied or not _plain(case) or any(name in headers for name in CDN_HEADERS):
        return False
    return any(name in headers for name in CACHE_HEADERS)


def _stale(case: Case) -> bool:
    """Whether somebody on the way kept the answer too long; what a content network keeps is its own."""
    answer = _answer(case)
    if answer is None or not _plain(case) or any(name in _headers(case) for name in CDN_HEADERS):
        return False
    return is_stale(answer, case.whole.recording.vantage.clock_readings)


def _service_error(case: Case) -> bool:
    return _status(case) >= 400 and _its_own(case)


def _slow(case: Case) -> bool:
    answer = _answer(case)
    return answer is not None and answer.throughput is not None and answer.throughput < SLOW


HTTP = Table(
    phase=Phase.HTTP,
    rules=(
        Rule(reason="http_azure_firewall_denied", when=_azure_firewall, score=IDENTIFIED, alone=True),
        Rule(reason="http_block_page", when=_block_page, score=IDENTIFIED, alone=True),
        Rule(reason="http_transparent_proxy_auth", when=_proxy_auth, score=IDENTIFIED - 1, alone=True),
        Rule(
            reason="http_websocket_blocked",
            when=_no_upgrade,
            score=EXPLICIT,
            contrast=_by_handshake,
        ),
        Rule(reason="http_captive_portal", when=_portal, score=IDENTIFIED - 1, alone=True),
        Rule(reason="http_range_blocked", when=_range_blocked, score=EXPLICIT),
        Rule(reason="http_content_replaced", when=_replaced, score=IDENTIFIED - 1, alone=True),
        Rule(reason="http_truncated", when=_truncated, score=IDENTIFIED - 1, alone=True),
        Rule(reason="service_public_access_denied", when=_no_access, score=EXPLICIT, alone=True),
        Rule(reason="http_unexpected_status", when=_unexpected_status, score=INCONSISTENT, alone=True),
        Rule(reason="http_content_unexpected", when=_unexpected_content, score=INCONSISTENT, alone=True),
        Rule(reason="http_h2_broken", when=_h2, score=EXPLICIT, contrast=_by_handshake),
        Rule(
            reason="http_reset_after_request",
            when=_reset,
            score=EXPLICIT - 1,
            blame=_filter_in_clear,
            outcome=_blocked_in_clear,
        ),
        Rule(
            reason="http_no_answer",
            when=_silent,
            score=SILENCE,
            silent=True,
            blame=_filter_in_clear,
            outcome=_blocked_in_clear,
        ),
        Rule(reason="http_not_http", when=_not_http, score=IDENTIFIED - 1, alone=True),
        Rule(reason="http_headers_too_large", when=_too_large, score=EXPLICIT),
        Rule(reason="http_unknown", when=_any_failure, score=SILENCE),
    ),
    notes=(
        Rule(reason="http_slow_download", when=_slow, score=EXPLICIT),
        Rule(reason="http_stale_cache", when=_stale, score=INCONSISTENT, alone=True),
        Rule(reason="http_transparent_proxy_present", when=_cache, score=IDENTIFIED - 1, alone=True),
        Rule(reason="service_reachable_http", when=_service_error, score=IDENTIFIED, alone=True),
    ),
)
