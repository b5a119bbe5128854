"""TLS to a Prometheus: whom to trust, and the certificate of our own to show."""

from __future__ import annotations

import ssl
from pathlib import Path

from egressd.errors import UnreadableFileError, UsageError
from egressd.inputfile import read_file
from egressd.prometheus.httpconfig import HttpConfig

LARGEST = 16 << 20
"""Bytes of a file with certificates."""
_FLAG = "--http.config.file"


def client_tls(config: HttpConfig) -> ssl.SSLContext:
    """Return the TLS context of a client. Raises UsageError where a file of it can't be used."""
    context = _trusting(config.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # On by default from Python 3.13: a CA of one's own often lacks the extensions this asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.cert_file is not None and config.key_file is not None:
        _load_own(context, config.cert_file, config.key_file)
    return context


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return ssl.create_default_context()
    pem = _read(ca_file, "ca_file").decode("ascii", "ignore")  # comments may be in any encoding
    try:
        if "-----BEGIN CERTIFICATE-----" in pem:  # without one, Python would take the system's roots
            return ssl.create_default_context(cadata=pem)
    except ssl.SSLError:
        pass
    raise UsageError(f"{_FLAG}: tls_config.ca_file: there is no certificate in {ca_file}")


def _load_own(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    for key, path in (("cert_file", cert_file), ("key_file", key_file)):
        _read(path, key)  # OpenSSL would wait for the writer of a pipe, and not say which file it is
    try:
        context.load_cert_chain(cert_file, key_file, password=lambda: "")  # nobody is asked for one
    except (ssl.SSLError, OSError, ValueError):
        raise UsageError(
            f"{_FLAG}: tls_config: {cert_file} and {key_file} are not a certificate and its key in PEM, "
            "the key without a passphrase"
        ) from None


def _read(path: Path, key: str) -> bytes:
    try:
        return read_file(path, limit=LARGEST)
    except UnreadableFileError as error:
        raise UsageError(f"{_FLAG}: tls_config.{key}: {error}") from None
