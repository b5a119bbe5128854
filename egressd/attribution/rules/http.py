"""Rules for the HTTP answer. Over a public chain it is the server's own; in clear, it may be forged."""

from __future__ import annotations

import re

from msgspec.structs import replace

from egressd.attribution.blame.authorship import (
    NOTHING,
    REDIRECTS,
    Author,
    author_in_clear,
    content_right,
    media_type,
    meets,
    proves_content,
)
from egressd.attribution.blame.suspects import (
    ANSWERED_BY_INSPECTION,
    ANSWERED_IN_CLEAR,
    CUT_IN_CLEAR,
    EGRESSD_ITSELF,
    Signature,
)
from egressd.attribution.certainty import OBSERVED, SILENCE, Certainty, at, unless
from egressd.attribution.control_results.contrast import http1_contrast
from egressd.attribution.control_results.redirect import dead_end, host_led_to, portal_shared
from egressd.attribution.control_results.resolvers import name_denied_elsewhere
from egressd.attribution.control_results.session import owners_fail_alike, request_lost
from egressd.attribution.facts.address import parse_ip
from egressd.attribution.facts.freshness import is_stale
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.proxy import headers_of
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import CACHE_HEADERS, CDN_HEADERS, OWN_DOMAINS, product_of
from egressd.attribution.rules.certificate import is_private_ca
from egressd.attribution.rules.condition import phase_failed
from egressd.attribution.rules.local import exhausted_in
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, HttpObservation, Phase
from egressd.model.verdict import Confidence, Outcome

SLOW = 32 * 1024
"""Bytes per second under which a download is too slow for updates."""
NOT_UPGRADED = frozenset({405, 426, 501, 505})
NO_ACCESS = re.compile(r"public ?network ?access|private ?link ?scope|private endpoint", re.IGNORECASE)
AZURE_FIREWALL_TEXT = "action: deny"

_ended = phase_failed(Phase.HTTP, Failure.RESET, Failure.CLOSED, Failure.ALERT)
_truncated = phase_failed(Phase.HTTP, Failure.TRUNCATED)


def _answer(context: TrailContext) -> HttpObservation | None:
    """Return the answer, where one came and the chain verified."""
    http = context.http
    return http if http is not None and http.status is not None and not http.unverified else None


def _cut(context: TrailContext) -> bool:
    """Whether the connection ended after the request and before the answer began."""
    return _ended(context) and context.http is not None and context.http.status is None


def _cut_short(context: TrailContext) -> bool:
    """Whether the connection ended in the middle of the answer."""
    return _truncated(context) or (_ended(context) and _answer(context) is not None)


def _status(context: TrailContext) -> int:
    answer = _answer(context)
    return answer.status or 0 if answer is not None else 0


def _headers(context: TrailContext) -> dict[str, str]:
    return headers_of(_answer(context))


def _forgeable(context: TrailContext) -> bool:
    """Whether a device on the way could have written the answer."""
    return _answer(context) is not None and not _is_authenticated(context)


def _doubtful(context: TrailContext) -> bool:
    """Whether a device on the way could have written the answer, and the row does not expect it."""
    return _forgeable(context) and not _expected(context)


def _is_authenticated(context: TrailContext) -> bool:
    """Whether the server proved its name, by a public chain or by the operator's own."""
    return context.public_tls or is_private_ca(context)


def _expected(context: TrailContext) -> bool:
    """Whether the answer is what the row expects: then nothing about its status is a fault.

    A status that the catalog expects excuses no device's page, and no redirect that leads away: anybody on
    the way can write it. What the operator says of an own server holds.
    """
    answer = _answer(context)
    if answer is None or answer.failure is not None or not meets(answer, context.target.expect):
        return False
    by_status_alone = context.tls is None and not context.owned and not _wants_content(context)
    foreign = bool(product_of(answer)) or (answer.status in REDIRECTS and _leads_away(context))
    return not (by_status_alone and foreign)


def _azure_firewall(context: TrailContext) -> bool:
    return _status(context) == 470 and _doubtful(context)


