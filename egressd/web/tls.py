"""TLS of the server: its context, and which client certificates are allowed."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

from egressd.errors import ConfigError, UnreadableFileError
from egressd.inputfile import read_file
from egressd.web.webconfig import ClientAuth, ServerTls

ServerContext = ssl.SSLContext
_VERSIONS = {
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}


def server_context(tls: ServerTls) -> ssl.SSLContext:
    """Return a context with certificate and key.

    Raises:
        ConfigError: a file can't be read or used, or the key is not the certificate's.
    """
    _refuse_what_is_no_file(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.minimum_version = _VERSIONS[tls.min_version]
        context.maximum_version = _VERSIONS[tls.max_version]
        # A pass phrase can't be given anywhere; without this, OpenSSL would ask the terminal for it.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (OSError, ValueError) as error:
        raise ConfigError((f"{tls.cert_file} and {tls.key_file}: cannot be used: {_why(error)}",)) from None
    try:
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
    except (OSError, ValueError) as error:
        raise ConfigError((f"{tls.client_ca_file}: cannot be used: {_why(error)}",)) from None
    context.verify_mode = _VERIFY[tls.client_auth]
    context.set_alpn_protocols(["http/1.1"])
    return context


def _refuse_what_is_no_file(tls: ServerTls) -> None:
    """Refuse folders, pipes and devices: OpenSSL would wait for a pipe's writer. Raises ConfigError."""
    problems = []
    for path in tls.files:
        try:
            read_file(path, limit=0)
        except UnreadableFileError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(tuple(problems))


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


def client_allowed(certificate: Any, allowed: tuple[str, ...]) -> bool:
    """Whether a verified client certificate has one of the names; without a certificate, yes.

    `certificate` is the dict of `ssl.SSLSocket.getpeercert`.
    """
    return not allowed or not certificate or any(name in allowed for name in _names(certificate))


def _names(certificate: Any) -> Iterator[str]:
    for _, name in certificate.get("subjectAltName", ()):
        yield str(name)
