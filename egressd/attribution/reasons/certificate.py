"""Reasons in the certificate chain and on the revocation servers it names."""

from __future__ import annotations

from egressd.attribution.blame.suspects import (
    ANSWERED_IN_CLEAR,
    CHAIN_OF_SERVER,
    CHAIN_REFUSED,
    EGRESSD_ITSELF,
    INSPECTION,
    REVOCATION_ANSWER,
    REVOCATION_UNREACHABLE,
    SELF_SIGNED,
    TRUSTED_AUTHORITY,
    UNKNOWN_AUTHORITY,
    WRONG_CLOCK,
    WRONG_NAME,
)
from egressd.attribution.reasons.commands import AGAIN, CHAIN, CLIENT_HELLO, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

_READ = "$ openssl s_client -connect {remote} -servername {sni} \\\n  </dev/null | openssl x509 -noout "
_ISSUER = _READ + "-issuer -subject -dates"
_SAN = _READ + "-ext subjectAltName"
_CDP = _READ + "-ext crlDistributionPoints"

CERTIFICATE: tuple[Reason, ...] = (
    Reason(
        code="tls_mitm_untrusted",
        phase=Phase.TLS,
        title="An authority that nobody here trusts signed the chain",
        meaning=(
            "The certificate comes from a private authority, which neither this host nor the public web "
            "trusts, so that agents fail. A device that decrypts TLS presents such a certificate; so does a "
            "server under an authority of its own."
        ),
        signal="The chain leads neither to the trust store nor to any public root: its issuer is private.",
        evidence=(
            "tls.chain.issuer: the authority, which often names the product",
            "tls.facts.issuer_key: its key; the same one on unrelated names is proof of inspection",
            "tls.facts.publicly_anchored, tls.facts.store_anchored: both false",
            "tls.verify_code: 19, 20 or 21",
        ),
        suspects=UNKNOWN_AUTHORITY,
        severity=Outcome.BLOCKED,
        advice="Exempt {destination} from TLS inspection for {source}: the certificate is signed by {issuer} "
        "instead of a public CA. Exempt by server name (SNI), for the whole list of Azure names in this "
        "report.",
        confirm=steps(_ISSUER, "The issuer is not a public CA."),
    ),
    Reason(
        code="tls_mitm_trusted",
        phase=Phase.TLS,
        title="TLS is inspected with a CA this host trusts",
        meaning="A device decrypts the session, and its CA is installed here, so it works for now. "
        "Components that pin certificates, need HTTP/2 or carry their own bundle will still fail.",
        signal="The chain verified, but only because of a root in the local store that no public set has.",
        evidence=(
            "tls.chain.issuer: the CA of the device",
            "tls.facts.publicly_anchored: false",
            "tls.facts.store_anchored: true",
        ),
        suspects=TRUSTED_AUTHORITY,
        severity=Outcome.DEGRADED,
        advice="Exempt {destination} from TLS inspection for {source}, although it works today: the "
        "certificate is signed by {issuer}, and components that pin certificates will not accept it.",
        confirm=steps(_ISSUER, CHAIN),
    ),
    Reason(
        code="tls_mitm_block_page",
        phase=Phase.TLS,
        title="A block page comes under a forged certificate",
        meaning="The device signed a certificate for this name only to deliver a block page. It is a deny: "
        "an exemption from inspection does not help, the name must be allowed.",
        signal="The chain is the device's own, and inside the session came a known block page.",
        evidence=(
            "tls.chain.issuer: the CA of the device",
            "http.status, http.title, http.body: the page",
            "http.unverified: true, read without trusting it",
        ),
        suspects=ANSWERED_IN_CLEAR,
        severity=Outcome.BLOCKED,
        advice="Allow {destination} for {source} in the URL or web-filter policy: the firewall answers with "
        "its block page, signed by {issuer} (FortiGate: web filter log at {time}).",
        confirm=steps("$ curl -skv https://{place}/ \\\n  --connect-to ::{remote}", _ISSUER),
    ),
    Reason(
        code="tls_mitm_origin_untrusted",
        phase=Phase.TLS,
        title="The inspection device does not trust the real server",
        meaning=(
            "The name of the issuer is what a device that decrypts TLS writes when it could not verify the "
            "real certificate: its root store, its clock or its access to intermediates is at fault. A name "
            "is a hint, and anybody can write it."
        ),
        signal="The issuer has the name of a device's authority for untrusted servers.",
        evidence=(
            "tls.chain.issuer: words such as `Not trusted by`",
            "tls.facts.publicly_anchored: false",
        ),
        suspects=UNKNOWN_AUTHORITY,
        severity=Outcome.BLOCKED,
        advice="On the TLS inspection device: update the root store, let it fetch intermediates over port "
        "80, check its clock; or exempt {destination} for {source}. Its certificate comes from {issuer}.",
        confirm=steps(_ISSUER),
    ),
    Reason(
        code="tls_mitm_partial",
        phase=Phase.TLS,
        title="Only some of the names are inspected",
        meaning="There is an exemption list, and it is not complete: some Azure names come with their real "
        "certificate, others with the device's.",
        signal="In the same sweep some names led to public roots and others to one private CA.",
        evidence=(
            "tls.facts.publicly_anchored: true for some targets, false for others",
            "tls.chain.issuer: the private one, on the names that are missing",
        ),
        suspects=INSPECTION,
        severity=Outcome.DEGRADED,
        advice="Add the remaining names to the inspection exemption that others already have; {host} is "
        "among those still signed by {issuer}.",
        confirm=steps(_ISSUER, AGAIN),
    ),
    Reason(
        code="tls_mitm_cert_expired",
        phase=Phase.TLS,
        title="The inspection device's certificate has expired",
        meaning="A device inspects TLS, and its own CA or the certificate it presents has expired. Every "
        "inspected name fails at once.",
        signal="The chain expired and is the device's, not Azure's.",
        evidence=(
            "tls.verify_code: 10",
            "tls.chain.issuer, tls.chain.not_after: which CA, and since when",
            "tls.facts.publicly_anchored: false",
        ),
        suspects=INSPECTION,
        severity=Outcome.BLOCKED,
        advice="Renew the CA {issuer} on the TLS inspection device and install it where it is needed; "
        "better, exempt {destination} for {source}.",
        confirm=steps(_ISSUER),
    ),
    Reason(
        code="tls_untrusted_root",
        phase=Phase.TLS,
        title="The chain ends at a root this host does not trust",
        meaning=(
            "The root is in no trust store here. For a server of your own network that is a private "
            "authority which this host lacks; otherwise the chain could not be checked against the public "
            "roots."
        ),
        signal="No trusted root was found for an internal endpoint, or for a chain that could not be read.",
        evidence=(
            "target.internal: true",
            "tls.chain.issuer: the CA that is missing",
            "tls.verify_code: 18, 19 or 20",
        ),
        suspects=UNKNOWN_AUTHORITY,
        severity=Outcome.BLOCKED,
        advice="Install the CA {issuer} in the trust store of the host that connects to {host}, or give the "
        "server a certificate it trusts.",
        advice_for=(Blame.ENDPOINT_OWNER, Blame.LOCAL_HOST),
        confirm=steps(CHAIN, _ISSUER),
        needs=("internal endpoint",),
    ),
    Reason(
        code="tls_hostname_mismatch",
        phase=Phase.TLS,
        title="The certificate is for another name",
        meaning=(
            "A TLS server answers, and its certificate is for other names. If they belong to the same "
            "owner, the server or the list of endpoints names the wrong host; if not, another server "
            "answers at this address."
        ),
        signal="No name in the certificate covers the host.",
        evidence=(
            "tls.chain.san, tls.chain.subject: the names in the certificate",
            "tls.chain.issuer: a public authority, or a private one",
            "tls.verify_code: 62 or 64",
            "dns.answers: whether the address is right",
        ),
        suspects=WRONG_NAME,
        severity=Outcome.BLOCKED,
        advice=(
            "Have {place} present a certificate that covers {host}, or correct the name in the list of "
            "endpoints: the one presented, issued by {issuer}, is for {names}."
        ),
        advice_for=(Blame.AZURE_SERVICE, Blame.EGRESSD_ENV),
        confirm=steps(_SAN, _ISSUER),
    ),
    Reason(
        code="tls_cert_expired",
        phase=Phase.TLS,
        title="The server's certificate has expired",
        meaning="The chain is public and expired, and this host's clock is right. The server's owner has to "
        "renew; no network change will help.",
        signal="Verification failed on the end of validity, the chain is public, and the clock was checked.",
        evidence=(
            "tls.chain.not_after: since when",
            "tls.verify_code: 10",
            "tls.facts.publicly_anchored: true",
            "vantage.clock_offset_seconds: small",
        ),
        suspects=CHAIN_OF_SERVER,
        severity=Outcome.DOWN,
        advice="Report the expired certificate of {host} to the service's owner; if a cache or an old "
        "address is in use between {source} and it, refresh that first.",
        confirm=steps("$ date -u", _ISSUER),
    ),
    Reason(
        code="tls_cert_not_yet_valid",
        phase=Phase.TLS,
        title="The certificate is not valid yet",
        meaning="The certificate becomes valid in the future. Nearly always this host's clock is behind; "
        "sometimes a device issues certificates with a clock that is ahead.",
        signal="Verification failed on the start of validity.",
        evidence=(
            "tls.chain.not_before: from when",
            "tls.verify_code: 9",
            "vantage.clock_offset_seconds: behind, or not known",
        ),
        suspects=WRONG_CLOCK,
        severity=Outcome.BLOCKED,
        advice="Check the clock of {source} against a time server (udp/123) first; if it is right, have "
        "the clock of the device behind {issuer} checked.",
        confirm=steps("$ date -u", "$ chronyc tracking", _ISSUER),
    ),
    Reason(
        code="tls_cert_expiring",
        phase=Phase.TLS,
        title="A certificate expires within 14 days",
        meaning=(
            "Everything works, but a certificate of the path by which the session verified expires soon. "
            "The path is what counts: the server's own certificate, the intermediates in use and the root; "
            "not what was sent besides."
        ),
        signal="The session verified, and the nearest end on its path is less than 14 days away.",
        evidence=(
            "tls.facts.path: which certificate ends first",
            "tls.chain.not_after: when",
            "tls.chain.issuer: who has to renew it",
        ),
        suspects=CHAIN_OF_SERVER,
        severity=Outcome.DEGRADED,
        advice=(
            "Have the certificate of the path behind {place} that ends first renewed in time; the authority "
            "above it is {issuer}."
        ),
        confirm=steps(_ISSUER),
    ),
    Reason(
        code="tls_incomplete_chain",
        phase=Phase.TLS,
        title="The server does not send an intermediate certificate",
        meaning=(
            "The chain lacks a certificate between the server's own and its root: left out, outdated, or "
            "replaced by another one. Browsers download it, agents do not. A gap is no forgery."
        ),
        signal=(
            "The issuer of the last certificate that fits was not sent, and its key is known to be public, "
            "a public certificate stands in its place, or the certificate says where it can be downloaded."
        ),
        evidence=(
            "tls.facts.path: where the chain breaks off",
            "tls.facts.unused_public: a public certificate was sent in the wrong place",
            "tls.chain.subject, tls.chain.issuer: the gap",
            "tls.chain.issuer_urls: where the missing one is",
            "tls.verify_code: 20 or 21",
        ),
        suspects=CHAIN_REFUSED,
        severity=Outcome.DOWN,
        advice=(
            "Have the server behind {place} send the intermediate certificate {issuer} along with its own; "
            "clients on {source} do not fetch it."
        ),
        confirm=steps(CHAIN, "Each `i:` line must be the `s:` line of the next certificate."),
    ),
    Reason(
        code="tls_self_signed",
        phase=Phase.TLS,
        title="A self-signed certificate answers",
        meaning="The peer presents a certificate that it signed itself: typically the administration page "
        "of a firewall, a printer or a default install. The connection never reached Azure.",
        signal="The only certificate is its own issuer and is in no trust store.",
        evidence=(
            "tls.chain.self_signed, tls.chain.subject: who it claims to be",
            "tls.verify_code: 18",
            "tcp.remote_address: which host answered",
        ),
        suspects=SELF_SIGNED,
        severity=Outcome.BLOCKED,
        advice="Find the device that answers for {remote} from {source} with its own certificate "
        "({issuer}), and let the traffic pass through it to {host}.",
        advice_for=(Blame.FIREWALL_L7,),
        confirm=steps(_ISSUER, "Subject and issuer are the same."),
    ),
    Reason(
        code="tls_weak_certificate",
        phase=Phase.TLS,
        title="The certificate is too weak to be accepted",
        meaning=(
            "Key or signature is below what current TLS libraries accept: RSA with less than 2048 bits, MD5 "
            "or SHA-1. Under a public root it is the server's own; old private authorities have such "
            "certificates too."
        ),
        signal="OpenSSL rejected the key size or the hash of a certificate.",
        evidence=(
            "tls.chain.key, tls.chain.signature: for instance rsa1024, sha1",
            "tls.verify_code: 66, 67 or 68",
            "tls.chain.issuer: whose",
        ),
        suspects=CHAIN_OF_SERVER,
        severity=Outcome.DOWN,
        advice=(
            "Have {place} use a certificate with RSA 2048 or better and SHA-256, and so each authority "
            "above it; the present one is issued by {issuer}."
        ),
        confirm=steps(_READ + "-text | grep -E 'Public-Key|Signature Alg'"),
    ),
    Reason(
        code="tls_strict_profile_only",
        phase=Phase.TLS,
        title="Only strict verification rejects the certificate",
        meaning="The certificate departs from a rule that hardly any client enforces. Agents accept it; "
        "only a strict verifier, such as newer Python by default, does not.",
        signal="Verification fails with the strict flag and passes without it.",
        evidence=(
            "tls.verify_code: 85 or a similar code, with the strict flag only",
            "vantage.python: 3.13 and later are strict by default",
        ),
        suspects=EGRESSD_ITSELF,
        severity=Outcome.OK,
        advice="Nothing to ask for the agents. If the certificate is a device's, its next one should carry "
        "key identifiers.",
        confirm=steps(CLIENT_HELLO.replace("</dev/null", "\\\n  -x509_strict </dev/null")),
        informational=True,
        needs=("strict verification",),
    ),
    Reason(
        code="tls_cert_without_san",
        phase=Phase.TLS,
        title="The certificate has no subjectAltName",
        meaning="The name is in the common name only. Agents written in Go reject it while some other tools "
        "accept it, so tests with those mislead.",
        signal="The common name fits the host, and no subjectAltName does.",
        evidence=(
            "tls.facts.common_name_matches: true",
            "tls.facts.name_matches: false",
            "tls.chain.san: empty",
        ),
        suspects=CHAIN_OF_SERVER,
        severity=Outcome.DOWN,
        advice=(
            "Have the certificate of {place}, issued by {issuer}, issued again with the server's name as "
            "subjectAltName: clients on {source} ignore the common name."
        ),
        confirm=steps(_SAN, "No DNS name is listed."),
    ),
    Reason(
        code="pki_revocation_unreachable",
        phase=Phase.HTTP,
        title="Revocation servers can't be reached on port 80",
        meaning="The TLS sessions work, but the servers that say whether certificates were revoked do not "
        "answer. Windows clients then fail with `revocation offline`, others get slow.",
        signal="A host named in the chain for CRL, OCSP or issuer download failed over plain HTTP: its name, "
        "the connection, the request, or with a status.",
        evidence=(
            "tls.chain.crl_urls, tls.chain.ocsp_urls, tls.chain.issuer_urls: the hosts the chain names",
            "tcp.failure, http.failure: how they failed",
        ),
        suspects=REVOCATION_UNREACHABLE,
        severity=Outcome.DEGRADED,
        advice="Allow http/80 from {source} to {host}: it serves revocation data for certificates in use "
        "here, and it is plain HTTP by design.",
        confirm=steps("$ curl -sv -o /dev/null http://{host}/", _CDP),
    ),
    Reason(
        code="pki_revocation_tampered",
        phase=Phase.HTTP,
        title="Revocation data is replaced on the path",
        meaning="The revocation server seems to answer, but not with a revocation list: a block page or a "
        "stale copy came back. Verification fails later and elsewhere.",
        signal="An answer that is no list, certificate or OCSP response: a page, a redirect to another "
        "domain, a status or the mark of a device on the way.",
        evidence=(
            "http.status, http.headers: content type, `Via`, `Age`",
            "http.body, http.title: what came instead",
        ),
        suspects=REVOCATION_ANSWER,
        severity=Outcome.DEGRADED,
        advice="Let http/80 from {source} to {host} pass unchanged: take it out of the web filter and of "
        "the cache on the proxy.",
        confirm=steps("$ curl -s CRL-URL | openssl crl -inform der -noout -nextupdate", _CDP),
        needs=("revocation download",),
    ),
)