def _without_its_text(context: TrailContext) -> bool:
    answer = _answer(context)
    return answer is not None and AZURE_FIREWALL_TEXT not in answer.body.lower()


def _block_page(context: TrailContext) -> bool:
    answer = _answer(context)
    return answer is not None and _doubtful(context) and bool(product_of(answer))


def _page_certainty(context: TrailContext) -> Confidence:
    answer = _answer(context)
    by_header = answer is not None and bool(product_of(replace(answer, title="", body="")))
    return Confidence.CONFIRMED if by_header else Confidence.HIGH


def _asks_as_a_server(context: TrailContext) -> bool:
    """Whether the answer asks for a login as origins do as well."""
    return _status(context) != 407 and "proxy-authenticate" not in _headers(context)


def _captive_portal(context: TrailContext) -> bool:
    if not _doubtful(context):
        return False
    return _status(context) == 511 or (_status(context) in REDIRECTS and _leads_to_portal(context))


def _leads_to_portal(context: TrailContext) -> bool:
    """Whether a redirect leads where a service would not send anybody.

    Operators' own servers may send clients to HTTPS of another name; no login page is out of reach. A bare
    address is no place that a service sends to.
    """
    secure = _headers(context).get("location", "").lower().startswith("https://")
    named = parse_ip(host_led_to(context)) is None
    legal = context.owned and named and (secure or dead_end(context))
    return _leads_away(context) and (portal_shared(context) or not legal)


def _portal_certainty(context: TrailContext) -> Confidence:
    proven = _status(context) == 511 or portal_shared(context)
    return Confidence.HIGH if proven else Confidence.MEDIUM


def _leads_away(context: TrailContext) -> bool:
    """Whether a redirect leaves the host's own domain (and Microsoft's own)."""
    host, own = host_led_to(context), domain_of(context.probe.host)
    if not host:
        return False
    return domain_of(host) != own and not {domain_of(host), own} <= OWN_DOMAINS


def _proxy_auth(context: TrailContext) -> bool:
    asked = _status(context) == 407 or "proxy-authenticate" in _headers(context)
    unlikely_401 = _status(context) == 401 and not context.given and context.tls is None
    return _doubtful(context) and not context.proxied and (asked or unlikely_401)


def _wanted(context: TrailContext) -> bool:
    """Whether the status is one of those expected."""
    return _status(context) in context.target.expect.status


def _good(context: TrailContext) -> bool:
    return _status(context) in (200, 206) or _wanted(context)


def _wants_content(context: TrailContext) -> bool:
    one = context.target.expect
    return bool(one.content_type or one.not_content_type or one.der or one.sha256 or one.min_bytes)


def _replaced(context: TrailContext) -> bool:
    """Whether a page, or other content, came in place of what the row promises."""
    answer = _answer(context)
    if answer is None or answer.failure is not None or not _doubtful(context) or not _good(context):
        return False
    page = media_type(answer) == "text/html" and context.target.expect.content_type != "text/html"
    return _wants_content(context) and (page or _wrong_digest(context) or _no_der(context))


def _wrong_digest(context: TrailContext) -> bool:
    answer, expect = _answer(context), context.target.expect
    if answer is None or expect.sha256 is None or answer.sha256 is None:
        return False
    return answer.sha256 != expect.sha256


def _no_der(context: TrailContext) -> bool:
    answer = _answer(context)
    return answer is not None and context.target.expect.der and answer.der is not True


def _range_blocked(context: TrailContext) -> bool:
    """Whether a range was refused, or the whole file came where nothing but a range is expected."""
    answer, expect = _answer(context), context.target.expect
    if answer is None or expect.min_bytes is None or _wanted(context):
        return False
    if answer.status == 200:
        return expect.status == (206,) and answer.failure is None and content_right(answer, expect)
    return answer.status == 416 or (answer.status == 403 and not _unproven(context))


def _unexpected_status(context: TrailContext) -> bool:
    if _answer(context) is None or _wanted(context) or context.probe.protocol is Protocol.WSS:
        return False
    if context.target.expect.status:
        return True
    return _status(context) >= 400 and _wants_content(context) and not _unproven(context)


