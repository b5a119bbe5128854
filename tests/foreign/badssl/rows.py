"""badssl's hosts, and what is right of each: the hosts of badssl.com under another name."""

from __future__ import annotations

from tests.foreign.expectation import FAILED, IN_DNS, ON_THE_PATH, SERVER, Row, at_most, ok, row

ZONE = "quirks.example"
PORTS = {
    "ssl-v2": 1002,
    "ssl-v3": 1003,
    "tls-v1-0": 1010,
    "tls-v1-1": 1011,
    "tls-v1-2": 1012,
}
"""Those not on 443."""
AT_MOST_MEDIUM = at_most("medium", *ON_THE_PATH)
UP_TO_HIGH = at_most("high", "tls_inspection")
NOT_TLS_PROTOCOL_ERROR = "tls_protocol_error tls_unknown"

SOUND = (
    "1000-sans",
    "apex",
    "blocked-interception",
    "cbc",
    "client",
    "client-cert-missing",
    "dh-small-subgroup",
    "ecc256",
    "ecc384",
    "ev",
    "extended-validation",
    "hsts",
    "http",
    "http-credit-card",
    "http-dynamic-login",
    "http-login",
    "http-password",
    "http-textarea",
    "https-everywhere",
    "invalid-expected-sct",
    "known-interception",
    "lock-title",
    "long-extended-subdomain-name-containing-many-letters-and-dashes",
    "longextendedsubdomainnamewithoutdashesinordertotestwordwrapping",
    "mixed",
    "mixed-favicon",
    "mixed-form",
    "mixed-script",
    "mozilla-intermediate",
    "mozilla-modern",
    "mozilla-old",
    "no-common-name",
    "no-sct",
    "no-subject",
    "pinning-test",
    "preloaded-hsts",
    "revoked",
    "rsa2048",
    "rsa3072",
    "rsa4096",
    "rsa8192",
    "sha256",
    "sha384",
    "sha512",
    "spoof",
    "spoofed-favicon",
    "tls-v1-2",
    "upgrade",
    "very",
    "www",
    "xn--n1aae7f7o",
)
"""Hosts that a client without a browser's policy has no trouble with."""


def _no_common_cipher(label: str) -> Row:
    return row(label, FAILED, "tls_alert_handshake_failure", SERVER, bounds=AT_MOST_MEDIUM)


def _old_version(label: str) -> Row:
    return row(label, FAILED, "tls_alert_protocol_version", SERVER, bounds=AT_MOST_MEDIUM)


def _weak_key_exchange(label: str) -> Row:
    return row(label, FAILED, blames=SERVER, never=NOT_TLS_PROTOCOL_ERROR)


def _weak_certificate(label: str) -> Row:
    return row(label, FAILED, "tls_weak_certificate", SERVER)


def _other_name(label: str) -> Row:
    """Sixty names of the zone are fine at the address: nobody leads there."""
    return row(label, FAILED, "tls_hostname_mismatch", SERVER)


def _private_authority(label: str) -> Row:
    return row(label, "blocked", "tls_mitm_untrusted", SERVER, bounds=UP_TO_HIGH)


ROWS: tuple[Row, ...] = (
    *(ok(label) for label in SOUND),
    row(
        "10000-sans",
        "ok degraded unknown",
        "- tls_beyond_our_limit",
        ("local_host", "egressd_env", ""),
    ),
    *(_no_common_cipher(label) for label in ("3des", "null", "rc4", "rc4-md5")),
    row(
        "static-rsa",
        "ok blocked down",
        "- tls_alert_handshake_failure",
        ("", *SERVER),
        bounds=AT_MOST_MEDIUM,
    ),
    *(_old_version(label) for label in ("ssl-v2", "ssl-v3", "tls-v1-0", "tls-v1-1")),
    *(_weak_key_exchange(label) for label in ("dh1024", "dh-composite")),
    row(
        "dh2048",
        "degraded blocked down",
        blames=SERVER,
        bounds=AT_MOST_MEDIUM,
        never=NOT_TLS_PROTOCOL_ERROR,
    ),
    *(
        _weak_certificate(label)
        for label in ("md5", "rsa1024", "rsa512", "sha1", "sha1-2016", "sha1-2017", "sha1-intermediate")
    ),
    *(
        _other_name(label)
        for label in ("captive-portal", "preloaded-expect-ct", "subdomain.preloaded-hsts", "wrong.host")
    ),
    *(
        _private_authority(label)
        for label in (
            "dsdtestprovider",
            "edellroot",
            "mitm-software",
            "preact-cli",
            "superfish",
            "webpack-dev-server",
        )
    ),
    row("expired", "down", "tls_cert_expired", SERVER),
    row("incomplete-chain", "down blocked degraded", "tls_incomplete_chain", SERVER),
    row("no-san", FAILED, "tls_cert_without_san", SERVER),
    row("reversed-chain", FAILED, "tls_chain_misordered", SERVER),
    row("self-signed", FAILED, "tls_self_signed", most_blame="high"),
    row("unknown-subdomain", FAILED, "tls_hostname_mismatch tls_incomplete_chain", SERVER),
    row(
        "untrusted-root",
        FAILED,
        "tls_mitm_untrusted tls_untrusted_root",
        most_blame="high",
        never="tls_mitm_origin_untrusted",
        bounds=at_most("low", *IN_DNS),
    ),
)
