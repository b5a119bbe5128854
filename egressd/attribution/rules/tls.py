"""Rules for the handshake that got no usable answer. The key fact: was the ClientHello acknowledged?"""

from __future__ import annotations

import re
from collections import Counter

from egressd.attribution.blame.suspects import HELLO_NOT_ACKNOWLEDGED, Signature
from egressd.attribution.certainty import SILENCE, Certainty, at, contrasted
from egressd.attribution.control_results.contrast import (
    Contrast,
    answered_elsewhere,
    mss_contrast,
    other_sni_acknowledged,
    sni_contrast,
)
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import page_product
from egressd.attribution.reasons import ALERTS, alert_code
from egressd.attribution.rules.client_hello import HELLO_NOTES, HELLO_RULES
from egressd.attribution.rules.condition import Condition, both, on_failure, phase_failed
from egressd.attribution.rules.local import exhausted_in
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.attribution.rules.verification import LIMIT_RULES
from egressd.model.observation import Failure, Observation, Phase, TcpInfo, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.verdict import Confidence

PROTOCOL_VERSION = 70
HTTP_STATUS = re.compile(r"HTTP/[0-9.]+ ([0-9]{3})")
DENYING = frozenset({302, 303, 307, 308, 403, 407, 451, 470, 511})
"""Statuses of pages that deny access or lead to a login."""
OLD_PROTOCOL = ("unsupported protocol", "unsupported_protocol", "protocol version", "protocol_version")

_silent = phase_failed(Phase.TLS, Failure.TIMEOUT)
_reset = phase_failed(Phase.TLS, Failure.RESET)
_closed = phase_failed(Phase.TLS, Failure.CLOSED)


def _received(context: TrailContext) -> bool:
    return context.tls is not None and (context.tls.bytes_received > 0 or context.tls.server_hello)


def _unacked(context: TrailContext) -> bool:
    return context.hello_acked is False and not _received(context)


@on_failure
def _reset_before_hello(context: TrailContext) -> bool:
    """Whether the connection, or a repeat of it, was reset before a ClientHello could be read.

    Where the ClientHello was quicker than the RST, that of another try may not have been.
    """
    tls = context.tls
    if tls is None or not _reset(context) or tls.server_hello:
        return False
    if sni_contrast(context).separates:
        return False
    compared = (*context.controls(ControlKind.REPEAT), *context.controls(ControlKind.SNI_CONTRAST))
    ends = [trail.last for control in compared for trail in control.trails]
    return any(_nothing_sent(one) for one in (tls, *ends))


def _nothing_sent(one: Observation | None) -> bool:
    match one:
        case TcpObservation():
            return one.failure is Failure.RESET
        case TlsObservation(failure=Failure.RESET, info=TcpInfo(bytes_sent=0)):
            return True
        case _:
            return False


@on_failure
def _plaintext_page(context: TrailContext) -> bool:
    """Whether a page that denies was sent in clear: one with a product's mark, or a status that denies.

    Any web server that speaks plain HTTP on the port answers a ClientHello with 400 and a page of its own.
    """
    tls = context.tls
    if tls is None or tls.failure is None or tls.server_hello:
        return False
    status = HTTP_STATUS.match(tls.first_text)
    if status is not None:
        return int(status[1]) in DENYING
    return bool(page_product(tls.first_text))


def _by_mark(context: TrailContext) -> Confidence:
    """Return how sure it is that a page in clear blocks: a mark of a product is a hint, a status is less."""
    text = context.tls.first_text if context.tls is not None else ""
    return Confidence.MEDIUM if page_product(text) else Confidence.LOW


def _alert(description: int) -> Condition:
    def when(context: TrailContext) -> bool:
        tls = context.tls
        if tls is None or tls.failure is None or tls.failure is Failure.VERIFY:
            return False
        if description == PROTOCOL_VERSION and _old_protocol(tls):
            return True
        return tls.alert is not None and tls.alert.description == description

    return on_failure(when)


def _old_protocol(tls: TlsObservation) -> bool:
    """Whether OpenSSL gave up on a version the server chose; then no alert came in."""
    detail = tls.detail.lower()
    return tls.failure is Failure.TLS_ERROR and any(mark in detail for mark in OLD_PROTOCOL)


@on_failure
def _synproxy(context: TrailContext) -> bool:
    info = context.tls.info if context.tls is not None else None
    if info is None or not _silent(context) or _received(context):
        return False
    return info.bytes_sent == 0 and info.peer_window == 0 and info.bytes_acked <= 1