def _unexpected_content(context: TrailContext) -> bool:
    """Whether the whole answer came and is not what was expected; a slow one is not judged."""
    answer = _answer(context) if _wants_content(context) else None
    if answer is None or answer.failure is not None or not _good(context):
        return False
    return not content_right(answer, context.target.expect)


def _unreadable(context: TrailContext) -> bool:
    """Whether a digest is expected and egressd could not take one: too long, or in an unknown coding."""
    answer = _answer(context)
    return answer is not None and context.target.expect.sha256 is not None and answer.sha256 is None


def _content_suspects(context: TrailContext) -> Signature | None:
    return EGRESSD_ITSELF if _unreadable(context) else None


def _content_outcome(context: TrailContext) -> Outcome | None:
    return Outcome.UNKNOWN if _unreadable(context) else None


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


def _unproven(context: TrailContext) -> bool:
    """Whether an answer in clear denies the request, and nothing shows that the server wrote it.

    What a configured proxy passes on is judged by the rules for proxies.
    """
    answer = _answer(context)
    if answer is None or context.tls is not None or context.proxied or not _doubtful(context):
        return False
    author = author_in_clear(answer, context.target.expect)
    return author is Author.UNKNOWN or (author is Author.OPEN and name_denied_elsewhere(context))


def _malformed(context: TrailContext) -> bool:
    http = context.http
    if http is None or http.unverified:
        return False
    return bool(http.violations) or http.failure is Failure.MALFORMED


def proof_of_answer(context: TrailContext) -> Confidence:
    """Return how sure it is that the endpoint itself answered: in clear text only content can prove that."""
    answer = _answer(context)
    if answer is None or context.tls is not None or proves_content(answer, context.target.expect):
        return Confidence.CONFIRMED
    return Confidence.MEDIUM


def _too_slow(context: TrailContext) -> bool:
    """Whether a body came, and not all of it in time."""
    answer = _answer(context)
    return answer is not None and answer.failure is Failure.TIMEOUT and answer.bytes_received > 0


def _no_access(context: TrailContext) -> bool:
    answer = _answer(context)
    if answer is None or not _is_authenticated(context):
        return False
    return answer.status == 403 and bool(NO_ACCESS.search(answer.body))


def _any_failure(context: TrailContext) -> bool:
    return context.http is not None and context.http.failure is not None and not context.http.unverified


def _clear_suspects(context: TrailContext) -> Signature | None:
    """Suspect a filter where the request was readable on the way, or the session was not the server's."""
    return None if _is_authenticated(context) else CUT_IN_CLEAR


def _writers(context: TrailContext) -> Signature | None:
    """Suspect who can have written the answer, where no session was the server's own."""
    if _is_authenticated(context):
        return None
    return ANSWERED_IN_CLEAR if context.tls is None else ANSWERED_BY_INSPECTION


def _status_suspects(context: TrailContext) -> Signature | None:
    """Think of the server first, unless the answer denies and has nothing of it."""
    return ANSWERED_IN_CLEAR if _unproven(context) else None


def _cut_outcome(context: TrailContext) -> Outcome | None:
    """Something on the way, where the request was readable there, did not arrive, or others end alike."""
    if not _is_authenticated(context) or owners_fail_alike(context) or request_lost(context):
        return Outcome.BLOCKED
    return None


def _upgrade_outcome(context: TrailContext) -> Outcome | None:
    """The far end's own refusal is no block."""
    return None if _cut_outcome(context) is Outcome.BLOCKED else Outcome.DOWN


def _down_inside(context: TrailContext) -> Outcome | None:
    return Outcome.DOWN if _is_authenticated(context) else None


def _h2_outcome(context: TrailContext) -> Outcome | None:
    """Clients choose HTTP/2 and fail; only those that fall back work, where HTTP/1.1 is known to."""
    return None if http1_contrast(context).separates else Outcome.DOWN


def _from_cdn(context: TrailContext) -> bool:
    return not _headers(context).keys().isdisjoint(CDN_HEADERS)


