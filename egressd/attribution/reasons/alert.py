"""The fatal TLS alerts (RFC 8446 section 6), each as a reason of its own.

An alert does not show whether the peer is Azure or a device on the path, so all of them share signal
and check, and differ in what they usually mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from egressd.attribution.blame.suspects import ALERT, Signature
from egressd.attribution.reasons.commands import CLIENT_HELLO, CLIENT_HELLO_OTHER, steps
from egressd.attribution.reasons.reason import Reason
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome


class _Row(NamedTuple):
    number: int
    name: str
    title: str
    meaning: str
    advice: str
    suspects: Signature = ALERT
    severity: Outcome = Outcome.BLOCKED


_EXEMPT = "exempt {destination} from TLS inspection for {source}."
_DEVICE = "Find out who ended TLS for {source} at {remote} at {time}, the server or a device before it, and "

_ROWS = (
    _Row(
        0,
        "close_notify",
        "The peer closes TLS before the handshake",
        "The peer took the ClientHello and closed with close_notify. It rejected this session and gives no "
        "reason.",
        _DEVICE + "allow {sni} there; a server rarely closes before the handshake by itself.",
    ),
    _Row(
        10,
        "unexpected_message",
        "The peer got a TLS message it did not expect",
        "The two sides disagree on the state of the handshake. A device that rewrites it is the usual cause.",
        _DEVICE + _EXEMPT,
    ),
    _Row(
        20,
        "bad_record_mac",
        "The peer could not decrypt our record",
        "Bytes were changed between the two ends: by a device that rewrites them, or by broken hardware.",
        _DEVICE + "bypass it for {destination}; then look for errors on the link.",
    ),
    _Row(
        22,
        "record_overflow",
        "The peer got a TLS record that is too long",
        "A record arrived longer than the protocol allows, so it was changed or joined on the path.",
        _DEVICE + _EXEMPT,
    ),
    _Row(
        40,
        "handshake_failure",
        "No common cipher or signature (alert 40)",
        "The peer accepts no cipher, group or signature offered, or refuses without a more exact alert. "
        "Inspection devices send it when their own connection to Azure fails.",
        _DEVICE + "check its cipher policy and its own connection to {host}; or " + _EXEMPT,
    ),
    _Row(
        42,
        "bad_certificate",
        "The peer rejects a certificate as broken",
        "The peer received a certificate it cannot read. We sent none, so an inspecting device may be "
        "passing on a failure with the real server.",
        _DEVICE + "check how it verifies the real server; or " + _EXEMPT,
    ),
    _Row(
        43,
        "unsupported_certificate",
        "The peer does not support a certificate type",
        "The peer received a certificate of a kind it does not know. We sent none, so a device in between "
        "is likely.",
        _DEVICE + "update it, or " + _EXEMPT,
    ),
    _Row(
        44,
        "certificate_revoked",
        "The peer says a certificate was revoked",
        "The peer considers a certificate revoked. We sent none, so a device in between is likely to mean "
        "the real server's.",
        _DEVICE + "check its revocation data for {host}.",
    ),
    _Row(
        45,
        "certificate_expired",
        "The peer says a certificate has expired",
        "The peer considers a certificate expired. We sent none; a device in between may have a wrong clock.",
        _DEVICE + "check its clock and its own certificates.",
    ),
    _Row(
        46,
        "certificate_unknown",
        "The peer does not accept a certificate",
        "The peer received a certificate it does not accept, and gives no reason.",
        _DEVICE + "check how it verifies the real server; or " + _EXEMPT,
    ),
    _Row(
        47,
        "illegal_parameter",
        "The peer finds the ClientHello inconsistent",
        "A field of the handshake contradicts another. Clients and servers of today do not do that: "
        "something edits the handshake on the path.",
        _DEVICE + _EXEMPT,
    ),
    _Row(
        48,
        "unknown_ca",
        "The peer does not know a certificate authority",
        "The peer could not trace a certificate to a root it trusts. From a device in between, it means "
        "that the device does not trust the real server.",
        _DEVICE + "update its root store; or " + _EXEMPT,
    ),
    _Row(
        49,
        "access_denied",
        "The peer denies access (alert 49)",
        "The peer reports that policy denies access. Azure front ends hardly use this alert; inspecting "
        "firewalls do.",
        _DEVICE + "allow {sni} in its policy.",
    ),
    _Row(
        50,
        "decode_error",
        "The peer can't parse the ClientHello",
        "The ClientHello reached the peer in a form it cannot parse. Devices that do not support newer "
        "extensions or larger ClientHellos answer with this.",
        _DEVICE + "update it, or " + _EXEMPT,
    ),
    _Row(
        51,
        "decrypt_error",
        "A signature or a key did not verify",
        "A cryptographic check failed at the peer, so what it saw is not what we sent.",
        _DEVICE + _EXEMPT,
    ),
    _Row(
        70,
        "protocol_version",
        "The peer supports only old TLS versions",
        "The peer does not support TLS 1.2 or 1.3, which Azure does: what answered is an old device on the "
        "path.",
        _DEVICE + "enable TLS 1.2 and 1.3 on it, or " + _EXEMPT,
    ),
    _Row(
        71,
        "insufficient_security",
        "The peer requires stronger ciphers",
        "The peer demands stronger ciphers than were offered, although the usual modern ones were.",
        _DEVICE + "check its cipher policy; or " + _EXEMPT,
    ),
    _Row(
        80,
        "internal_error",
        "The peer had an internal error (alert 80)",
        "The peer failed, or its own connection to the server did. From an inspecting device it often means "
        "a policy or an upstream failure.",
        _DEVICE + "read its log for {sni}; if there is none, try again later: Azure may be at fault.",
    ),
    _Row(
        86,
        "inappropriate_fallback",
        "The peer suspects a version downgrade",
        "The peer believes that the client was forced to an older version. A device repeats handshakes with "
        "older versions.",
        _DEVICE + "switch off its TLS fallback, or " + _EXEMPT,
    ),
    _Row(
        90,
        "user_canceled",
        "The peer cancelled the handshake",
        "The peer stopped for a reason that has nothing to do with the protocol.",
        _DEVICE + "read its log for {sni}.",
    ),
    _Row(
        109,
        "missing_extension",
        "The ClientHello lacks an extension",
        "An extension that must be in the ClientHello did not reach the peer: a device on the path removes "
        "extensions.",
        _DEVICE + _EXEMPT,
    ),
    _Row(
        110,
        "unsupported_extension",
        "The peer got an extension it did not ask for",
        "An extension appeared where it is not allowed: a device on the path edits the handshake.",
        _DEVICE + _EXEMPT,
    ),
    _Row(
        112,
        "unrecognized_name",
        "The peer does not serve this name (alert 112)",
        "The peer has no certificate for the name. For a random name that is a normal answer; for a real "
        "one the address is wrong or a proxy answers.",
        "Check that {address} really belongs to {host}: what answers there does not know the name {sni}. "
        "Compare with the answer of another resolver, then look for a proxy between {source} and it.",
    ),
    _Row(
        113,
        "bad_certificate_status_response",
        "The peer rejects a revocation answer",
        "The peer received an OCSP answer it does not accept. A device in between fails to check the real "
        "server.",
        _DEVICE + "let it reach OCSP servers over port 80.",
    ),
    _Row(
        115,
        "unknown_psk_identity",
        "The peer does not know a session key",
        "The peer was offered a key that it does not know; egressd offers none, so something changed the "
        "handshake.",
        _DEVICE + _EXEMPT,
    ),
    _Row(
        116,
        "certificate_required",
        "The peer requires a client certificate",
        "The peer ends the session without a client certificate, and it did not prove to be Azure. From the "
        "genuine server this is reported as tls_client_cert_required and is a pass.",
        "Check whether {address} is the right server for {host}; if a proxy in between requires the "
        "certificate, exempt {source} from it.",
    ),
    _Row(
        120,
        "no_application_protocol",
        "The peer accepts none of the protocols offered",
        "The peer accepts neither HTTP/2 nor HTTP/1.1. It is not the web service expected here.",
        "Check that {address} really belongs to {host}; then look for a proxy between {source} and it that "
        "rejects ALPN.",
    ),
)

ALERTS: Mapping[int, str] = MappingProxyType({row.number: row.name for row in _ROWS})
"""TLS alert descriptions by number, spelt as in RFC 8446."""


def alert_code(description: int) -> str:
    """Return the reason code of a TLS alert; `tls_unknown` for a number without a name."""
    name = ALERTS.get(description)
    return f"tls_alert_{name}" if name else "tls_unknown"


def _reason(row: _Row) -> Reason:
    return Reason(
        code=f"tls_alert_{row.name}",
        phase=Phase.TLS,
        title=row.title,
        meaning=row.meaning,
        signal=f"The peer answered the handshake with the fatal TLS alert {row.number}, `{row.name}`.",
        evidence=(
            f"tls.alert.level, tls.alert.description: fatal, {row.number}",
            "tls.first_bytes: the record itself, 15 03 ..",
            "tls.info.bytes_acked, tls.elapsed_ms: whether a server that far away could have sent it",
            "controls.sni_contrast: whether another name gets the same",
        ),
        suspects=row.suspects,
        severity=row.severity,
        advice=row.advice,
        advice_for=(Blame.TLS_INSPECTION,),
        confirm=steps(CLIENT_HELLO, CLIENT_HELLO_OTHER, f"The first ends with `alert number {row.number}`."),
    )


ALERT_REASONS: tuple[Reason, ...] = tuple(_reason(row) for row in _ROWS)
