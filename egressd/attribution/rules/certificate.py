"""The chain that was received: whose it is, and whether the name and the time are right."""

from __future__ import annotations

from datetime import datetime, timedelta

from egressd.attribution.control_results.contrast import Contrast
from egressd.attribution.facts.baseline_entries import http2_in_baseline, tls13_in_baseline
from egressd.attribution.facts.peer_comparison import TLS13, domain_of
from egressd.attribution.facts.proxy import inspected_answer
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import NOT_TRUSTED, page_product
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, INCONSISTENT, SILENCE, Rule, RuleTable
from egressd.model.observation import ChainFacts, Failure, HttpObservation, Phase, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.verdict import Blame

EXPIRED, NOT_YET_VALID, SELF_SIGNED, HOSTNAME = 10, 9, 18, 62
NO_ISSUER = frozenset({2, 19, 20, 21})
WEAK = frozenset({66, 67, 68})
SOON = timedelta(days=14)


def _code(context: TrailContext) -> int | None:
    tls = context.tls
    return tls.verify_code if tls is not None and tls.failure is Failure.VERIFY else None


def _facts(context: TrailContext) -> ChainFacts | None:
    return context.tls.facts if context.tls is not None else None


def _public(context: TrailContext) -> bool | None:
    facts = _facts(context)
    return facts.publicly_anchored if facts is not None else None


def _stored(context: TrailContext) -> bool | None:
    facts = _facts(context)
    return facts.store_anchored if facts is not None else None


def _signs_others(context: TrailContext) -> bool:
    """Whether the same private issuer signed for unrelated names too."""
    hosts = context.index.private_issuers.get(context.issuer, frozenset())
    return len({".".join(host.split(".")[-2:]) for host in hosts}) > 1


def _clock(context: TrailContext) -> bool:
    return _code(context) in (EXPIRED, NOT_YET_VALID) and context.index.clock_is_off


def _forged_expired(context: TrailContext) -> bool:
    known = _stored(context) is True or _signs_others(context)
    return _code(context) == EXPIRED and _public(context) is False and known


def _expired(context: TrailContext) -> bool:
    return _code(context) == EXPIRED


def _not_yet_valid(context: TrailContext) -> bool:
    return _code(context) == NOT_YET_VALID


def _without_san(context: TrailContext) -> bool:
    facts, tls = _facts(context), context.tls
    if _code(context) != HOSTNAME or facts is None or tls is None or not tls.chain:
        return False
    return facts.common_name_matches is True and not tls.chain[0].san


def _wrong_name(context: TrailContext) -> bool:
    return _code(context) == HOSTNAME


def _weak(context: TrailContext) -> bool:
    return _code(context) in WEAK


def _page(context: TrailContext) -> bool:
    """Whether a product's page came inside the session that did not verify."""
    http = inspected_answer(context)
    if http is None or not http.unverified:
        return False
    return http.status == 470 or bool(page_product(_text(http)))


def _text(http: HttpObservation) -> str:
    return " ".join((*(f"{name}: {value}" for name, value in http.headers), http.title, http.body))


def _origin_untrusted(context: TrailContext) -> bool:
    doubted = any(mark in context.issuer.lower() for mark in NOT_TRUSTED)
    return _code(context) is not None and doubted


def _store_incomplete(context: TrailContext) -> bool:
    return _code(context) in NO_ISSUER and _public(context) is True and _stored(context) is not True


def _self_signed(context: TrailContext) -> bool:
    return _code(context) == SELF_SIGNED


def _incomplete(context: TrailContext) -> bool:
    tls = context.tls
    if _code(context) not in NO_ISSUER or tls is None or len(tls.chain) != 1:
        return False
    return bool(tls.chain[0].issuer_urls) and not tls.chain[0].self_signed


def _forged(context: TrailContext) -> bool:
    return _code(context) in NO_ISSUER and _public(context) is False


def _untrusted(context: TrailContext) -> bool:
    return _code(context) in NO_ISSUER


def _any_failure(context: TrailContext) -> bool:
    return context.tls is not None and context.tls.failure is Failure.VERIFY


def _sound_but_private(context: TrailContext) -> bool:
    tls = context.tls
    return tls is not None and tls.failure is None and _public(context) is False


def is_private_ca(context: TrailContext) -> bool:
    """Whether a private chain is what the operator's own server is expected to show."""
    if not _sound_but_private(context):
        return False
    if context.target.internal:
        return True
    return context.given and not context.index.own_roots and not _signs_catalog_names(context)


def _signs_catalog_names(context: TrailContext) -> bool:
    hosts = context.index.private_issuers.get(context.issuer, frozenset())
    return any(host in context.index.catalog_hosts for host in hosts)


def _intercepted(context: TrailContext) -> bool:
    return _sound_but_private(context) and not is_private_ca(context) and not context.random


def _alpn_stripped(context: TrailContext) -> bool:
    """Whether an inspecting device does not hand h2 on, in this session or in the one looked into."""
    sessions = (
        [context.tls] if _intercepted(context) else _looked_into(context) if is_inspected(context) else []
    )
    return any(
        one is not None and one.failure is None and "h2" in one.alpn_offered and one.alpn != "h2"
        for one in sessions
    )


