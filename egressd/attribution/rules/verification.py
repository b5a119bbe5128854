"""Rules for what OpenSSL refuses by itself: one reason for each of its verify codes, and for its limits.

The numbers are X509_V_ERR_* of openssl/x509_vfy.h (3.0), the words are reasons of its error queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.condition import Condition, on_failure
from egressd.attribution.rules.rule import Rule
from egressd.model.observation import Failure, TlsObservation

_REASON_OF_CODE: Mapping[str, Iterable[int]] = {
    "tls_cert_wrong_purpose": (26, 39),
    "tls_issuer_no_authority": (32, 37, 79),
    "tls_path_too_long": (22, 25, 38),
    "tls_name_constraint": (47, 48, 49, 51, 52, 53),
    "tls_signature_invalid": (4, 6, 7, 24, 76, 77, 78),
    "tls_cert_invalid_field": (13, 14, 29, 30, 31, 41, 42, 46),
    "tls_cert_unknown_extension": (34, 45),
    "tls_cert_revoked": (23,),
    "tls_revocation_check_failed": (3, 5, 8, 11, 12, 15, 16, 33, 35, 36, 44, 54, 73, 74, 75),
    "local_trust_store_rejects": (27, 28),
}
_UNREADABLE = frozenset(
    {
        "ASN1_LIB",
        "ASN1_PARSE_ERROR",
        "BAD_OBJECT_HEADER",
        "CERT_LENGTH_MISMATCH",
        "FIELD_MISSING",
        "HEADER_TOO_LONG",
        "NESTED_ASN1_ERROR",
        "TOO_LONG",
        "UNABLE_TO_FIND_PUBLIC_KEY_PARAMETERS",
        "UNKNOWN_CERTIFICATE_TYPE",
        "WRONG_TAG",
        "X509_LIB",
    }
)
"""A certificate that can't be parsed at all: there is no chain then."""
_WEAK = frozenset(
    {
        "BAD_DH_VALUE",
        "CHECK_PUBKEY_INVALID",
        "DH_KEY_TOO_SMALL",
        "INVALID_PUBLIC_KEY",
        "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
        "MODULUS_TOO_SMALL",
        "NOT_SUITABLE_GENERATOR",
        "WRONG_SIGNATURE_TYPE",
    }
)
_TOO_LARGE = frozenset({"EXCESSIVE_MESSAGE_SIZE"})
_AGENT_HAS = ("ECDHE-", "TLS_")
"""The beginnings of the ciphers that Go offers: `TLS_` is TLS 1.3."""


def verify_code(*codes: int) -> Condition:
    """Hold where OpenSSL rejected the chain with one of these codes; with any if none is named."""

    def holds(context: TrailContext) -> bool:
        tls = context.tls
        rejected = tls is not None and tls.failure is Failure.VERIFY and tls.verify_code is not None
        return rejected and (not codes or (tls is not None and tls.verify_code in codes))

    return on_failure(holds)


def _openssl_said(reasons: frozenset[str]) -> Condition:
    return on_failure(
        lambda context: (
            (tls := context.tls) is not None and tls.failure is Failure.TLS_ERROR and tls.detail in reasons
        )
    )


@on_failure
def _misordered(context: TrailContext) -> bool:
    """Whether the first certificate is that of an authority which signed another one that was sent."""
    tls = context.tls
    if tls is None or tls.failure not in {Failure.VERIFY, Failure.TLS_ERROR} or not tls.chain:
        return False
    first = tls.chain[0].subject
    return bool(first) and any(one.issuer == first and one.subject != first for one in tls.chain[1:])


def _agent_has_no_such_cipher(context: TrailContext) -> bool:
    tls = context.tls
    return tls is not None and tls.failure is None and _is_other_cipher(tls)


def _is_other_cipher(tls: TlsObservation) -> bool:
    return tls.cipher is not None and not tls.cipher.startswith(_AGENT_HAS)


MISORDERED = Rule(reason="tls_chain_misordered", when=_misordered)
VERIFICATION_RULES = (
    *(Rule(reason=reason, when=verify_code(*codes)) for reason, codes in _REASON_OF_CODE.items()),
    Rule(reason="tls_chain_refused", when=verify_code()),
)
"""The codes that no rule of the chain itself has explained."""
LIMIT_RULES = (
    Rule(reason="tls_weak_key_exchange", when=_openssl_said(_WEAK)),
    Rule(reason="tls_cert_invalid_field", when=_openssl_said(_UNREADABLE)),
    Rule(reason="tls_beyond_our_limit", when=_openssl_said(_TOO_LARGE)),
)
"""How a handshake ends without an alert and without a verdict on the chain."""
CIPHER_NOTE = Rule(reason="tls_agent_without_cipher", when=_agent_has_no_such_cipher)
