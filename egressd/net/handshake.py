"""The TLS phase: one handshake on an open stream, and all it reveals, also where it fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from egressd.model.observation import Certificate, ChainFacts, Failure, TlsAlert, TlsObservation
from egressd.net.scrub import scrub
from egressd.net.sockets.errors import PhaseError, detail_of, failure_of
from egressd.net.sockets.literal import parse_literal
from egressd.net.stopwatch import Stopwatch
from egressd.net.stream import ByteStream, TlsAlertError
from egressd.net.tls.alerts import alert_from_openssl, openssl_reason
from egressd.net.tls.certificates import ParsedCertificate, parse_certificate
from egressd.net.tls.chain import chain_facts
from egressd.net.tls.records import FATAL, RecordScanner
from egressd.net.tls.session import TlsStream, is_flood
from egressd.net.trust import TrustStore

_MAX_CERTIFICATES = 16
_NAMES_AND_URLS = 16 * 1024
"""Characters of a chain's names and URLs; more are dropped."""
_ALERT_SECONDS = 1.0
_OUT_OF_MEMORY = "MALLOC_FAILURE"
"""OpenSSL's reason."""
_HEX_BYTES = 64


class _Outcome(Struct, frozen=True, kw_only=True):
    """How a handshake ended; all fields empty: it succeeded."""

    failure: Failure | None = None
    detail: str = ""
    errno: int | None = None
    alert: TlsAlert | None = None
    verify_code: int | None = None
    verify_message: str = ""


_WRONG_NAME = _Outcome(
    failure=Failure.VERIFY, detail="Hostname mismatch", verify_code=62, verify_message="Hostname mismatch"
)


async def handshake(
    stream: ByteStream, host: str, *, store: TrustStore, alpn: tuple[str, ...], timeout: float
) -> tuple[TlsObservation, TlsStream | None]:
    """Do a TLS handshake as a client of `host` within `timeout` seconds.

    Where it fails the session is None, and the underlying stream is closed.
    """
    watch = Stopwatch()
    try:
        context = (store := store.for_host(host)).context(alpn, names=not _is_refused_by_openssl(host))
    except (OSError, MemoryError) as error:  # also of OpenSSL: the roots were read before
        stream.close()
        return _not_started(watch, host, alpn, _shortage(error)), None
    try:
        session = TlsStream(stream, context, host)
    except (ValueError, TypeError, ssl.SSLError) as error:
        stream.close()
        return _invalid_name(watch, host, alpn, error), None
    outcome = await _run(session, timeout, verifies=store.verifies)
    info = session.info()
    chain: tuple[ParsedCertificate, ...] = ()
    facts: ChainFacts | None = None
    try:
        chain = _parse_all(session.chain())
        if outcome.verify_code == 0 and _is_refused_by_openssl(host) and not chain[0].matches(host):
            outcome = _WRONG_NAME
        facts = _facts(session, chain, store, verified=outcome.verify_code == 0) if chain else None
    except (OSError, MemoryError, ImportError) as error:
        outcome = _shortage(error)
    if outcome.failure is not None:
        session.close()
    sent, received = session.sent, session.received
    observation = TlsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        sni=_sni(session.server_name),
        alpn_offered=alpn,
        hello_bytes=session.hello_bytes,
        bytes_sent=sent.size,
        bytes_received=received.size,
        records_sent=sent.records,
        records_received=received.records,
        failure=outcome.failure,
        detail=outcome.detail,
        errno=outcome.errno,
        first_bytes=received.head[:_HEX_BYTES].hex(),
        first_text=received.head_text,
        server_hello=received.server_hello,
        alert=outcome.alert or received.alert,
        version=session.version,
        cipher=session.cipher,
        alpn=session.alpn,
        chain=tuple(_without_excess(chain)),
        verify_code=outcome.verify_code,
        verify_message=outcome.verify_message,
        facts=facts,
        client_certificate_requested=received.certificate_request,
        info=info,
    )
    return observation, None if outcome.failure is not None else session


