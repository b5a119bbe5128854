"""Every kind of flood against the phase it is meant for: it ends by itself, and is told as what it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from egressd.model.observation import Failure, HttpObservation, ProxyObservation, TlsObservation
from egressd.model.settings import Proxy, Source, Trust
from egressd.net.dial import TcpStream, dial
from egressd.net.exchange import Request, exchange
from egressd.net.handshake import handshake
from egressd.net.trust import TrustStore, load_trust
from egressd.net.tunnel import open_tunnel
from tests.hostile.floods.kinds import ANSWERS, FRAMES, HANDSHAKE_FLOODS, SESSION_FLOODS
from tests.hostile.floods.serve import LOOPBACK, Flooding, flooding

NEVER = 120.0
"""A timeout that must not be reached: floods end before."""
HOST = "x.flood.test"
HANDSHAKES = {
    "speaks-first": Failure.NOT_TLS,
    "text-first": Failure.NOT_TLS,
    "cipher-changes": Failure.TLS_ERROR,
    "garbage-records": Failure.TLS_ERROR,
    "data-records": Failure.TLS_ERROR,
    "large-certificate": Failure.TLS_ERROR,
    "sealed-certificate-by-byte": Failure.TLS_ERROR,
}
"""What OpenSSL refuses by itself, or what is no TLS; all others are floods."""
HEADS_TOO_LARGE = frozenset(
    {"status-line", "headers", "one-header", "folded-header", "headers-without-colon"}
)
BROKEN_BODIES = frozenset({"chunk-size", "trailers"})
FRAMES_REFUSED = {
    "window-updates-of-zero": Failure.HTTP2_ERROR,
    "resets-of-ours": Failure.HTTP2_ERROR,
    "pushes": Failure.HTTP2_ERROR,
    "interim-heads": Failure.MALFORMED,
    "continuations": Failure.TOO_LARGE,
    "large-continuations": Failure.TOO_LARGE,
    "header-table": Failure.TOO_LARGE,
}
ANSWERED = frozenset({"empty-data-frames", "padded-data", "one-byte-data-frames", "body-frames"})


@pytest.fixture(scope="module")
def floods() -> Iterator[Flooding]:
    """Servers that flood as fast as they are read."""
    with flooding() as running:
        yield running


@pytest.fixture(scope="module")
def store(floods: Flooding) -> TrustStore:
    """A store that trusts them."""
    return load_trust(Trust(store=str(floods.trust_store), public_roots=str(floods.trust_store)))


async def connect(floods: Flooding, name: str) -> TcpStream:
    """Connect to a server that floods."""
    _, stream = await dial(LOOPBACK, floods.ports[name], source=Source(name="here"), timeout=NEVER)
    assert stream is not None
    return stream


async def in_handshake(floods: Flooding, store: TrustStore, name: str) -> TlsObservation:
    """Do a handshake."""
    seen, session = await handshake(
        await connect(floods, name), HOST, store=store, alpn=("h2", "http/1.1"), timeout=NEVER
    )
    if session is not None:
        session.close()
    return seen


async def in_session(floods: Flooding, store: TrustStore, name: str) -> HttpObservation:
    """Do a handshake, and send a request."""
    stream = await connect(floods, name)
    seen, session = await handshake(stream, HOST, store=store, alpn=("h2", "http/1.1"), timeout=NEVER)
    assert session is not None
    answer = await exchange(session, Request(host=HOST), alpn=seen.alpn, timeout=NEVER)
    session.close()
    return answer


def expected_answer(name: str) -> Failure | None:
    """Return how an answer in HTTP/1 fails; None: it is one, as far as it is read."""
    if name in HEADS_TOO_LARGE:
        return Failure.TOO_LARGE
    if name.startswith("interim") or name in BROKEN_BODIES:
        return Failure.MALFORMED
    return Failure.FLOOD if name == "empty-lines" else None


@pytest.mark.parametrize("name", HANDSHAKE_FLOODS)
async def test_floods_in_the_handshake(floods: Flooding, store: TrustStore, name: str) -> None:
    """What does not complete a handshake is read up to a limit, not until the timeout."""
    seen = await in_handshake(floods, store, name)
    assert seen.failure is HANDSHAKES.get(name, Failure.FLOOD)
    assert seen.bytes_received < 300 * 1024


@pytest.mark.parametrize("name", SESSION_FLOODS)
async def test_floods_of_records(floods: Flooding, store: TrustStore, name: str) -> None:
    """Records without data are read up to a limit."""
    seen = await in_session(floods, store, name)
    assert seen.failure is (Failure.HTTP2_ERROR if name == "one-byte-data" else Failure.FLOOD)


@pytest.mark.parametrize("name", FRAMES)
async def test_floods_of_frames(floods: Flooding, store: TrustStore, name: str) -> None:
    """Frames that bring no answer are read up to a limit; after an answer they are no fault of it."""
    seen = await in_session(floods, store, f"h2-{name}")
    assert seen.failure is (None if name in ANSWERED else FRAMES_REFUSED.get(name, Failure.FLOOD))
    assert seen.status == (200 if name in ANSWERED else None)


@pytest.mark.parametrize("name", ANSWERS)
async def test_floods_of_answers(floods: Flooding, name: str) -> None:
    """An answer in HTTP/1 without an end is read as far as it is needed."""
    stream = await connect(floods, f"clear-{name}")
    seen = await exchange(stream, Request(host=HOST), alpn=None, timeout=NEVER)
    stream.close()
    assert seen.failure is expected_answer(name)


@pytest.mark.parametrize("name", ["deflate", "gzip", "gzip-thrice"])
async def test_bombs_in_a_download(floods: Flooding, name: str) -> None:
    """Of a body that is needed in full, no more is unpacked than a download may have."""
    stream = await connect(floods, f"clear-{name}")
    seen = await exchange(stream, Request(host=HOST, want_sha256=True), alpn=None, timeout=1.0)
    stream.close()
    assert (seen.failure, seen.sha256) in ((None, None), (Failure.TIMEOUT, None))
    assert (seen.bytes_decoded or 0) <= 64 * 1024 * 1024


@pytest.mark.parametrize("name", ANSWERS)
async def test_floods_of_a_proxy(floods: Flooding, name: str) -> None:
    """So is the answer of a proxy to CONNECT."""
    stream = await connect(floods, f"proxy-{name}")
    seen: ProxyObservation = await open_tunnel(
        stream, Proxy(url="http://proxy.test:3128"), f"{HOST}:443", timeout=NEVER
    )
    stream.close()
    failed = expected_answer(name)
    usual = {None, Failure.PROXY_PAGE, Failure.PROXY_STATUS}
    assert seen.failure in (usual if failed in (None, Failure.MALFORMED) and seen.status else {failed})


@pytest.mark.parametrize("name", SESSION_FLOODS)
async def test_floods_of_a_proxy_in_tls(floods: Flooding, store: TrustStore, name: str) -> None:
    """A proxy that is reached over TLS can flood inside its own session too."""
    _, session = await handshake(
        await connect(floods, name), "proxy.flood.test", store=store, alpn=(), timeout=NEVER
    )
    assert session is not None
    seen = await open_tunnel(
        session, Proxy(url="https://proxy.flood.test:3129"), f"{HOST}:443", timeout=NEVER
    )
    session.close()
    assert seen.failure is Failure.FLOOD