def _alpn_lost(context: TrailContext) -> bool:
    """Whether HTTP/2 was agreed upon in the baseline, and is not with a sound chain now."""
    tls = context.tls
    sound = tls is not None and tls.failure is None and _public(context) is True
    return (
        sound
        and tls is not None
        and "h2" in tls.alpn_offered
        and tls.alpn != "h2"
        and http2_in_baseline(context)
    )


def _http2_lost(context: TrailContext) -> bool:
    return _alpn_stripped(context) or _alpn_lost(context)


def _version_lost(context: TrailContext) -> bool:
    tls = context.tls
    sound = tls is not None and tls.failure is None and _public(context) is True
    return sound and tls is not None and tls.version not in (None, TLS13) and tls13_in_baseline(context)


def _older(context: TrailContext) -> bool:
    return _downgraded(context) or _version_lost(context)


def _looked_into(context: TrailContext) -> list[TlsObservation]:
    trails = (trail for control in context.controls(ControlKind.LOOK_INSIDE) for trail in control.trails)
    return [one for trail in trails for one in trail.observations if isinstance(one, TlsObservation)]


def is_inspected(context: TrailContext) -> bool:
    """Whether a device in between signed the chain, trusted or not."""
    return _intercepted(context) or (_forged(context) and not context.random)


def _downgraded(context: TrailContext) -> bool:
    """Whether an inspecting device speaks an older version than a sibling of the name or the same address."""
    tls, peers = context.tls, context.index.peers
    if tls is None or tls.version in (None, TLS13) or not is_inspected(context):
        return False
    address, port = context.dialled
    return bool(
        {(context.source, domain_of(tls.sni)), (context.source, f"{address}:{port}")} & peers.with_tls13
    )


def _expiring(context: TrailContext) -> bool:
    tls = context.tls
    if tls is None or tls.failure is not None or not tls.chain or _public(context) is not True:
        return False
    started, ends = _moment(context.index.recording.started), _moment(tls.chain[0].not_after)
    return started is not None and ends is not None and ends - started < SOON


def _moment(text: str) -> datetime | None:
    """Read a timestamp; None for what a hand-edited report file may hold instead."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _strict(context: TrailContext) -> bool:
    return context.strict_only


def _by_issuer(context: TrailContext) -> Contrast:
    return Contrast.PASSED if _signs_others(context) else Contrast.NONE


def _dns_or_device(context: TrailContext) -> Blame | None:
    """Blame DNS for a public certificate of somebody else: the address is wrong."""
    return Blame.DNS_FILTER if _public(context) is True else None


def _expired_by(context: TrailContext) -> Blame | None:
    return Blame.TLS_INSPECTION if _public(context) is False and _signs_others(context) else None


CERTIFICATE = RuleTable(
    phase=Phase.TLS,
    rules=(
        Rule(reason="local_clock_skew", when=_clock, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tls_mitm_cert_expired", when=_forged_expired, score=IDENTIFIED, alone=True),
        Rule(reason="tls_cert_expired", when=_expired, score=IDENTIFIED - 1, alone=True),
        Rule(
            reason="tls_cert_not_yet_valid",
            when=_not_yet_valid,
            score=IDENTIFIED - 1,
            alone=True,
            blame=_expired_by,
        ),
        Rule(reason="tls_cert_without_san", when=_without_san, score=IDENTIFIED, alone=True),
        Rule(reason="tls_mitm_block_page", when=_page, score=IDENTIFIED, alone=True),
        Rule(
            reason="tls_hostname_mismatch",
            when=_wrong_name,
            score=INCONSISTENT,
            alone=True,
            blame=_dns_or_device,
        ),
        Rule(reason="tls_weak_certificate", when=_weak, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tls_mitm_origin_untrusted", when=_origin_untrusted, score=IDENTIFIED, alone=True),
        Rule(reason="local_trust_store_incomplete", when=_store_incomplete, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tls_self_signed", when=_self_signed, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tls_incomplete_chain", when=_incomplete, score=IDENTIFIED - 1, alone=True),
        Rule(
            reason="tls_mitm_untrusted",
            when=_forged,
            score=IDENTIFIED - 1,
            alone=True,
            contrast=_by_issuer,
        ),
        Rule(reason="tls_untrusted_root", when=_untrusted, score=EXPLICIT, alone=True),
        Rule(reason="tls_unknown", when=_any_failure, score=EXPLICIT - 1, alone=True),
    ),
    notes=(
        Rule(reason="tls_mitm_trusted", when=_intercepted, score=IDENTIFIED, alone=True),
        Rule(reason="tls_alpn_stripped", when=_http2_lost, score=EXPLICIT, alone=True),
        Rule(reason="tls_version_downgraded", when=_older, score=SILENCE, alone=True),
        Rule(reason="tls_cert_expiring", when=_expiring, score=IDENTIFIED, alone=True),
        Rule(reason="tls_strict_profile_only", when=_strict, score=IDENTIFIED, alone=True),
    ),
)