@on_failure
def _pmtu_inbound(context: TrailContext) -> bool:
    """Whether small segments get in and full-size ones do not."""
    if not _silent(context) or context.hello_acked is False:
        return False
    info = context.tls.info if context.tls is not None else None
    hole = info is not None and bool(info.out_of_order) and info.bytes_received == 0
    return hole or mss_contrast(context).separates


@on_failure
def _pmtu_outbound(context: TrailContext) -> bool:
    return _silent(context) and _unacked(context) and mss_contrast(context).separates


@on_failure
def _all_dropped(context: TrailContext) -> bool:
    """Whether no ClientHello to the address is ever acknowledged, whatever the name."""
    if not _silent(context) or not _unacked(context) or other_sni_acknowledged(context):
        return False
    nowhere = context.source not in context.index.once(_places_answered)
    several = context.index.once(_places_unanswered)[context.source] > 1
    return sni_contrast(context) is Contrast.FAILED or (nowhere and several)


def _places_answered(index: SweepIndex) -> Counter[str]:
    """Count the addresses at which TLS answered, by source."""
    return Counter(source for source, _, _ in index.answered_sni)


def _places_unanswered(index: SweepIndex) -> Counter[str]:
    """Count those that were connected to and gave no TLS answer."""
    return Counter(source for source, _, _ in index.unanswered_sni)


def _for_its_name(context: TrailContext) -> bool:
    """Whether the ClientHello was not acknowledged, and one with another name was answered at the address."""
    return _unacked(context) and sni_contrast(context).separates and not answered_elsewhere(context)


def _before_it_arrived(context: TrailContext) -> Signature | None:
    """Return who can keep a ClientHello from arriving, where it was not acknowledged."""
    return HELLO_NOT_ACKNOWLEDGED if _unacked(context) else None


@on_failure
def _any_failure(context: TrailContext) -> bool:
    tls = context.tls
    return tls is not None and tls.failure is not None and tls.failure is not Failure.VERIFY


def _by_mss(context: TrailContext) -> Contrast:
    found = mss_contrast(context)
    return found if found.separates else Contrast.NONE


def _client_certificate(context: TrailContext) -> bool:
    return context.wants_client_certificate


BY_MARK = Certainty(text="Medium with the mark of a product, low by a status alone.", of=_by_mark)
ALERT_RULES = tuple(Rule(reason=alert_code(description), when=_alert(description)) for description in ALERTS)

TLS = RuleTable(
    phase=Phase.TLS,
    rules=(
        exhausted_in(Phase.TLS),
        Rule(reason="tls_flood", when=phase_failed(Phase.TLS, Failure.FLOOD)),
        Rule(reason="tls_plaintext_block_page", when=_plaintext_page, certainty=BY_MARK),
        *ALERT_RULES,
        Rule(reason="tls_not_tls", when=phase_failed(Phase.TLS, Failure.NOT_TLS)),
        Rule(reason="tcp_reset_after_accept", when=_reset_before_hello),
        Rule(reason="tcp_synproxy_stall", when=_synproxy),
        Rule(reason="tls_pmtu_blackhole_inbound", when=_pmtu_inbound, certainty=contrasted(_by_mss)),
        Rule(reason="tls_pmtu_blackhole_outbound", when=_pmtu_outbound, certainty=contrasted(_by_mss)),
        *HELLO_RULES,
        Rule(reason="tls_partial_then_stall", when=both(_silent, _received), certainty=SILENCE),
        Rule(
            reason="tls_partial_then_fin",
            when=both(_closed, _received),
        ),
        Rule(
            reason="tls_partial_then_reset",
            when=both(_reset, _received),
        ),
        Rule(reason="tls_all_hellos_dropped", when=_all_dropped, certainty=SILENCE),
        Rule(reason="tls_sni_dropped", when=both(_silent, _for_its_name), certainty=contrasted(sni_contrast)),
        Rule(reason="tls_sni_reset", when=both(_reset, _for_its_name), certainty=contrasted(sni_contrast)),
        Rule(
            reason="tls_reset_after_hello",
            when=_reset,
        ),
        Rule(
            reason="tls_fin_after_hello",
            when=_closed,
        ),
        Rule(
            reason="tls_stall_after_hello",
            when=_silent,
            certainty=SILENCE,
            suspects=_before_it_arrived,
        ),
        *LIMIT_RULES,
        Rule(
            reason="tls_protocol_error",
            when=phase_failed(Phase.TLS, Failure.TLS_ERROR, Failure.MALFORMED),
        ),
        Rule(reason="tls_unknown", when=_any_failure, certainty=at(Confidence.LOW)),
    ),
    notes=(
        *HELLO_NOTES,
        Rule(reason="tls_client_cert_required", when=_client_certificate),
    ),
)
