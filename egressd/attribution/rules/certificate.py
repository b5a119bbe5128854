"""Rules for the received chain: who signed it, and whether the name and the time are right."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from egressd.attribution.blame.suspects import (
    CLOCK_OF_PRIVATE,
    NAMES_ANOTHER_HOST,
    PRIVATE_CHAIN,
    TRUSTED_AUTHORITY,
    Signature,
)
from egressd.attribution.certainty import OBSERVED, at, unless
from egressd.attribution.facts.baseline_entries import http2_in_baseline, tls13_in_baseline
from egressd.attribution.facts.certificate import (
    missing_link_is_public,
    names_neighbour,
    signs_unrelated_names,
)
from egressd.attribution.facts.chain import may_lack_link
from egressd.attribution.facts.peer_comparison import TLS13, domain_of
from egressd.attribution.facts.proxy import inspected_answer
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import NOT_TRUSTED, product_of
from egressd.attribution.rules.clue import Clue
from egressd.attribution.rules.condition import both, either, needs, on_failure, phase_failed
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.attribution.rules.verification import CIPHER_NOTE, MISORDERED, VERIFICATION_RULES, verify_code
from egressd.model.observation import Failure, Phase, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.verdict import Confidence

EXPIRED, NOT_YET_VALID, SELF_SIGNED, HOSTNAME, ADDRESS = 10, 9, 18, 62, 64
NO_ISSUER = (2, 19, 20, 21)
WEAK = (66, 67, 68)
SOON = timedelta(days=14)

_any_failure = phase_failed(Phase.TLS, Failure.VERIFY)
_expired = verify_code(EXPIRED)
_no_issuer = verify_code(*NO_ISSUER)
_wrong_name = verify_code(HOSTNAME, ADDRESS)


def _is_public(context: TrailContext) -> bool | None:
    """Whether the chain leads to a public root; None: not checked."""
    facts = context.tls.facts if context.tls is not None else None
    return facts.publicly_anchored if facts is not None else None


def _is_private(context: TrailContext) -> bool:
    return _is_public(context) is False


def _in_store(context: TrailContext) -> bool | None:
    facts = context.tls.facts if context.tls is not None else None
    return facts.store_anchored if facts is not None else None


def _clock_explains(context: TrailContext) -> bool:
    """Whether the right time, as far as it is known, lies in the validity of every certificate of the path.

    A clock that is off does not excuse a certificate that has expired by the right time as well.
    """
    tls = context.tls
    started = _parse_moment(tls.started) if tls is not None else None
    if tls is None or started is None or not context.index.clock_is_off:
        return False
    now = _right_time(context, started)
    sent = {one.sha256: one for one in tls.chain}
    begins = (_date_of(sent[one.sha256].not_before) for one in tls.path if one.sha256 in sent)
    ends = (_date_of(one.not_after) for one in tls.path)
    return all(one is None or one <= now for one in begins) and all(one is None or now <= one for one in ends)


@on_failure
def _authority_expired(context: TrailContext) -> bool:
    """Whether an inspecting device signed what has expired."""
    trusted = _in_store(context) is True and not context.owned
    return _expired(context) and _is_private(context) and (trusted or signs_unrelated_names(context))


@on_failure
def _store_is_stale(context: TrailContext) -> bool:
    """Whether what has expired is this host's root: by the public ones the same chain is in time."""
    facts = context.tls.facts if context.tls is not None else None
    in_time = facts is not None and facts.in_time is True
    return _expired(context) and _is_public(context) is True and in_time


@on_failure
def _without_san(context: TrailContext) -> bool:
    tls = context.tls
    if tls is None or not _wrong_name(context) or tls.facts is None or not tls.chain:
        return False
    return tls.facts.common_name_matches is True and not tls.chain[0].san


@needs(Clue.PRIVATE_CHAIN)
def _block_page(context: TrailContext) -> bool:
    """Whether a product's page came inside the session that did not verify."""
    http = inspected_answer(context)
    return http is not None and http.unverified and (http.status == 470 or bool(product_of(http)))


@on_failure
def is_origin_untrusted(context: TrailContext) -> bool:
    """Whether an unknown authority has the name that devices use for origins they could not validate."""
    name = context.issuer.replace("\\", "").lower()  # RFC 4514 escapes quotes
    marked = any(mark in name for mark in NOT_TRUSTED)
    return marked and _no_issuer(context) and not _incomplete_chain(context)


