"""The chain that was received: whose it is, and whether the name and the time are right."""

from __future__ import annotations

from datetime import datetime, timedelta

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast
from egressd.attribution.facts.crowd import NEWEST, domain_of
from egressd.attribution.facts.proxy import inside
from egressd.attribution.facts.shown.marks import had_http2, had_newest
from egressd.attribution.facts.vendors import NOT_TRUSTED, page_product
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, INCONSISTENT, SILENCE, Rule, Table
from egressd.model.observation import ChainFacts, Failure, HttpObservation, Phase, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.verdict import Blame

EXPIRED, NOT_YET_VALID, SELF_SIGNED, HOSTNAME = 10, 9, 18, 62
NO_ISSUER = frozenset({2, 19, 20, 21})
WEAK = frozenset({66, 67, 68})
SOON = timedelta(days=14)


def _code(case: Case) -> int | None:
    tls = case.tls
    return tls.verify_code if tls is not None and tls.failure is Failure.VERIFY else None


def _facts(case: Case) -> ChainFacts | None:
    return case.tls.facts if case.tls is not None else None


def _public(case: Case) -> bool | None:
    facts = _facts(case)
    return facts.publicly_anchored if facts is not None else None


def _stored(case: Case) -> bool | None:
    facts = _facts(case)
    return facts.store_anchored if facts is not None else None


def _signs_others(case: Case) -> bool:
    """Whether the same private issuer signed for unrelated names too."""
    hosts = case.whole.private_issuers.get(case.issuer, frozenset())
    return len({".".join(host.split(".")[-2:]) for host in hosts}) > 1


def _clock(case: Case) -> bool:
    return _code(case) in (EXPIRED, NOT_YET_VALID) and case.whole.clock_is_off


def _forged_expired(case: Case) -> bool:
    known = _stored(case) is True or _signs_others(case)
    return _code(case) == EXPIRED and _public(case) is False and known


def _expired(case: Case) -> bool:
    return _code(case) == EXPIRED


def _not_yet_valid(case: Case) -> bool:
    return _code(case) == NOT_YET_VALID


def _without_san(case: Case) -> bool:
    facts, tls = _facts(case), case.tls
    if _code(case) != HOSTNAME or facts is None or tls is None or not tls.chain:
        return False
    return facts.common_name_matches is True and not tls.chain[0].san


def _wrong_name(case: Case) -> bool:
    return _code(case) == HOSTNAME


def _weak(case: Case) -> bool:
    return _code(case) in WEAK


def _page(case: Case) -> bool:
    """Whether a product's page came inside the session that did not verify."""
    http = inside(case)
    if http is None or not http.unverified:
        return False
    return http.status == 470 or bool(page_product(_text(http)))


def _text(http: HttpObservation) -> str:
    return " ".join((*(f"{name}: {value}" for name, value in http.headers), http.title, http.body))


def _origin_untrusted(case: Case) -> bool:
    doubted = any(mark in case.issuer.lower() for mark in NOT_TRUSTED)
    return _code(case) is not None and doubted


def _store_incomplete(case: Case) -> bool:
    return _code(case) in NO_ISSUER and _public(case) is True and _stored(case) is not True


def _self_signed(case: Case) -> bool:
    return _code(case) == SELF_SIGNED


def _incomplete(case: Case) -> bool:
    tls = case.tls
    if _code(case) not in NO_ISSUER or tls is None or len(tls.chain) != 1:
        return False
    return bool(tls.chain[0].issuer_urls) and not tls.chain[0].self_signed


def _forged(case: Case) -> bool:
    return _code(case) in NO_ISSUER and _public(case) is False


def _untrusted(case: Case) -> bool:
    return _code(case) in NO_ISSUER


def _any_failure(case: Case) -> bool:
    return case.tls is not None and case.tls.failure is Failure.VERIFY


def _sound_but_private(case: Case) -> bool:
    tls = case.tls
    return tls is not None and tls.failure is None and _public(case) is False


def is_private_ca(case: Case) -> bool:
    """Whether a private chain is what the operator's own server is expected to show."""
    if not _sound_but_private(case):
        return False
    if case.target.internal:
        return True
    return case.given and not case.whole.own_roots and not _signs_catalog_names(case)


def _signs_catalog_names(case: Case) -> bool:
    hosts = case.whole.private_issuers.get(case.issuer, frozenset())
    return any(host in case.whole.catalog_hosts for host in hosts)


def _intercepted(case: Case) -> bool:
    return _sound_but_private(case) and not is_private_ca(case) and not case.random


def _alpn_stripped(case: Case) -> bool:
    """Whether an inspecting device does not hand h2 on, in this session or in the one looked into."""
    sessions = [case.tls] if _intercepted(case) else _looked_into(case) if is_inspected(case) else []
    return any(
        one is not None and one.failure is None and "h2" in one.alpn_offered and one.alpn != "h2"
        for one in sessions
    )


def _alpn_lost(case: Case) -> bool:
    """Whether HTTP/2 was agreed upon in the baseline, and is not with a sound chain now."""
    tls = case.tls
    sound = tls is not None and tls.failure is None and _public(case) is True
    return sound and tls is not None and "h2" in tls.alpn_offered and tls.alpn != "h2" and had_http2(case)


def _http2_lost(case: Case) -> bool:
    return _alpn_stripped(case) or _alpn_lost(case)


def _version_lost(case: Case) -> bool:
    tls = case.tls
    sound = tls is not None and tls.failure is None and _public(case) is True
    return sound and tls is not None and tls.version not in (None, NEWEST) and had_newest(case)


def _older(case: Case) -> bool:
    return _downgraded(case) or _version_lost(case)


def _looked_into(case: Case) -> list[TlsObservation]:
    trails = (trail for control in case.controls(ControlKind.LOOK_INSIDE) for trail in control.trails)
    return [one for trail in trails for one in trail.observations if isinstance(one, TlsObservation)]


def is_inspected(case: Case) -> bool:
    """Whether a device in between signed the chain, trusted or not."""
    return _intercepted(case) or (_forged(case) and not case.random)


def _downgraded(case: Case) -> bool:
    """Whether an inspecting device speaks an older version than a sibling of the name or the same address."""
    tls, crowd = case.tls, case.whole.crowd
    if tls is None or tls.version in (None, NEWEST) or not is_inspected(case):
        return False
    address, port = case.dialled
    return bool({(case.source, domain_of(tls.sni)), (case.source, f"{address}:{port}")} & crowd.modern)


def _expiring(case: Case) -> bool:
    tls = case.tls
    if tls is None or tls.failure is not None or not tls.chain or _public(case) is not True:
        return False
    started, ends = _moment(case.whole.recording.started), _moment(tls.chain[0].not_after)
    return started is not None and ends is not None and ends - started < SOON


def _moment(text: str) -> datetime | None:
    """Read a timestamp; None for what a hand-edited report file may hold instead."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _strict(case: Case) -> bool:
    return case.strict_only


def _by_issuer(case: Case) -> Contrast:
    return Contrast.PASSED if _signs_others(case) else Contrast.NONE


def _dns_or_device(case: Case) -> Blame | None:
    """Blame DNS for a public certificate of somebody else: the address is wrong."""
    return Blame.DNS_FILTER if _public(case) is True else None


def _expired_by(case: Case) -> Blame | None:
    return Blame.TLS_INSPECTION if _public(case) is False and _signs_others(case) else None


CERTIFICATE = Table(
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
