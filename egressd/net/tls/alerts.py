"""TLS alerts that arrive encrypted, recognised by the reason of OpenSSL's error."""

from __future__ import annotations

import ssl

from egressd.model.observation import TlsAlert
from egressd.net.scrub import scrub
from egressd.net.tls.records import FATAL

_DESCRIPTIONS = {
    "SSLV3_ALERT_UNEXPECTED_MESSAGE": 10,
    "SSLV3_ALERT_BAD_RECORD_MAC": 20,
    "TLSV1_ALERT_DECRYPTION_FAILED": 21,
    "TLSV1_ALERT_RECORD_OVERFLOW": 22,
    "SSLV3_ALERT_DECOMPRESSION_FAILURE": 30,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": 40,
    "SSLV3_ALERT_NO_CERTIFICATE": 41,
    "SSLV3_ALERT_BAD_CERTIFICATE": 42,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": 43,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": 44,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": 45,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": 46,
    "SSLV3_ALERT_ILLEGAL_PARAMETER": 47,
    "TLSV1_ALERT_UNKNOWN_CA": 48,
    "TLSV1_ALERT_ACCESS_DENIED": 49,
    "TLSV1_ALERT_DECODE_ERROR": 50,
    "TLSV1_ALERT_DECRYPT_ERROR": 51,
    "TLSV1_ALERT_EXPORT_RESTRICTION": 60,
    "TLSV1_ALERT_PROTOCOL_VERSION": 70,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": 71,
    "TLSV1_ALERT_INTERNAL_ERROR": 80,
    "TLSV1_ALERT_INAPPROPRIATE_FALLBACK": 86,
    "TLSV1_ALERT_USER_CANCELLED": 90,
    "TLSV1_ALERT_NO_RENEGOTIATION": 100,
    "TLSV13_ALERT_MISSING_EXTENSION": 109,
    "TLSV1_UNSUPPORTED_EXTENSION": 110,
    "TLSV1_CERTIFICATE_UNOBTAINABLE": 111,
    "TLSV1_UNRECOGNIZED_NAME": 112,
    "TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE": 113,
    "TLSV1_BAD_CERTIFICATE_HASH_VALUE": 114,
    "TLSV1_UNKNOWN_PSK_IDENTITY": 115,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": 116,
    "TLSV1_NO_APPLICATION_PROTOCOL": 120,
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": 120,
}
_UNNAMED = "alert no application protocol"
"""CPython has no reason name for alert 120, only OpenSSL's text."""


def alert_from_openssl(error: ssl.SSLError) -> TlsAlert | None:
    """Return the alert that caused an OpenSSL error; None where none did."""
    description = _DESCRIPTIONS.get(error.reason or "")
    if description is None and _UNNAMED in str(error):
        description = 120
    return None if description is None else TlsAlert(level=FATAL, description=description)


def openssl_reason(error: ssl.SSLError) -> str:
    """Return the reason of an OpenSSL error, without the position in CPython's source."""
    return scrub(error.reason or str(error).partition(" (_ssl.c")[0], 200)
