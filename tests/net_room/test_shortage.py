"""What this host lacks is said to be its own, in every phase and by every errno that means it."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from egressd.errors import ConfigError
from egressd.model.observation import Failure
from egressd.model.settings import Proxy, Resolver, Source, Trust
from egressd.net import handshake as handshake_module
from egressd.net.dial import dial
from egressd.net.dns import system
from egressd.net.exchange import Request, exchange
from egressd.net.handshake import handshake
from egressd.net.ntp import query_ntp
from egressd.net.resolve import look_up, look_up_system, look_up_tcp
from egressd.net.sockets.turns import LoopTurn
from egressd.net.tls.client_hello import ClientHelloShape
from egressd.net.tls.hello_probe import send_client_hello
from egressd.net.trust import load_trust
from egressd.net.tunnel import open_tunnel

HERE = Source(name="here")
RESOLVER = Resolver(name="r", address="127.0.0.1", port=53)
LACKED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)


def error_of(number: int) -> OSError:
    """Return the error of a system call."""
    return OSError(number, os.strerror(number))


class StarvedStream:
    """A stream on which every call fails."""

    source_address, source_port = "127.0.0.1", 1

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.turn = LoopTurn()

    async def read(self, n: int) -> bytes:
        """Fail."""
        raise self.error

    async def write(self, data: bytes) -> None:
        """Fail."""
        raise self.error

    def unread(self, data: bytes) -> None:
        """Do nothing."""

    def info(self) -> None:
        """Know nothing."""

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("number", LACKED)
async def test_no_socket(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Where no socket can be opened, every phase that opens one says so."""

    def refuse(*_: object) -> socket.socket:
        raise error_of(number)

    monkeypatch.setattr("egressd.net.sockets.opening.socket.socket", refuse)
    tcp, _ = await dial("127.0.0.1", 1, source=HERE, timeout=1)
    seen = (
        tcp,
        await look_up("web.test", "A", resolver=RESOLVER, source=HERE, timeout=1),
        await look_up_tcp("web.test", "A", resolver=RESOLVER, source=HERE, timeout=1),
        await query_ntp("127.0.0.1", 123, source=HERE, timeout=1),
    )
    assert {one.failure for one in seen} == {Failure.NO_RESOURCES}
    assert all(errno.errorcode[number] in one.detail for one in seen)


@pytest.mark.parametrize("number", [*LACKED, None], ids=str)
async def test_no_room_for_data(pki: Any, number: int | None) -> None:
    """Where an open connection can't be read or written for want of memory, its phase says so."""
    stream: Any = StarvedStream(MemoryError() if number is None else error_of(number))
    tls, _ = await handshake(stream, "web.test", store=pki.store(pki.root), alpn=(), timeout=1)
    seen = (
        tls,
        await send_client_hello(stream, "web.test", ClientHelloShape.SMALL, timeout=1, split=False),
        await exchange(stream, Request(host="web.test"), alpn=None, timeout=1),
        await exchange(stream, Request(host="web.test"), alpn="h2", timeout=1),
        await open_tunnel(stream, Proxy(url="http://127.0.0.1:1"), "web.test:443", timeout=1),
    )
    assert [one.failure for one in seen] == [Failure.NO_RESOURCES] * len(seen)


@pytest.mark.parametrize(
    "error", [MemoryError(), error_of(errno.EMFILE), ImportError("can't be read")], ids=repr
)
async def test_no_memory_for_a_chain(
    monkeypatch: pytest.MonkeyPatch, serve: Any, connect: Any, pki: Any, error: Exception
) -> None:
    """A chain that can't be parsed for want of something is no odd chain."""
    leaf = pki.issue("leaf", issuer=pki.root, names=("web.test",))

    def fail(_: object) -> object:
        raise error

    monkeypatch.setattr(handshake_module, "parse_certificate", fail)
    stream = await connect(await serve(lambda peer: peer.idle(), tls=pki.server(leaf)))
    seen, session = await handshake(stream, "web.test", store=pki.store(pki.root), alpn=(), timeout=3)
    assert (seen.failure, session, seen.chain) == (Failure.NO_RESOURCES, None, ())


async def test_openssl_without_memory(pki: Any) -> None:
    """OpenSSL's own failure to allocate is no protocol error of the peer."""
    error = ssl.SSLError(1, "[SSL] malloc failure (_ssl.c:1007)")
    error.reason = "MALLOC_FAILURE"
    seen, _ = await handshake(
        StarvedStream(error),
        "web.test",
        store=pki.store(pki.root),
        alpn=(),
        timeout=1,
    )
    assert seen.failure is Failure.NO_RESOURCES


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Take every descriptor that this process may have."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, limits[0]), limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_every_kind_of_lookup_without_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all descriptors in use, no lookup and no connect blames anybody: getaddrinfo reports EAI_AGAIN."""

    def give_up(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    await look_up_system("localhost", "A", timeout=3)  # starts a thread
    monkeypatch.setattr("egressd.net.dns.system.socket.getaddrinfo", give_up)
    with no_descriptor_left():
        tcp, _ = await dial("127.0.0.1", 1, source=HERE, timeout=1)
        seen = (
            tcp,
            await look_up_system("no-such-name.test", "A", timeout=5),
            await look_up("web.test", "A", resolver=RESOLVER, source=HERE, timeout=1),
            await query_ntp("127.0.0.1", 123, source=HERE, timeout=1),
        )
    assert [one.failure for one in seen] == [Failure.NO_RESOURCES] * len(seen)


async def test_answer_is_read_without_descriptors(udp: Any) -> None:
    """An answer that is under way is read even if no descriptor is left: nothing is imported for it."""

    def answer(query: bytes) -> list[bytes]:
        taken.enter_context(no_descriptor_left())
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"
        mail = b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4\0\5\xc0\x0c"
        counts = b"\x81\x80\0\1\0\2\0\0\0\0"
        return [query[:2] + counts + query[12 : query.index(b"\0\1\0\1", 12) + 4] + mail + record]

    port = udp(answer)
    with contextlib.ExitStack() as taken:
        resolver = Resolver(name="r", address="127.0.0.1", port=port)
        seen = await look_up("web.test", "A", resolver=resolver, source=HERE, timeout=2)
    assert (seen.failure, seen.answers) == (None, ("1.2.3.4",))


async def test_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, the lookup says so, and the next one may start one again."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(system, "_pool", system._ThreadPool(2))
    with monkeypatch.context() as patch:
        patch.setattr("egressd.net.dns.system.threading.Thread.start", refuse)
        seen = await look_up_system("localhost", "A", timeout=1)
    assert seen.failure is Failure.NO_RESOURCES
    assert (await look_up_system("localhost", "A", timeout=5)).answers == ("127.0.0.1",)


def test_store_with_holes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Roots that can't be read for want of descriptors are no empty trust store, which would accuse all."""
    with no_descriptor_left(), pytest.raises((ConfigError, OSError)):
        load_trust(Trust())


def test_contexts_need_no_files(tmp_path: Any, pki: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenSSL would read during a handshake is there from the start."""
    bundle = tmp_path / "roots.pem"
    bundle.write_bytes(pki.root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    store = load_trust(Trust()).load()
    with no_descriptor_left():
        context = store.context(())
    assert context.cert_store_stats()["x509_ca"] == 1
