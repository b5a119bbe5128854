"""Scripted servers on loopback, and a PKI for every certificate error."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from egressd.model.observation import TcpInfo
from egressd.model.settings import Source, Trust
from egressd.net.dial import TcpStream, dial
from egressd.net.sockets.turns import LoopTurn
from egressd.net.trust import TrustStore, load_trust
from tests import ports

HERE = Source(name="here")


@pytest.fixture
def collected() -> Iterator[None]:
    """Keep objects of other tests from the garbage collector: their number is no cost of what is measured."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


NOW = datetime.now(UTC)


class Peer:
    """The server side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def receive(self, n: int = 65536) -> bytes:
        """Read bytes."""
        return await self.reader.read(n)

    async def send(self, data: bytes) -> None:
        """Send all bytes."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Send a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def idle(self) -> None:
        """Do nothing until the test is over."""
        await asyncio.sleep(60)


Script = Callable[[Peer], Awaitable[None]]


async def speak_tls(peer: Peer, context: ssl.SSLContext, data: bytes = b"") -> None:
    """Run a TLS server by memory BIOs: unlike asyncio's, it sends OpenSSL's alert when it fails."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
            tls.write(data) if data else tls.read()
            break
        except ssl.SSLWantReadError:
            await peer.send(outgoing.read())
            incoming.write(await peer.receive())
        except ssl.SSLError:
            break
    await peer.send(outgoing.read())
    await peer.idle()


@pytest.fixture(name="speak_tls")
def speak_tls_fixture() -> Callable[..., Awaitable[None]]:
    """Return `speak_tls`."""
    return speak_tls


Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Return a function that runs a script for each connection on loopback, and returns the port."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(
        script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> int:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
                await script(Peer(reader, writer))
            tasks.discard(task)
            writer.close()

        server = await asyncio.start_server(accept, host, port, ssl=tls)
        servers.append(server)
        found: int = server.sockets[0].getsockname()[1]
        return found

    yield start
    for server in servers:
        server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0.01)


@pytest.fixture
async def udp() -> AsyncIterator[Callable[[Callable[[bytes], list[bytes]]], int]]:
    """Return a function that answers datagrams by a script and returns the port."""
    open_sockets: list[socket.socket] = []
    loop = asyncio.get_running_loop()

    def start(answer: Callable[[bytes], list[bytes]]) -> int:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        open_sockets.append(sock)

        def ready() -> None:
            data, address = sock.recvfrom(4096)
            for one in answer(data):
                sock.sendto(one, address)

        loop.add_reader(sock, ready)
        port: int = sock.getsockname()[1]
        return port

    yield start
    for sock in open_sockets:
        loop.remove_reader(sock)
        sock.close()


async def connect(port: int, *, host: str = "127.0.0.1") -> TcpStream:
    """Connect to a port that accepts."""
    observation, stream = await dial(host, port, source=HERE, timeout=5)
    assert stream is not None, observation
    return stream


@pytest.fixture(name="connect")
def connect_fixture() -> Callable[..., Awaitable[TcpStream]]:
    """Return `connect`."""
    return connect


@pytest.fixture
def here() -> Source:
    """Return the source for which the kernel chooses the address."""
    return HERE


class MemoryStream:
    """A stream with prepared input, in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.turn = LoopTurn()
        self.written = b""
        self.closed = False

    async def read(self, n: int) -> bytes:
        """Return the next piece."""
        if not self.pieces:
            return b""
        piece, rest = self.pieces[0][:n], self.pieces[0][n:]
        self.pieces[:1] = [rest] if rest else []
        return piece

    async def write(self, data: bytes) -> None:
        """Remember it."""
        self.written += data

    def info(self) -> TcpInfo | None:
        """There is no socket."""
        return None

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.fixture(scope="session")
def memory_stream() -> type[MemoryStream]:
    """Return the class: hypothesis needs a new stream per example."""
    return MemoryStream


@pytest.fixture
def closed_port() -> Iterator[Callable[..., int]]:
    """Return a function that returns a port on which nothing listens, until the test is over."""
    with contextlib.ExitStack() as kept:
        yield lambda *kind: kept.enter_context(ports.closed_port(*kind))


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """Return the port of a listener with a full backlog: SYNs are dropped."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


@dataclass(slots=True)
class IssuedCertificate:
    """A certificate, its key, and the certificates sent with it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """Return the certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """Return the certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(slots=True)
class Pki:
    """Issues certificates."""

    folder: Path
    root: IssuedCertificate = field(init=False)
    other_root: IssuedCertificate = field(init=False)
    intermediate: IssuedCertificate = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.issue("Test Root", authority=True)
        self.other_root = self.issue("Corporate Inspection CA", authority=True)
        self.intermediate = self.issue("Test Intermediate", issuer=self.root, authority=True)

    def issue(
        self,
        common_name: str,
        *,
        issuer: IssuedCertificate | None = None,
        names: tuple[str, ...] = (),
        authority: bool = False,
        not_before: datetime = NOW - timedelta(days=2),
        not_after: datetime = NOW + timedelta(days=2),
        aia: str = "",
        key: Any = None,
    ) -> IssuedCertificate:
        """Issue a certificate; self-signed without an issuer, with a new key unless one is given."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        for extension in self._extensions(names, authority=authority, aia=aia):
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        above = (issuer.certificate, *issuer.above) if issuer and issuer.above else ()
        if issuer is not None and not above and issuer.certificate.issuer != issuer.certificate.subject:
            above = (issuer.certificate,)
        return IssuedCertificate(certificate, key, above)

    @staticmethod
    def _extensions(names: tuple[str, ...], *, authority: bool, aia: str) -> Iterator[x509.ExtensionType]:
        if names:
            yield x509.SubjectAlternativeName([_general(one) for one in names])
        if not authority:
            yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        if aia:
            where = x509.UniformResourceIdentifier(aia)
            yield x509.AuthorityInformationAccess(
                [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)]
            )

    def server(
        self, party: IssuedCertificate, *, alpn: tuple[str, ...] = (), chain: bool = True
    ) -> ssl.SSLContext:
        """Return the SSL context of a server with a certificate."""
        number = party.certificate.serial_number
        path = self.folder / f"{number}-{chain}.pem"
        above = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in party.above if chain)
        secret = party.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(party.pem + above + secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def file(self, *parties: IssuedCertificate) -> str:
        """Write certificates into a PEM file."""
        path = self.folder / f"roots-{'-'.join(str(one.certificate.serial_number) for one in parties)}.pem"
        path.write_bytes(b"".join(one.pem for one in parties))
        return str(path)

    def store(
        self, *parties: IssuedCertificate, public: tuple[IssuedCertificate, ...] | None = None
    ) -> TrustStore:
        """Return a trust store; `public` are the public roots."""
        roots = "bundled" if public is None else self.file(*public)
        return load_trust(Trust(store=self.file(*parties), public_roots=roots))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Return an issuer of certificates."""
    return Pki(tmp_path_factory.mktemp("pki"))