@on_failure
def _store_incomplete(context: TrailContext) -> bool:
    return _no_issuer(context) and _is_public(context) is True and _in_store(context) is not True


@on_failure
def _incomplete_chain(context: TrailContext) -> bool:
    """Whether the chain lacks a link, by what is known of its authority or by what it says of it."""
    tls = context.tls
    public = context.index.public_authorities
    return tls is not None and _no_issuer(context) and may_lack_link(tls, public=public)


def _link_unknown(context: TrailContext) -> bool:
    return not missing_link_is_public(context)


@on_failure
def _root_unknown(context: TrailContext) -> bool:
    """Whether this host lacks the authority of a server of its own network, or it could not be checked."""
    return _no_issuer(context) and (context.target.internal or not _is_private(context))


def _may_be_own(context: TrailContext) -> bool:
    return context.owned and not signs_unrelated_names(context)


def _valid_but_private(context: TrailContext) -> bool:
    return context.tls is not None and context.tls.failure is None and _is_private(context)


def is_private_ca(context: TrailContext) -> bool:
    """Whether a private chain is what the operator's own server is expected to show."""
    if not _valid_but_private(context):
        return False
    if context.target.internal:
        return True
    return context.given and not context.index.own_roots and not _signs_catalog_names(context)


def _signs_catalog_names(context: TrailContext) -> bool:
    return context.authority in context.index.once(_of_catalog_names)


def _of_catalog_names(index: SweepIndex) -> frozenset[str]:
    """Return the private authorities that signed a name of the catalog."""
    return frozenset(
        authority
        for authority, hosts in index.private_issuers.items()
        if not hosts.isdisjoint(index.catalog_hosts)
    )


@needs(Clue.PRIVATE_CHAIN)
def _trusted_inspection(context: TrailContext) -> bool:
    return _valid_but_private(context) and not is_private_ca(context) and not context.random


def is_inspected(context: TrailContext) -> bool:
    """Whether a device in between signed the chain, trusted or not."""
    untrusted = _no_issuer(context) and _is_private(context) and not context.random
    return _trusted_inspection(context) or untrusted


def _valid_and_public(context: TrailContext) -> bool:
    return context.tls is not None and context.tls.failure is None and _is_public(context) is True


def _without_http2(tls: TlsObservation) -> bool:
    return tls.failure is None and "h2" in tls.alpn_offered and tls.alpn != "h2"


@needs(Clue.PRIVATE_CHAIN)
def _alpn_stripped(context: TrailContext) -> bool:
    """Whether an inspecting device does not pass h2 on, in this session or in that of the control."""
    if _trusted_inspection(context):
        return context.tls is not None and _without_http2(context.tls)
    controls = context.control_results(ControlKind.LOOK_INSIDE, TlsObservation)
    return is_inspected(context) and any(_without_http2(one) for one in controls)


@needs(Clue.BASELINE)
def _alpn_lost(context: TrailContext) -> bool:
    """Whether HTTP/2 was negotiated in the baseline, and is not now, with a valid public chain."""
    lost = context.tls is not None and _without_http2(context.tls)
    return lost and _valid_and_public(context) and http2_in_baseline(context)


@needs(Clue.BASELINE)
def _version_lost(context: TrailContext) -> bool:
    older = context.tls is not None and context.tls.version not in (None, TLS13)
    return older and _valid_and_public(context) and tls13_in_baseline(context)


@needs(Clue.PRIVATE_CHAIN)
def _downgraded(context: TrailContext) -> bool:
    """Whether an inspecting device negotiates an older version than the domain or the address does."""
    tls = context.tls
    if tls is None or tls.version in (None, TLS13) or not is_inspected(context):
        return False
    address, port = context.dialled
    keys = {(context.source, domain_of(tls.sni)), (context.source, f"{address}:{port}")}
    return not keys.isdisjoint(context.index.peers.with_tls13)


def _expiring(context: TrailContext) -> bool:
    """Whether a certificate of the path by which the session verified ends soon."""
    if context.tls is None or context.tls.failure is not None:
        return False
    started = context.index.once(_started)
    first = context.tls.first_to_end
    ends = _date_of(first.not_after) if first is not None else None
    return started is not None and ends is not None and ends - _right_time(context, started) < SOON