def _cached(context: TrailContext) -> bool:
    """Whether a cache on the way left its marks; those of a content network do not count."""
    if context.proxied or not _forgeable(context) or _from_cdn(context):
        return False
    return not _headers(context).keys().isdisjoint(CACHE_HEADERS)


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


def _answered_well(context: TrailContext) -> bool:
    """Whether a proven server answered without an error, and nothing more is expected of it."""
    http = context.http
    if http is None:
        return True
    sound = http.failure is None and not http.violations and http.status is not None and http.status < 400
    plain = context.target.expect == NOTHING and context.probe.protocol is not Protocol.WSS
    return sound and plain and context.public_tls


HTTP = RuleTable(
    phase=Phase.HTTP,
    clear=_answered_well,
    rules=(
        exhausted_in(Phase.HTTP),
        Rule(
            reason="http_azure_firewall_denied",
            when=_azure_firewall,
            certainty=unless(_without_its_text, OBSERVED),
        ),
        Rule(
            reason="http_block_page",
            when=_block_page,
            certainty=Certainty(
                text="Confirmed by a product's own header; high by words of a page, which anybody can write.",
                of=_page_certainty,
            ),
        ),
        Rule(
            reason="http_transparent_proxy_auth",
            when=_proxy_auth,
            certainty=unless(_asks_as_a_server, OBSERVED),
        ),
        Rule(
            reason="http_websocket_blocked",
            when=_no_upgrade,
            outcome=_upgrade_outcome,
            suspects=_writers,
        ),
        Rule(
            reason="http_captive_portal",
            when=_captive_portal,
            certainty=Certainty(
                text="Medium for one redirect; high for status 511, or where unrelated names lead there.",
                of=_portal_certainty,
            ),
        ),
        Rule(reason="http_range_blocked", when=_range_blocked),
        Rule(reason="http_content_replaced", when=_replaced),
        Rule(
            reason="http_truncated",
            when=_cut_short,
            suspects=_clear_suspects,
        ),
        Rule(reason="service_public_access_denied", when=_no_access, certainty=at(Confidence.HIGH)),
        Rule(reason="http_unexpected_status", when=_unexpected_status, suspects=_status_suspects),
        Rule(
            reason="http_content_unexpected",
            when=_unexpected_content,
            suspects=_content_suspects,
            outcome=_content_outcome,
        ),
        Rule(
            reason="http_h2_broken",
            when=phase_failed(Phase.HTTP, Failure.HTTP2_ERROR),
            outcome=_h2_outcome,
            suspects=_writers,
        ),
        Rule(
            reason="http_reset_after_request",
            when=_cut,
            outcome=_cut_outcome,
            suspects=_clear_suspects,
        ),
        Rule(reason="http_slow_download", when=_too_slow),
        Rule(
            reason="http_no_answer",
            when=phase_failed(Phase.HTTP, Failure.TIMEOUT),
            outcome=_cut_outcome,
            suspects=_clear_suspects,
            certainty=SILENCE,
        ),
        Rule(reason="http_not_http", when=phase_failed(Phase.HTTP, Failure.NOT_HTTP), outcome=_down_inside),
        Rule(reason="http_flood", when=phase_failed(Phase.HTTP, Failure.FLOOD)),
        Rule(reason="http_headers_too_large", when=phase_failed(Phase.HTTP, Failure.TOO_LARGE)),
        Rule(reason="http_unproven_answer", when=_unproven),
        Rule(reason="http_malformed_answer", when=_malformed),
        Rule(reason="http_unknown", when=_any_failure, certainty=at(Confidence.LOW)),
    ),
    notes=(
        Rule(reason="http_slow_download", when=_slow, certainty=at(Confidence.MEDIUM)),
        Rule(reason="http_stale_cache", when=_stale, certainty=at(Confidence.HIGH)),
        Rule(reason="http_transparent_proxy_present", when=_cached),
        Rule(reason="http_redirect_dead_end", when=dead_end),
        Rule(reason="service_reachable_http", when=_service_error),
    ),
)
