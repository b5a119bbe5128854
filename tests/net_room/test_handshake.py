"""TLS handshakes and their failures, on real sockets."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.clock import monotonic, now
from egressd.model.observation import Failure, TlsAlert, TlsObservation
from egressd.model.settings import Trust
from egressd.net.handshake import handshake
from egressd.net.stream import TlsAlertError
from egressd.net.tls.session import TlsStream
from egressd.net.trust import TrustStore, VendorRoots

HOST = "web.test"


async def answer(peer: Any) -> None:
    """Echo one piece."""
    await peer.send(await peer.receive())


@pytest.fixture
async def attempt(serve: Any, connect: Any, pki: Any, speak_tls: Any) -> Any:
    """Return a function that does a handshake with a scripted or a TLS server."""
    opened = []

    async def run(
        script: Any = answer,
        *,
        tls: ssl.SSLContext | None = None,
        by_hand: ssl.SSLContext | None = None,
        host: str = HOST,
        alpn: tuple[str, ...] = ("h2", "http/1.1"),
        store: Any = None,
        timeout: float = 3,
    ) -> tuple[TlsObservation, TlsStream | None]:
        if by_hand is not None:
            script = partial(speak_tls, context=by_hand)
        stream = await connect(await serve(script, tls=tls))
        opened.append(stream)
        store = store or pki.store(pki.root, public=(pki.other_root,))
        return await handshake(stream, host, store=store, alpn=alpn, timeout=timeout)

    yield run
    for stream in opened:
        stream.close()


@pytest.mark.parametrize(
    ("name", "code"), [("*.web.test", 0), ("a_b.web.test", 0), ("*.other.test", 62), ("web.test", 62)]
)
async def test_wildcard_for_a_label_with_an_underscore(attempt: Any, pki: Any, name: str, code: int) -> None:
    """OpenSSL refuses it and agents do not; a name that does not fit is refused all the same."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=(name,))
    seen, session = await attempt(tls=pki.server(leaf), host="a_b.web.test")
    assert (seen.verify_code, session is not None) == (code, code == 0)
    assert seen.failure is (Failure.VERIFY if code else None)
    if session is not None:
        session.close()


@pytest.mark.parametrize(
    ("host", "anchored"),
    [
        ("fe3.delivery.vendor.test", True),
        ("vendor.test", True),
        ("agent.test", False),
        ("myvendor.test", False),
    ],
)
@pytest.mark.parametrize("below", [False, True])
async def test_roots_of_a_vendor(attempt: Any, pki: Any, host: str, anchored: bool, below: bool) -> None:
    """A vendor's own root verifies its own names, also where it is an authority below a root nobody has.

    For any other name, the same authority is as unknown as before.
    """
    root = pki.issue("Vendor Root", authority=True)
    issuer = pki.issue("Vendor Authority", issuer=root, authority=True) if below else root
    leaf = pki.issue("leaf", issuer=issuer, names=(host,))
    vendor = VendorRoots(domains=("vendor.test",), pem=issuer.pem.decode())
    trust = Trust(store=pki.file(pki.root), public_roots=pki.file(pki.other_root))
    seen, session = await attempt(tls=pki.server(leaf), host=host, store=TrustStore(trust, vendors=(vendor,)))
    assert (session is not None, seen.failure) == (anchored, None if anchored else Failure.VERIFY)
    assert (seen.facts.publicly_anchored, seen.facts.store_anchored) == (anchored, anchored)
    if session is not None:
        session.close()


async def test_inspection_of_a_vendor_s_name(attempt: Any, pki: Any) -> None:
    """Another authority that signs the vendor's name is as private as for any other name."""
    vendor = VendorRoots(domains=("vendor.test",), pem=pki.issue("Vendor Root", authority=True).pem.decode())
    device = pki.issue("Gateway CA", authority=True)
    leaf = pki.issue("leaf", issuer=device, names=("fe3.vendor.test",))
    trust = Trust(store=pki.file(pki.root), public_roots=pki.file(pki.other_root))
    seen, session = await attempt(
        tls=pki.server(leaf), host="fe3.vendor.test", store=TrustStore(trust, vendors=(vendor,))
    )
    assert (session, seen.failure, seen.facts.publicly_anchored) == (None, Failure.VERIFY, False)