def _right_time(context: TrailContext, moment: datetime) -> datetime:
    """Return a moment of this host's clock by the clock of others, where that is another."""
    index = context.index
    offset = index.recording.vantage.clock_offset_seconds if index.clock_is_off else None
    try:
        return moment + timedelta(seconds=offset or 0.0)
    except OverflowError:  # only in a report that was written by hand
        return moment


def _started(index: SweepIndex) -> datetime | None:
    return _parse_moment(index.recording.started)


@lru_cache(maxsize=1024)
def _date_of(text: str | None) -> datetime | None:
    """Read a date of a certificate: many targets have the same ones, sweep after sweep."""
    return _parse_moment(text)


def _parse_moment(text: str | None) -> datetime | None:
    """Read a timestamp; None for what a hand-edited report file may hold instead."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


@on_failure
def _strict_only(context: TrailContext) -> bool:
    return context.strict_only


def _by_authority(context: TrailContext) -> Signature | None:
    """Suspect others than the far end where no public authority signed."""
    return None if _is_public(context) is True else PRIVATE_CHAIN


def _whose_clock(context: TrailContext) -> Signature | None:
    return None if _is_public(context) is True else CLOCK_OF_PRIVATE


def _by_trust(context: TrailContext) -> Signature | None:
    return TRUSTED_AUTHORITY if _is_private(context) else None


def _whose_name(context: TrailContext) -> Signature | None:
    """Suspect DNS and portals only where a name was looked up and somebody else's certificate came."""
    is_address = context.tls is not None and not context.tls.sni
    return NAMES_ANOTHER_HOST if names_neighbour(context) or is_address else None


CERTIFICATE = RuleTable(
    phase=Phase.TLS,
    rules=(
        MISORDERED,
        Rule(
            reason="local_clock_skew",
            when=both(verify_code(EXPIRED, NOT_YET_VALID), _clock_explains),
        ),
        Rule(reason="local_trust_store_incomplete", when=either(_store_incomplete, _store_is_stale)),
        Rule(reason="tls_mitm_cert_expired", when=_authority_expired),
        Rule(reason="tls_cert_expired", when=_expired, suspects=_by_authority),
        Rule(reason="tls_cert_not_yet_valid", when=verify_code(NOT_YET_VALID), suspects=_whose_clock),
        Rule(reason="tls_cert_without_san", when=_without_san, suspects=_by_authority),
        Rule(reason="tls_mitm_block_page", when=_block_page),
        Rule(reason="tls_hostname_mismatch", when=_wrong_name, suspects=_whose_name),
        Rule(reason="tls_weak_certificate", when=verify_code(*WEAK), suspects=_by_authority),
        Rule(reason="tls_self_signed", when=verify_code(SELF_SIGNED)),
        Rule(
            reason="tls_incomplete_chain",
            when=_incomplete_chain,
            certainty=unless(_link_unknown, OBSERVED),
        ),
        Rule(reason="tls_untrusted_root", when=_root_unknown),
        Rule(
            reason="tls_mitm_origin_untrusted",
            when=is_origin_untrusted,
            certainty=at(Confidence.MEDIUM),
        ),
        Rule(
            reason="tls_mitm_untrusted",
            when=both(_no_issuer, _is_private),
            certainty=unless(_may_be_own, OBSERVED),
        ),
        *VERIFICATION_RULES,
        Rule(reason="tls_unknown", when=_any_failure, certainty=at(Confidence.LOW)),
    ),
    notes=(
        Rule(reason="tls_mitm_trusted", when=_trusted_inspection),
        Rule(
            reason="tls_alpn_stripped", when=either(_alpn_stripped, _alpn_lost), certainty=at(Confidence.HIGH)
        ),
        Rule(
            reason="tls_version_downgraded",
            when=either(_downgraded, _version_lost),
            certainty=at(Confidence.LOW),
        ),
        Rule(reason="tls_cert_expiring", when=_expiring, suspects=_by_trust),
        CIPHER_NOTE,
        Rule(reason="tls_strict_profile_only", when=_strict_only),
    ),
)
