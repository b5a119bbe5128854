"""The handshake that got no usable answer. The key fact: was the ClientHello acknowledged?"""

from __future__ import annotations

from collections.abc import Callable

from egressd.attribution.control_results.contrast import (
    Contrast,
    mss_contrast,
    other_sni_acknowledged,
    sni_contrast,
)
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import page_product
from egressd.attribution.reasons import ALERTS, alert_code
from egressd.attribution.rules.client_hello import HELLO_NOTES, HELLO_RULES
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, SILENCE, STAGED, Rule, RuleTable
from egressd.model.observation import (
    Failure,
    Observation,
    Phase,
    TcpInfo,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import ControlKind
from egressd.model.verdict import Blame

PROTOCOL_VERSION = 70
OLD_PROTOCOL = ("unsupported protocol", "unsupported_protocol", "protocol version", "protocol_version")


def _failed(context: TrailContext, *failures: Failure) -> TlsObservation | None:
    """Return the handshake, if it failed like that."""
    tls = context.tls
    return tls if tls is not None and tls.failure in failures else None


def _info(context: TrailContext) -> TcpInfo | None:
    return context.tls.info if context.tls is not None else None


def _received(context: TrailContext) -> bool:
    return context.tls is not None and (context.tls.bytes_received > 0 or context.tls.server_hello)


def _reset_unasked(context: TrailContext) -> bool:
    """Whether the connection, or the same one tried again, was reset before a hello could be read.

    Where the hello was quicker than the RST, what was compared with it may not have been.
    """
    tls = _failed(context, Failure.RESET)
    if tls is None or tls.server_hello or sni_contrast(context) in (Contrast.PASSED, Contrast.FLIP):
        return False
    compared = (*context.controls(ControlKind.REPEAT), *context.controls(ControlKind.SNI_CONTRAST))
    ends = [trail.last for control in compared for trail in control.trails]
    return any(_unasked(one) for one in (tls, *ends))


def _unasked(one: Observation | None) -> bool:
    match one:
        case TcpObservation():
            return one.failure is Failure.RESET
        case TlsObservation(failure=Failure.RESET, info=TcpInfo(bytes_sent=0)):
            return True
        case _:
            return False


def _page(context: TrailContext) -> bool:
    tls = context.tls
    if tls is None or tls.failure is None or tls.server_hello:
        return False
    return tls.first_text.startswith("HTTP/") or bool(page_product(tls.first_text))


def _not_tls(context: TrailContext) -> bool:
    return _failed(context, Failure.NOT_TLS) is not None


def _alert(description: int) -> Callable[[TrailContext], bool]:
    def when(context: TrailContext) -> bool:
        tls = context.tls
        if tls is None or tls.failure is None or tls.failure is Failure.VERIFY:
            return False
        if description == PROTOCOL_VERSION and _speaks_old(tls):
            return True
        return tls.alert is not None and tls.alert.description == description

    return when


def _speaks_old(tls: TlsObservation) -> bool:
    """Whether OpenSSL gave up on a version the server chose; then no alert came in."""
    words = tls.detail.lower()
    return tls.failure is Failure.TLS_ERROR and any(mark in words for mark in OLD_PROTOCOL)


def _synproxy(context: TrailContext) -> bool:
    info = _info(context)
    if _failed(context, Failure.TIMEOUT) is None or info is None or _received(context):
        return False
    return info.bytes_sent == 0 and info.peer_window == 0 and info.bytes_acked <= 1


def _pmtu_in(context: TrailContext) -> bool:
    """Whether small segments get in and full-size ones do not."""
    info = _info(context)
    if _failed(context, Failure.TIMEOUT) is None or context.hello_acked is False:
        return False
    hole = info is not None and bool(info.out_of_order) and info.bytes_received == 0
    return hole or mss_contrast(context) is Contrast.FLIP


def _pmtu_out(context: TrailContext) -> bool:
    lost = _failed(context, Failure.TIMEOUT) is not None and context.hello_acked is False
    return lost and not _received(context) and mss_contrast(context) is Contrast.FLIP


def _partial(context: TrailContext, failure: Failure) -> bool:
    return _failed(context, failure) is not None and _received(context)


def _partial_stall(context: TrailContext) -> bool:
    return _partial(context, Failure.TIMEOUT)


def _partial_fin(context: TrailContext) -> bool:
    return _partial(context, Failure.CLOSED)


def _partial_reset(context: TrailContext) -> bool:
    return _partial(context, Failure.RESET)


def _unacked(context: TrailContext, failure: Failure) -> bool:
    return _failed(context, failure) is not None and context.hello_acked is False and not _received(context)


def _all_dropped(context: TrailContext) -> bool:
    """Whether no hello to the address is ever acknowledged, whatever the name."""
    if not _unacked(context, Failure.TIMEOUT) or other_sni_acknowledged(context):
        return False
    nowhere = not any(source == context.source for source, _, _ in context.index.answered_sni)
    several = sum(source == context.source for source, _, _ in context.index.unanswered_sni) > 1
    return sni_contrast(context) is Contrast.FAILED or (nowhere and several)


def _sni_dropped(context: TrailContext) -> bool:
    return _unacked(context, Failure.TIMEOUT)


def _sni_reset(context: TrailContext) -> bool:
    return _unacked(context, Failure.RESET)


def _reset(context: TrailContext) -> bool:
    return _failed(context, Failure.RESET) is not None


def _fin(context: TrailContext) -> bool:
    return _failed(context, Failure.CLOSED) is not None


def _stall(context: TrailContext) -> bool:
    return _failed(context, Failure.TIMEOUT) is not None


def _protocol_error(context: TrailContext) -> bool:
    return _failed(context, Failure.TLS_ERROR, Failure.MALFORMED) is not None


def _any_failure(context: TrailContext) -> bool:
    tls = context.tls
    return tls is not None and tls.failure is not None and tls.failure is not Failure.VERIFY


def _by_name(context: TrailContext) -> Contrast:
    return sni_contrast(context)


def _by_name_if_passed(context: TrailContext) -> Contrast:
    """Compare with another name; if that fails too, the claim is about the address and still stands."""
    return Contrast.NONE if sni_contrast(context) is Contrast.FAILED else sni_contrast(context)


def _by_mss(context: TrailContext) -> Contrast:
    return Contrast.NONE if mss_contrast(context) is Contrast.FAILED else mss_contrast(context)


def _filter(context: TrailContext) -> Blame | None:
    """Blame a filter where another name is answered at the same address: then it is the name."""
    return Blame.FIREWALL_L7 if sni_contrast(context) in (Contrast.PASSED, Contrast.FLIP) else None


def _client_certificate(context: TrailContext) -> bool:
    return context.wants_client_certificate


ALERT_RULES = tuple(
    Rule(
        reason=alert_code(description),
        when=_alert(description),
        score=EXPLICIT,
        contrast=_by_name_if_passed,
    )
    for description in ALERTS
)

TLS = RuleTable(
    phase=Phase.TLS,
    rules=(
        Rule(reason="tls_plaintext_block_page", when=_page, score=IDENTIFIED, alone=True),
        *ALERT_RULES,
        Rule(reason="tls_not_tls", when=_not_tls, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tcp_reset_after_accept", when=_reset_unasked, score=EXPLICIT),
        Rule(reason="tcp_synproxy_stall", when=_synproxy, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tls_pmtu_blackhole_inbound", when=_pmtu_in, score=STAGED, contrast=_by_mss),
        Rule(reason="tls_pmtu_blackhole_outbound", when=_pmtu_out, score=STAGED, contrast=_by_mss),
        *HELLO_RULES,
        Rule(reason="tls_partial_then_stall", when=_partial_stall, score=STAGED),
        Rule(reason="tls_partial_then_fin", when=_partial_fin, score=EXPLICIT, contrast=_by_name_if_passed),
        Rule(
            reason="tls_partial_then_reset", when=_partial_reset, score=EXPLICIT, contrast=_by_name_if_passed
        ),
        Rule(
            reason="tls_all_hellos_dropped",
            when=_all_dropped,
            score=STAGED,
            silent=True,
        ),
        Rule(reason="tls_sni_dropped", when=_sni_dropped, score=STAGED, silent=True, contrast=_by_name),
        Rule(reason="tls_sni_reset", when=_sni_reset, score=EXPLICIT, contrast=_by_name),
        Rule(
            reason="tls_reset_after_hello",
            when=_reset,
            score=EXPLICIT,
            contrast=_by_name_if_passed,
            blame=_filter,
        ),
        Rule(
            reason="tls_fin_after_hello",
            when=_fin,
            score=EXPLICIT,
            contrast=_by_name_if_passed,
            blame=_filter,
        ),
        Rule(
            reason="tls_stall_after_hello",
            when=_stall,
            score=SILENCE,
            silent=True,
            contrast=_by_name_if_passed,
            blame=_filter,
        ),
        Rule(reason="tls_protocol_error", when=_protocol_error, score=EXPLICIT),
        Rule(reason="tls_unknown", when=_any_failure, score=SILENCE),
    ),
    notes=(
        *HELLO_NOTES,
        Rule(reason="tls_client_cert_required", when=_client_certificate, score=IDENTIFIED - 1, alone=True),
    ),
)
