"""Mail to a real SMTP server: TLS, login, refusals, timeouts, and cut connections."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from msgspec.structs import replace

from egressd.model.alert import NoticeKind
from egressd.model.notification import Receiver
from egressd.notify.dispatch import deliver
from egressd.notify.result import DeliveryResult
from egressd.notify.transport.smtp import SmtpTransport
from tests.notify.content.sample import CAUSE, RULES, alert, notice
from tests.notify.transport.servers import listening

PASSWORD = "m4il-very-secret"
ENCODED = "bTRpbC12ZXJ5LXNlY3JldA=="
"""The password as a server sees it in AUTH LOGIN."""


class SmtpHandler:
    """An SMTP handler that accepts mail, or gives set replies."""

    def __init__(
        self, *, rcpt: dict[str, str] | None = None, data: str = "250 OK", wait: float = 0.0
    ) -> None:
        self.rcpt, self.data, self.wait = rcpt or {}, data, wait
        self.got: list[Envelope] = []
        self.ssl: list[bool] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address not in self.rcpt:
            envelope.rcpt_tos.append(address)
        return self.rcpt.get(address, "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.wait)
        if self.data.startswith("2"):
            self.got.append(envelope)
            self.ssl.append(session.ssl is not None)
        return self.data


def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """Accept one login; answer others with the password they sent, as careless servers do."""
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"egressd", PASSWORD.encode())
    return AuthResult(
        success=right, handled=right, message=None if right else f"535 5.7.8 no {PASSWORD} {ENCODED}"
    )


@asynccontextmanager
async def serving(
    handler: SmtpHandler, *, implicit: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    """Run a server and yield its port. `implicit` is TLS from the first byte."""
    loop = asyncio.get_running_loop()
    made: list[SMTP] = []

    def make() -> SMTP:
        made.append(SMTP(handler, hostname="mx.corp.example", loop=loop, **options))
        return made[-1]

    server = await loop.create_server(make, "127.0.0.1", 0, ssl=implicit)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in made:
            if one.transport is not None:
                one.transport.close()
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


def receiver(port: int, security: str = "none", timeout: float = 5.0, **fields: Any) -> Receiver:
    """Return an email receiver on loopback."""
    transport = SmtpTransport(
        server="127.0.0.1",
        port=port,
        security=security,
        sender="Egress <egressd@corp.example>",
        recipients=("net@corp.example", "ops@corp.example"),
    )
    return Receiver(
        name="mail", type="email", transport=dataclasses.replace(transport, **fields), timeout=timeout
    )


async def attempt(to: Receiver) -> DeliveryResult:
    """Deliver one notice, and check that the result shows no secret."""
    delivery = await deliver(to, (notice(),), dropped=0, rules=RULES)
    assert PASSWORD not in delivery.why
    assert ENCODED not in delivery.why
    assert delivery.ok or delivery.why
    return delivery


async def test_a_mail_arrives_whole() -> None:
    """A mail arrives with both recipients, the sender's bare address, and the names of 2000 targets."""
    handler = SmtpHandler()
    targets = tuple(f"endpoint-{n}.é.example:443" for n in range(2000))
    single = notice(NoticeKind.CHANGED, about=alert(condition=replace(CAUSE, targets=targets)))
    async with serving(handler) as port:
        delivery = await deliver(receiver(port), (single,), dropped=2, rules=RULES)
    assert delivery == DeliveryResult(ok=True, delivered=1)
    (got,) = handler.got
    assert (got.mail_from, got.rcpt_tos) == ("egressd@corp.example", ["net@corp.example", "ops@corp.example"])
    assert isinstance(got.content, bytes)
    body = message_from_bytes(got.content, policy=policy.default).get_content()
    assert set(targets) <= {line.strip() for line in body.splitlines()}
    assert "2 notifications before this one were dropped" in body


async def test_starttls_and_login(tls: ssl.SSLContext, ca_file: str) -> None:
    """STARTTLS comes first, then the login, then the mail."""
    handler = SmtpHandler()
    options: dict[str, Any] = {
        "tls_context": tls,
        "require_starttls": True,
        "authenticator": login,
        "auth_required": True,
    }
    async with serving(handler, **options) as port:
        to = receiver(port, "starttls", ca_file=ca_file, username="egressd", password=PASSWORD)
        delivery = await attempt(to)
    assert delivery.ok, delivery.why
    assert handler.ssl == [True]


async def test_a_wrong_password(tls: ssl.SSLContext, ca_file: str) -> None:
    """A wrong password is no word on the message, which waits; the server's reply does not leak it."""
    async with serving(SmtpHandler(), tls_context=tls, authenticator=login) as port:
        to = receiver(port, "starttls", ca_file=ca_file, username="wrong", password=PASSWORD)
        delivery = await attempt(to)
    assert (delivery.ok, delivery.retry) == (False, True)
    assert "refused the login: 535" in delivery.why


async def test_starttls_is_never_given_up() -> None:
    """Without STARTTLS nothing is sent, and the delivery is retried."""
    handler = SmtpHandler()
    async with serving(handler, authenticator=login, auth_require_tls=False) as port:
        delivery = await attempt(receiver(port, "starttls", username="egressd", password=PASSWORD))
    assert delivery.retry
    assert "does not offer STARTTLS; nothing is sent in the clear" in delivery.why
    assert handler.got == []


