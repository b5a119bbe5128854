"""Servers on loopback that do one thing, and certificates for every mistake."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from egressd.model.observation import TcpInfo
from egressd.model.settings import Source, Trust
from egressd.net.dial import TcpStream, dial
from egressd.net.trust import TrustStore, load_trust
from tests import ports

HERE = Source(name="here")
NOW = datetime.now(UTC)


class Peer:
    """The server's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def hear(self, n: int = 65536) -> bytes:
        """Read something."""
        return await self.reader.read(n)

    async def say(self, data: bytes) -> None:
        """Send it all."""
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


async def speak_tls(peer: Peer, context: ssl.SSLContext, say: bytes = b"") -> None:
    """Be a TLS server by hand: unlike asyncio's, it sends OpenSSL's alert when it gives up."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
            tls.write(say) if say else tls.read()
            break
        except ssl.SSLWantReadError:
            await peer.say(outgoing.read())
            incoming.write(await peer.hear())
        except ssl.SSLError:
            break
    await peer.say(outgoing.read())
    await peer.idle()


@pytest.fixture(name="speak_tls")
def speak_tls_fixture() -> Callable[..., Awaitable[None]]:
    """Return `speak_tls`."""
    return speak_tls


Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Return a function that serves a script on loopback and returns the port."""
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
    """Dial a port that answers."""
    observation, stream = await dial(host, port, source=HERE, timeout=5)
    assert stream is not None, observation
    return stream


@pytest.fixture(name="connect")
def connect_fixture() -> Callable[..., Awaitable[TcpStream]]:
    """Return `connect`."""
    return connect


@pytest.fixture
def here() -> Source:
    """Return the source the kernel chooses."""
    return HERE


class MemoryStream:
    """A stream whose peer has already said everything, in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
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
    """Return the class: hypothesis needs a fresh stream per example."""
    return MemoryStream


@pytest.fixture
def closed_port() -> Iterator[Callable[..., int]]:
    """Return a function that returns a port nobody listens on, until the test is over."""
    with contextlib.ExitStack() as kept:
        yield lambda *kind: kept.enter_context(ports.closed_port(*kind))


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """Return the port of a listener that lets no more connections in: SYNs are dropped."""
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
class Party:
    """A certificate, its key, and what is sent after it."""

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
    """Issues certificates; keys are shared to be quick, the names tell who signed."""

    folder: Path
    root: Party = field(init=False)
    other_root: Party = field(init=False)
    intermediate: Party = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.issue("Test Root", authority=True)
        self.other_root = self.issue("Corporate Inspection CA", authority=True)
        self.intermediate = self.issue("Test Intermediate", issuer=self.root, authority=True)

    def issue(
        self,
        common_name: str,
        *,
        issuer: Party | None = None,
        names: tuple[str, ...] = (),
        authority: bool = False,
        not_before: datetime = NOW - timedelta(days=2),
        not_after: datetime = NOW + timedelta(days=2),
        aia: str = "",
    ) -> Party:
        """Issue a certificate; without an issuer it signs itself."""
        key = ec.generate_private_key(ec.SECP256R1())
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
        return Party(certificate, key, above)

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

    def server(self, party: Party, *, alpn: tuple[str, ...] = (), chain: bool = True) -> ssl.SSLContext:
        """Return a server's context that shows a certificate."""
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

    def file(self, *parties: Party) -> str:
        """Write certificates into a PEM file."""
        path = self.folder / f"roots-{'-'.join(str(one.certificate.serial_number) for one in parties)}.pem"
        path.write_bytes(b"".join(one.pem for one in parties))
        return str(path)

    def store(self, *parties: Party, public: tuple[Party, ...] | None = None) -> TrustStore:
        """Return a store that trusts certificates; `public` stands for the public web's roots."""
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