async def _run(session: TlsStream, timeout: float, *, verifies: bool) -> _Outcome:
    try:
        async with asyncio.timeout(timeout):
            await session.handshake()
    except ssl.SSLCertVerificationError as error:
        await session.send_pending_alert(seconds=_ALERT_SECONDS)
        message = scrub(error.verify_message, 200)
        return _Outcome(
            failure=Failure.VERIFY, detail=message, verify_code=error.verify_code, verify_message=message
        )
    except ssl.SSLError as error:
        await session.send_pending_alert(seconds=_ALERT_SECONDS)
        return _openssl_failure(error, session.received)
    except PhaseError as error:
        return _Outcome(failure=error.failure, detail=error.detail, errno=error.errno)
    except TlsAlertError as error:
        # The alert is of the outer session: that with the proxy.
        return _Outcome(failure=Failure.ALERT, detail="in the outer session", alert=error.alert)
    except OSError as error:
        if isinstance(error, TimeoutError) and session.flooded:
            return _Outcome(failure=Failure.FLOOD, detail=f"{session.received_so_far}, until the timeout")
        return _Outcome(failure=failure_of(error), detail=detail_of(error), errno=error.errno)
    except MemoryError as error:
        return _shortage(error)
    return _Outcome(verify_code=0 if verifies else None)


def _openssl_failure(error: ssl.SSLError, received: RecordScanner) -> _Outcome:
    """Map an OpenSSL error to a failure: by the alert received or, where encrypted, by OpenSSL's reason."""
    if is_flood(error):
        return _Outcome(failure=Failure.FLOOD, detail=openssl_reason(error))
    alert = received.alert if received.alert and received.alert.level == FATAL else alert_from_openssl(error)
    if alert is not None:
        return _Outcome(failure=Failure.ALERT, detail=openssl_reason(error), alert=alert)
    if openssl_reason(error) == _OUT_OF_MEMORY:
        return _Outcome(failure=Failure.NO_RESOURCES, detail=openssl_reason(error))
    if isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
        return _Outcome(failure=Failure.CLOSED, detail="closed by a close_notify alert")
    return _Outcome(failure=Failure.TLS_ERROR, detail=openssl_reason(error))


def _shortage(error: Exception) -> _Outcome:
    """Return what ends a phase for want of memory or a descriptor."""
    return _Outcome(failure=Failure.NO_RESOURCES, detail=scrub(f"{type(error).__name__}: {error}", 200))


def _is_refused_by_openssl(host: str) -> bool:
    """Whether OpenSSL takes no wildcard for a host: one whose first label has an underscore. Go does."""
    return "_" in host.partition(".")[0]


def _parse_all(ders: tuple[bytes, ...]) -> tuple[ParsedCertificate, ...]:
    return tuple(parse_certificate(der) for der in ders[:_MAX_CERTIFICATES])


def _without_excess(chain: tuple[ParsedCertificate, ...]) -> Iterator[Certificate]:
    """Yield the facts to record, names and URLs only as far as they are no flood."""
    size = 0
    for one in chain:
        facts = one.facts
        size += sum(map(len, (*facts.san, *facts.ocsp_urls, *facts.issuer_urls, *facts.crl_urls)))
        if size > _NAMES_AND_URLS:
            yield replace(facts, san=(), ocsp_urls=(), issuer_urls=(), crl_urls=())
        else:
            yield facts


def _facts(
    session: TlsStream, chain: tuple[ParsedCertificate, ...], store: TrustStore, *, verified: bool
) -> ChainFacts:
    return chain_facts(
        chain,
        session.server_name,
        public=store.public,
        trusted=store.trusted,
        built=_parse_all(session.built_chain()),
        verified=verified,
    )


def _sni(host: str) -> str:
    """Return the SNI sent; empty for an address (RFC 6066 section 3)."""
    return host if parse_literal(host) is None else ""


def _invalid_name(watch: Stopwatch, host: str, alpn: tuple[str, ...], error: Exception) -> TlsObservation:
    why = scrub(f"cannot be sent as server name: {error}", 200)
    return _not_started(watch, host, alpn, _Outcome(failure=Failure.NAME_INVALID, detail=why))


def _not_started(watch: Stopwatch, host: str, alpn: tuple[str, ...], outcome: _Outcome) -> TlsObservation:
    return TlsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        sni=scrub(host, 300),
        alpn_offered=alpn,
        hello_bytes=0,
        bytes_sent=0,
        bytes_received=0,
        records_sent=0,
        records_received=0,
        failure=outcome.failure,
        detail=outcome.detail,
    )