async def test_root_of_the_store_that_has_expired(attempt: Any, pki: Any) -> None:
    """The path is that of the newer public root: in time, though this host's store says expired."""
    past = now() - timedelta(days=40)
    old = pki.issue(
        "Test Root", authority=True, key=pki.root.key, not_before=past, not_after=past + timedelta(days=9)
    )
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=(HOST,))
    seen, session = await attempt(tls=pki.server(leaf), store=pki.store(old, public=(pki.root,)))
    assert (seen.verify_code, session) == (10, None)
    assert (seen.facts.publicly_anchored, seen.facts.store_anchored, seen.facts.in_time) == (True, True, True)


async def test_successful_handshake(attempt: Any, pki: Any) -> None:
    """Version, ALPN, sizes and the chain are recorded; the session carries bytes both ways."""
    leaf = pki.issue("leaf", issuer=pki.intermediate, names=(HOST,))
    seen, session = await attempt(tls=pki.server(leaf, alpn=("http/1.1",)))
    assert seen.failure is None, seen
    assert (seen.version, seen.alpn, seen.sni, seen.verify_code) == ("TLSv1.3", "http/1.1", HOST, 0)
    assert seen.server_hello
    assert seen.first_bytes.startswith("160303")
    assert [one.subject for one in seen.chain] == ["CN=leaf", "CN=Test Intermediate"]
    assert seen.info is not None
    assert seen.info.bytes_acked >= 1 + seen.hello_bytes > 200
    assert seen.bytes_sent > seen.hello_bytes
    assert seen.records_sent >= 2
    assert seen.records_received >= 3
    facts = seen.facts
    assert facts is not None
    assert (facts.publicly_anchored, facts.store_anchored) == (False, True)
    assert (facts.name_matches, facts.common_name_matches, facts.in_time) == (True, False, True)
    await session.write(b"hello")
    assert await session.read(100) == b"hello"
    assert await session.read(100) == b""
    session.close()


async def test_public_chain(attempt: Any, pki: Any) -> None:
    """A chain of a public root is publicly anchored."""
    leaf = pki.issue("leaf", issuer=pki.root, names=(HOST,))
    store = pki.store(pki.root, public=(pki.root, pki.other_root))
    seen, session = await attempt(tls=pki.server(leaf), store=store)
    assert (seen.facts.publicly_anchored, seen.facts.issuer_known_public) == (True, True)
    session.close()


@dataclass(frozen=True)
class ExpectedFacts:
    """The expected chain facts; by default those of a self-signed certificate for the host."""

    in_time: bool = True
    name: bool = True
    common_name: bool = False
    public: bool = False
    trusted: bool = False


def server_with(pki: Any, mistake: str) -> Any:
    """Return a server whose certificate has one error."""
    day = timedelta(days=1)
    if mistake == "expired":
        leaf = pki.issue(
            "l", issuer=pki.root, names=(HOST,), not_before=now() - 9 * day, not_after=now() - day
        )
    elif mistake == "future":
        leaf = pki.issue(
            "l", issuer=pki.root, names=(HOST,), not_before=now() + day, not_after=now() + 9 * day
        )
    elif mistake == "self-signed":
        leaf = pki.issue("l", names=(HOST,))
    elif mistake == "wrong name":
        leaf = pki.issue("l", issuer=pki.root, names=("other.test",))
    elif mistake == "common name only":
        leaf = pki.issue(HOST, issuer=pki.root)
    elif mistake == "private root":
        leaf = pki.issue("l", issuer=pki.other_root, names=(HOST,))
    else:
        leaf = pki.issue("l", issuer=pki.intermediate, names=(HOST,))
        return pki.server(leaf, chain=False)
    return pki.server(leaf)