async def test_a_server_without_login() -> None:
    """A login at a server without authentication is an error that is reported."""
    async with serving(SmtpHandler()) as port:
        delivery = await attempt(receiver(port, username="egressd", password=PASSWORD))
    assert delivery.retry
    assert "offers no login" in delivery.why


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_untrusted_certificate(security: str, tls: ssl.SSLContext, tmp_path: Path) -> None:
    """Nothing is sent to a server whose certificate does not verify; the result says what to do."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    handler = SmtpHandler()
    options: dict[str, Any] = {"tls_context": tls} if security == "starttls" else {"implicit": tls}
    async with serving(handler, **options) as port:
        delivery = await attempt(receiver(port, security, ca_file=str(tmp_path / "other.pem")))
    assert delivery.retry
    assert "is not trusted" in delivery.why
    assert handler.got == []


async def test_implicit_tls(tls: ssl.SSLContext, ca_file: str) -> None:
    """Implicit TLS, as on port 465, works."""
    handler = SmtpHandler()
    async with serving(handler, implicit=tls) as port:
        delivery = await attempt(receiver(port, "tls", ca_file=ca_file))
    assert delivery.ok, delivery.why
    assert len(handler.got) == 1


async def test_a_missing_ca_file(tmp_path: Path) -> None:
    """A missing CA file is reported before anything is sent."""
    delivery = await attempt(receiver(9, "starttls", ca_file=str(tmp_path / "gone.pem")))
    assert delivery.retry
    assert "cannot use ca_file" in delivery.why


@pytest.mark.parametrize(
    ("handler", "ok", "retry", "words"),
    [
        (SmtpHandler(data="451 4.3.0 try later"), False, True, "refused the message: 451 4.3.0 try later"),
        (SmtpHandler(data="554 5.7.1 spam\x1b[31m"), False, False, "refused the message: 554 5.7.1 spam"),
        (
            SmtpHandler(rcpt={"net@corp.example": "550 5.1.1 unknown user"}),
            True,
            False,
            "refused 1 of the recipients",
        ),
        (
            SmtpHandler(
                rcpt=dict.fromkeys(("net@corp.example", "ops@corp.example"), "550 5.1.1 unknown user")
            ),
            False,
            True,
            "refused every recipient: 550 5.1.1 unknown user",
        ),
        (
            SmtpHandler(
                rcpt={"net@corp.example": "550 unknown user", "ops@corp.example": "450 4.2.0 greylisted"}
            ),
            False,
            True,
            "refused every recipient: 450 4.2.0 greylisted",
        ),
    ],
)
async def test_results_by_smtp_reply(handler: SmtpHandler, ok: bool, retry: bool, words: str) -> None:
    """Only a 5yz to the message is final; refused recipients are named, though the others got the mail."""
    async with serving(handler) as port:
        delivery = await attempt(receiver(port))
    assert (delivery.ok, delivery.retry) == (ok, retry)
    assert words in delivery.why
    assert delivery.why.isprintable()
    assert len(handler.got) == int(ok)


async def test_a_non_ascii_address() -> None:
    """An address the server can't take is named, and the mail waits until that is mended."""
    with_umlaut: dict[str, Any] = {"recipients": ("netz@corp.example", "bj\u00f6rn@corp.example")}
    async with serving(SmtpHandler(), enable_SMTPUTF8=False) as port:
        delivery = await attempt(receiver(port, **with_umlaut))
    assert (delivery.ok, delivery.retry) == (False, True)
    assert "SMTPUTF8" in delivery.why
    handler = SmtpHandler()
    async with serving(handler, enable_SMTPUTF8=True) as port:
        assert (await attempt(receiver(port, **with_umlaut))).ok
    assert handler.got[0].rcpt_tos == list(with_umlaut["recipients"])


async def test_a_slow_server() -> None:
    """A delivery that takes too long can be retried."""
    async with serving(SmtpHandler(wait=2.0)) as port:
        delivery = await attempt(receiver(port, timeout=0.5))
    assert delivery.retry
    assert "within 0.5 s" in delivery.why


async def test_an_unreachable_or_silent_server(unused_tcp_port: int) -> None:
    """A closed port, silence, a cut connection and another protocol are errors, each described."""

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def cut(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        return

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)

    delivery = await attempt(receiver(unused_tcp_port))
    assert delivery == DeliveryResult(
        ok=False, retry=True, why=f"127.0.0.1:{unused_tcp_port} can't be reached (connection refused)"
    )
    for talk in (silent, cut, other):
        async with listening(talk) as port:
            delivery = await attempt(receiver(port, timeout=0.5))
        assert delivery.retry, talk
        assert f"127.0.0.1:{port}" in delivery.why


async def test_a_connection_cut_after_the_mail_was_accepted_is_a_success() -> None:
    """A server that accepts the mail and closes without answering QUIT: the mail must not be sent twice."""
    taken: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(answer)
        taken.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 taken\r\n")
        await writer.drain()
        writer.transport.abort()

    async with listening(talk) as port:
        delivery = await attempt(receiver(port))
    assert delivery.ok, delivery.why
    assert len(taken) == 1
