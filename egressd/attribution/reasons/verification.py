"""Reasons in what OpenSSL refuses: the rest of its verify codes, and limits of keys, messages and ciphers."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    CHAIN_REFUSED,
    EGRESSD_ITSELF,
    FAR_END,
    HOST,
    TRUST_STORE,
)
from egressd.attribution.reasons.commands import CHAIN, CLIENT_HELLO, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Outcome

_SHOW = "$ openssl s_client -connect {remote} -servername {sni} \\\n  </dev/null | openssl x509 -noout "
_ISSUER = _SHOW + "-issuer -subject -dates"

VERIFICATION: tuple[Reason, ...] = (
    Reason(
        code="tls_chain_misordered",
        phase=Phase.TLS,
        title="The chain begins with the authority's certificate",
        meaning="The first certificate must be the server's own (RFC 8446 section 4.4.2), and it is that of "
        "an authority which signed a later one. Every client refuses it; a file was put together in the "
        "wrong order.",
        signal="The subject of the first certificate is the issuer of another one that was sent.",
        evidence=(
            "tls.chain.subject, tls.chain.issuer: the order",
            "tls.verify_code, tls.detail: how OpenSSL refused it",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have the chain file of the server behind {place} put in order: its own certificate first, "
        "then each issuer of the one before.",
        confirm=steps(CHAIN, "The first `s:` line must be the name of the server."),
    ),
    Reason(
        code="tls_cert_wrong_purpose",
        phase=Phase.TLS,
        title="The certificate is not for servers",
        meaning="The certificate, or an authority above it, is restricted to other uses, such as clients or "
        "mail. Every client refuses it for a server.",
        signal="OpenSSL: unsuitable certificate purpose.",
        evidence=(
            "tls.verify_code: 26",
            "tls.chain.subject, tls.chain.issuer: which certificate",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have {place} use a certificate whose extended key usage allows TLS servers; the one it "
        "presents comes from {issuer}.",
        confirm=steps(_SHOW + "-purpose", "`SSL server : Yes` is missing."),
    ),
    Reason(
        code="tls_issuer_no_authority",
        phase=Phase.TLS,
        title="A certificate is signed by one that may not sign",
        meaning="A certificate of the chain was signed with the key of a certificate that is no authority. "
        "Every client refuses it, whoever issued the signing one.",
        signal="OpenSSL: invalid CA certificate, or a key usage without certificate signing.",
        evidence=(
            "tls.verify_code: 32, 37 or 79",
            "tls.chain.subject, tls.chain.issuer: who signed whom",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have {place} use a certificate signed by an authority: the one that signed it, {issuer}, "
        "or one below it, may not sign others.",
        confirm=steps(CHAIN, "Look for `CA:TRUE` in every certificate above the first."),
    ),
    Reason(
        code="tls_path_too_long",
        phase=Phase.TLS,
        title="The chain is longer than its authorities allow",
        meaning="An authority of the chain says how many may stand below it, and there are more. Every "
        "client refuses the chain.",
        signal="OpenSSL: path length constraint exceeded, or certificate chain too long.",
        evidence=(
            "tls.verify_code: 22, 25 or 38",
            "tls.facts.path: the certificates that count",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have the certificate of {place} issued by an authority that may issue it: the path length "
        "of one above is exceeded. The chain ends at {issuer}.",
        confirm=steps(CHAIN, "Compare `pathlen:` of each authority with the number of those below it."),
    ),
    Reason(
        code="tls_name_constraint",
        phase=Phase.TLS,
        title="The authority may not sign for this name",
        meaning="An authority of the chain is restricted to certain names, and the certificate has another "
        "one. Every client refuses it.",
        signal="OpenSSL: permitted or excluded subtree violation.",
        evidence=(
            "tls.verify_code: 47 to 53",
            "tls.chain.san: the names",
            "tls.facts.path: the authorities",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have {place} use a certificate of an authority that may sign for {host}; the chain of "
        "{issuer} is restricted to other names.",
        confirm=steps(CHAIN, "`X509v3 Name Constraints` of an authority lists what it may sign."),
    ),
    Reason(
        code="tls_signature_invalid",
        phase=Phase.TLS,
        title="A signature of the chain does not fit",
        meaning="A certificate names an issuer whose key did not sign it, or its signature can't be checked. "
        "It was damaged, put together wrongly, or made by somebody who took over the names.",
        signal="OpenSSL: certificate signature failure, or an issuer's key that can't be used.",
        evidence=(
            "tls.verify_code: 4, 6, 7, 24, or 76 to 78",
            "tls.chain.signature, tls.chain.key: the algorithms",
            "tls.chain.issuer: the name that is claimed",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.BLOCKED,
        advice="Compare the certificate that {place} has installed with the one received here, by SHA-256: "
        "if they differ, it was replaced on the way; if not, have it issued again by {issuer}.",
        confirm=steps(_SHOW + "-fingerprint -sha256", _ISSUER),
    ),
    Reason(
        code="tls_cert_invalid_field",
        phase=Phase.TLS,
        title="A field of a certificate can't be used",
        meaning="A date, an extension or another field of a certificate breaks the format, and OpenSSL "
        "refuses the chain for it. Other clients may be laxer or stricter.",
        signal="OpenSSL names the field it can't read or can't accept.",
        evidence=(
            "tls.verify_code, tls.verify_message: which field",
            "tls.detail: where the certificate could not be parsed at all",
            "tls.chain.not_before, tls.chain.not_after: null where they can't be read",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have the certificate of {place} issued again by software that keeps to RFC 5280.",
        confirm=steps(_SHOW + "-text"),
    ),
    Reason(
        code="tls_cert_unknown_extension",
        phase=Phase.TLS,
        title="A critical extension is not understood",
        meaning="A certificate carries an extension marked critical that OpenSSL does not know, so that it "
        "must be refused (RFC 5280 section 4.2). Agents know no more of them.",
        signal="OpenSSL: unhandled critical extension.",
        evidence=(
            "tls.verify_code: 34 or 45",
            "tls.chain.subject, tls.chain.issuer: which certificate",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have the certificate of {place} issued without the critical extension that TLS clients do "
        "not know; the chain ends at {issuer}.",
        confirm=steps(_SHOW + "-text", "Look for `critical` behind the names of the extensions."),
    ),
    Reason(
        code="tls_cert_revoked",
        phase=Phase.TLS,
        title="The certificate is revoked",
        meaning="This host checks revocation lists, and one of them has a certificate of the chain. Its key "
        "may be in the wrong hands.",
        signal="OpenSSL: certificate revoked.",
        evidence=(
            "tls.verify_code: 23",
            "tls.chain.serial, tls.chain.crl_urls: what to look for, and where",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have the certificate of {place} replaced: it is on the revocation list of its authority, "
        "{issuer}.",
        confirm=steps(_ISSUER),
        needs=("revocation lists in OpenSSL",),
    ),
    Reason(
        code="tls_revocation_check_failed",
        phase=Phase.TLS,
        title="This host's revocation check fails",
        meaning="OpenSSL on this host is told to check revocation, and the list is missing, too old or "
        "unusable. The chain itself was not found wrong.",
        signal="OpenSSL: a code about a CRL or about OCSP.",
        evidence=(
            "tls.verify_code, tls.verify_message: what is wrong with the list",
            "tls.chain.crl_urls: where it is published",
        ),
        suspects=HOST,
        severity=Outcome.UNKNOWN,
        advice="Provide this host with current revocation lists of {issuer}, or turn the check off in its "
        "OpenSSL configuration: agents make none.",
        confirm=steps(_SHOW + "-ext crlDistributionPoints"),
        needs=("revocation lists in OpenSSL",),
    ),
    Reason(
        code="local_trust_store_rejects",
        phase=Phase.TLS,
        title="The trust store of this host rejects the root",
        meaning="The root of the chain is in this host's store, and is marked there as rejected, or as "
        "trusted for other uses only. Nobody on the way is concerned.",
        signal="OpenSSL: certificate not trusted, or certificate rejected.",
        evidence=(
            "tls.verify_code: 27 or 28",
            "tls.facts.path: the root is the last one",
        ),
        suspects=TRUST_STORE,
        severity=Outcome.BLOCKED,
        advice="Decide whether the root above {issuer} is to be trusted for servers, and change its mark in "
        "the trust store of the host that connects to {host}.",
        confirm=steps(CHAIN),
        needs=("a trust store with marks",),
    ),
    Reason(
        code="tls_chain_refused",
        phase=Phase.TLS,
        title="OpenSSL refuses the chain",
        meaning="The chain breaks a rule that is rarely met; OpenSSL says which in its own words. Agents may "
        "refuse it as well.",
        signal="Verification failed with a code that has no reason of its own here.",
        evidence=(
            "tls.verify_code, tls.verify_message: the rule in OpenSSL's words",
            "tls.chain.subject, tls.chain.issuer: the certificates",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have the certificate chain of {place} checked by what OpenSSL says of it; it ends at "
        "{issuer}.",
        confirm=steps(CHAIN),
    ),
    Reason(
        code="tls_weak_key_exchange",
        phase=Phase.TLS,
        title="The server's key exchange is too weak",
        meaning="The server chose a key exchange whose parameters or signature are below what current TLS "
        "libraries accept, such as Diffie-Hellman with 1024 bits. Agents refuse it too.",
        signal="OpenSSL refused the parameters that the server sent to agree on a key.",
        evidence=(
            "tls.detail: OpenSSL's word for it, for instance DH_KEY_TOO_SMALL",
            "tls.version, tls.cipher: what was negotiated",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice="Have the server behind {place} offer ECDHE, or Diffie-Hellman with 2048 bits and more, and "
        "signatures with SHA-256.",
        confirm=steps(CLIENT_HELLO, "`Server Temp Key` shows the size."),
    ),
    Reason(
        code="tls_agent_without_cipher",
        phase=Phase.TLS,
        title="The server chose a cipher that agents do not have",
        meaning="The session works with a key exchange that the agents, which are written in Go, do "
        "not offer. If the server has nothing else, they fail with a handshake failure.",
        signal="The session was negotiated with finite-field Diffie-Hellman or plain RSA.",
        evidence=(
            "tls.cipher: DHE or plain RSA instead of ECDHE",
            "tls.version: TLSv1.2",
        ),
        suspects=FAR_END,
        severity=Outcome.DEGRADED,
        advice="Have the server behind {place} offer ECDHE: agents have no other key exchange in TLS 1.2.",
        confirm=steps(
            "$ openssl s_client -connect {remote} -servername {sni} \\\n  -tls1_2 -cipher ECDHE </dev/null"
        ),
    ),
    Reason(
        code="tls_beyond_our_limit",
        phase=Phase.TLS,
        title="The chain is larger than egressd can take",
        meaning="The server's certificates have more bytes than OpenSSL takes in one message (100 KiB), "
        "usually for thousands of names. That breaks no rule, and agents may well take it.",
        signal="OpenSSL gave up on the size of a message.",
        evidence=("tls.detail: EXCESSIVE_MESSAGE_SIZE", "tls.bytes_received: how much had come"),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.UNKNOWN,
        advice="Test {place} with the agent itself, or with curl built without OpenSSL: egressd can't judge "
        "it. Nothing is to be asked of a network team.",
        confirm=steps(CLIENT_HELLO, "`excessive message size` is this limit."),
    ),
)