@pytest.mark.parametrize(
    ("mistake", "code", "facts"),
    [
        ("expired", 10, ExpectedFacts(in_time=False, trusted=True)),
        ("future", 9, ExpectedFacts(in_time=False, trusted=True)),
        ("self-signed", 18, ExpectedFacts()),
        ("wrong name", 62, ExpectedFacts(name=False, trusted=True)),
        ("common name only", 62, ExpectedFacts(name=False, common_name=True, trusted=True)),
        ("private root", 20, ExpectedFacts(public=True)),
        ("missing intermediate", 20, ExpectedFacts()),
    ],
)
async def test_chains_that_do_not_verify(
    attempt: Any, pki: Any, mistake: str, code: int, facts: ExpectedFacts
) -> None:
    """Chain, OpenSSL's code and version are recorded although the handshake failed."""
    seen, session = await attempt(tls=server_with(pki, mistake))
    assert session is None
    assert (seen.failure, seen.verify_code) == (Failure.VERIFY, code)
    assert seen.verify_message
    assert len(seen.chain) == 1
    assert seen.version == "TLSv1.3"
    assert seen.server_hello
    assert seen.facts is not None
    assert facts == ExpectedFacts(
        in_time=seen.facts.in_time is True,
        name=seen.facts.name_matches is True,
        common_name=seen.facts.common_name_matches is True,
        public=seen.facts.publicly_anchored is True,
        trusted=seen.facts.store_anchored is True,
    )


async def test_alert_is_sent_to_the_server(attempt: Any, pki: Any) -> None:
    """OpenSSL's alert is sent before the close, so that the server's log has it."""
    leaf = pki.issue("l", names=(HOST,))
    seen, _ = await attempt(tls=pki.server(leaf))
    assert seen.records_sent > 1


async def test_unverified_store_accepts_any_chain(attempt: Any, pki: Any) -> None:
    """The session is marked as unverified, and has the chain facts."""
    store = pki.store(pki.root, public=(pki.other_root,)).unverified
    seen, session = await attempt(tls=server_with(pki, "private root"), store=store)
    assert (seen.failure, seen.verify_code) == (None, None)
    assert session.unverified
    assert (seen.facts.publicly_anchored, seen.facts.store_anchored) == (True, False)
    session.close()


@pytest.mark.parametrize("description", [40, 49, 70, 80, 112, 120, 0, 255])
async def test_fatal_alerts(attempt: Any, description: int) -> None:
    """The bytes decide, whatever OpenSSL's reason is."""

    async def refuse(peer: Any) -> None:
        await peer.receive()
        await peer.send(bytes([21, 3, 3, 0, 2, 2, description]))

    seen, session = await attempt(refuse)
    assert session is None
    assert seen.failure in (Failure.ALERT, Failure.TLS_ERROR)
    assert seen.alert == TlsAlert(level=2, description=description)
    assert seen.failure is Failure.ALERT
    assert not seen.server_hello


async def test_alert_then_reset(attempt: Any) -> None:
    """The alert before the RST is read."""

    async def refuse(peer: Any) -> None:
        await peer.receive()
        await peer.send(bytes([21, 3, 3, 0, 2, 2, 40]))
        await asyncio.sleep(0.05)
        peer.reset()

    seen, _ = await attempt(refuse)
    assert seen.failure is Failure.ALERT


async def test_warning_alert(attempt: Any) -> None:
    """A warning 112 is recorded and is no failure."""

    async def warn(peer: Any) -> None:
        await peer.receive()
        await peer.send(bytes([21, 3, 3, 0, 2, 1, 112]))
        await peer.idle()

    seen, _ = await attempt(warn, timeout=0.3)
    assert seen.failure is Failure.TIMEOUT
    assert seen.alert == TlsAlert(level=1, description=112)


async def test_close_notify_instead_of_server_hello(attempt: Any) -> None:
    """It is CLOSED."""

    async def leave(peer: Any) -> None:
        await peer.receive()
        await peer.send(bytes([21, 3, 3, 0, 2, 1, 0]))

    seen, _ = await attempt(leave)
    assert seen.failure is Failure.CLOSED
    assert seen.alert == TlsAlert(level=1, description=0)


async def test_reset_after_client_hello(attempt: Any) -> None:
    """A RST, with the ClientHello acknowledged."""

    async def reset(peer: Any) -> None:
        await peer.receive()
        peer.reset()

    seen, _ = await attempt(reset)
    assert seen.failure is Failure.RESET
    assert seen.errno == 104
    assert seen.bytes_received == 0
    assert seen.info.bytes_acked == 1 + seen.hello_bytes


async def test_close_after_client_hello(attempt: Any) -> None:
    """A FIN is not a RST."""

    async def leave(peer: Any) -> None:
        await peer.receive()

    seen, _ = await attempt(leave)
    assert seen.failure is Failure.CLOSED
    assert (seen.bytes_received, seen.records_received) == (0, 0)


async def test_no_answer_to_client_hello(attempt: Any) -> None:
    """Our own timer ends it, with the ClientHello acknowledged."""

    async def idle(peer: Any) -> None:
        await peer.receive()
        await peer.idle()

    begun = monotonic()
    seen, _ = await attempt(idle, timeout=0.4)
    assert seen.failure is Failure.TIMEOUT
    assert monotonic() - begun < 2
    assert seen.info.bytes_acked == 1 + seen.hello_bytes


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nServer: box\r\n\r\n<html>", "HTTP/1.1 403 Forbidden Server: box <html>"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"<", "<"),
        (b"\x80\x01\x02\x03", ""),
    ],
)
async def test_answer_is_not_tls(attempt: Any, said: bytes, shown: str) -> None:
    """The first bytes are kept, as text where printable."""

    async def speak(peer: Any) -> None:
        await peer.receive()
        await peer.send(said)

    seen, _ = await attempt(speak)
    assert seen.failure is Failure.NOT_TLS
    assert seen.first_text == shown
    assert seen.first_bytes == said[:64].hex()
    assert seen.detail


async def test_banner_in_pieces(attempt: Any) -> None:
    """It is read on for a moment: the second piece identifies the server."""

    async def speak(peer: Any) -> None:
        await peer.send(b"220 ")
        await asyncio.sleep(0.05)
        await peer.send(b"mail.test ESMTP\r\n")
        await peer.idle()

    begun = monotonic()
    seen, _ = await attempt(speak)
    assert seen.first_text == "220 mail.test ESMTP"
    assert monotonic() - begun < 2


async def test_partial_record(attempt: Any) -> None:
    """Bytes came, but no whole ServerHello."""

    async def half(peer: Any) -> None:
        await peer.receive()
        await peer.send(bytes([22, 3, 3, 0, 200, 2]))
        await peer.idle()

    seen, _ = await attempt(half, timeout=0.3)
    assert seen.failure is Failure.TIMEOUT
    assert (seen.bytes_received, seen.records_received, seen.server_hello) == (6, 1, False)


async def test_garbage_in_records(attempt: Any) -> None:
    """Well-framed garbage is a TLS error of OpenSSL."""

    async def garbage(peer: Any) -> None:
        await peer.receive()
        await peer.send(bytes([22, 3, 3, 0, 6]) + b"\x02\x00\x00\x02\xff\xff")

    seen, _ = await attempt(garbage)
    assert seen.failure is Failure.TLS_ERROR
    assert seen.detail
    assert "_ssl.c" not in seen.detail


async def test_endless_records(attempt: Any) -> None:
    """Endless warnings are ended by OpenSSL or the timer."""

    async def flood(peer: Any) -> None:
        while True:
            await peer.send(bytes([21, 3, 3, 0, 2, 1, 90]) * 100)

    begun = monotonic()
    seen, _ = await attempt(flood, timeout=1)
    assert seen.failure is not None
    assert monotonic() - begun < 2


async def test_server_without_tls12(attempt: Any, pki: Any) -> None:
    """It answers with an alert or a version that is refused."""
    context = pki.server(pki.issue("l", issuer=pki.root, names=(HOST,)))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    seen, _ = await attempt(by_hand=context)
    assert seen.failure is Failure.ALERT
    assert seen.alert == TlsAlert(level=2, description=70)


async def test_client_certificate_required_tls12(attempt: Any, pki: Any) -> None:
    """The request is in cleartext; the server then sends an alert."""
    context = pki.server(pki.issue("l", issuer=pki.root, names=(HOST,)))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pki.root.pem.decode())
    seen, _ = await attempt(by_hand=context)
    assert seen.client_certificate_requested
    assert (seen.failure, seen.alert.description) == (Failure.ALERT, 40)
    assert seen.version == "TLSv1.2"


async def test_client_certificate_required_tls13(attempt: Any, pki: Any) -> None:
    """The handshake succeeds here; the alert comes with the first read."""
    context = pki.server(pki.issue("l", issuer=pki.root, names=(HOST,)))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pki.root.pem.decode())
    seen, session = await attempt(by_hand=context)
    assert seen.failure is None
    with pytest.raises(TlsAlertError) as caught:
        await session.read(10)
    assert caught.value.alert == TlsAlert(level=2, description=116)
    session.close()


async def test_address_is_verified_but_not_sent_as_sni(attempt: Any, pki: Any) -> None:
    """SNI has names only; the certificate must have the address."""
    leaf = pki.issue("l", issuer=pki.root, names=("127.0.0.1",))
    seen, session = await attempt(tls=pki.server(leaf), host="127.0.0.1")
    assert (seen.failure, seen.sni) == (None, "")
    assert seen.facts.name_matches
    session.close()


async def test_idna_name(attempt: Any, pki: Any) -> None:
    """The certificate has the A-label, and so has the observation."""
    leaf = pki.issue("l", issuer=pki.root, names=("xn--bcher-kva.test",))
    seen, session = await attempt(tls=pki.server(leaf), host="bücher.test")
    assert (seen.failure, seen.sni) == (None, "xn--bcher-kva.test")
    assert seen.facts.name_matches
    session.close()


@pytest.mark.parametrize("host", ["", ".web.test", "a" * 64 + ".test", "web\0.test", "\udcff"])
async def test_invalid_server_names(attempt: Any, host: str) -> None:
    """Nothing is sent, and nothing is raised."""
    seen, session = await attempt(host=host)
    assert session is None
    assert (seen.failure, seen.bytes_sent) == (Failure.NAME_INVALID, 0)


async def test_tls_inside_tls(serve: Any, connect: Any, pki: Any, speak_tls: Any) -> None:
    """A session is a stream: a second handshake runs through the first, as through an https proxy."""
    leaf = pki.issue("l", issuer=pki.root, names=(HOST,))
    inner = pki.server(leaf)

    async def terminate(peer: Any) -> None:
        await speak_tls(peer, inner, b"inside")

    store = pki.store(pki.root, public=(pki.root,))
    stream = await connect(await serve(terminate, tls=pki.server(leaf)))
    _, outer = await handshake(stream, HOST, store=store, alpn=(), timeout=3)
    assert outer is not None
    seen, session = await handshake(outer, HOST, store=store, alpn=(), timeout=3)
    assert seen.failure is None, seen
    assert session is not None
    assert await session.read(20) == b"inside"
    assert session.info() is not None
    session.close()
    assert session.info() is None


async def test_cancellation(attempt: Any) -> None:
    """A cancelled handshake is cancelled, not failed."""

    async def idle(peer: Any) -> None:
        await peer.idle()

    task = asyncio.create_task(attempt(idle, timeout=30))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_end_in_a_failure(memory_stream: Any, pki: Any, pieces: list[bytes]) -> None:
    """Whatever a server sends that is no TLS, the handshake fails and closes."""
    stream = memory_stream(*(piece for piece in pieces if piece))
    store = pki.store(pki.root, public=(pki.root,))
    seen, session = asyncio.run(handshake(stream, HOST, store=store, alpn=("h2",), timeout=2))
    assert session is None
    assert seen.failure is not None
    assert stream.closed
