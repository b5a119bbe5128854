"""The web configuration: TLS, client certificates, passwords and headers, and their reload."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import aiohttp
import bcrypt
import pytest
import trustme

from egressd.errors import ConfigError, ListenError
from egressd.net.sockets.listening import split_listen
from egressd.web import serve
from egressd.web.login import Login
from tests.web.conftest import Running, Start, until

PASSWORD = "correct horse"


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$", 1)


@pytest.fixture
def ca(tmp_path: Path) -> trustme.CA:
    """A CA with a server certificate in the test's folder."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    issue(ca, tmp_path)
    return ca


def issue(ca: trustme.CA, folder: Path) -> None:
    issued = ca.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "web.key")
    issued.cert_chain_pems[0].write_to_path(folder / "web.pem")


def client(ca: trustme.CA, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    if name is not None:
        ca.issue_cert(name).configure_cert(context)
    return context


def write(folder: Path, text: str) -> str:
    path = folder / "web.yml"
    path.write_text(text)
    return str(path)


def make_blocking_file(path: str) -> None:
    """Make a file whose read blocks: a pipe without a writer."""
    Path(path).unlink()
    os.mkfifo(path)


TLS = "tls_server_config: {cert_file: web.pem, key_file: web.key}\n"


async def ask(running: Running, context: ssl.SSLContext, path: str = "/-/healthy") -> int:
    url = running.url(path, scheme="https")
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as answer:
        await answer.read()
        return answer.status


async def test_tls(start: Start, ca: trustme.CA, tmp_path: Path) -> None:
    """With a certificate the server accepts TLS only."""
    running = await start(config_file=write(tmp_path, TLS))
    assert await ask(running, client(ca)) == 200
    with pytest.raises(aiohttp.ClientError):
        await running.get("/-/healthy")


async def test_tls_versions(start: Start, ca: trustme.CA, tmp_path: Path) -> None:
    """A client below the minimum version is rejected."""
    running = await start(
        config_file=write(tmp_path, TLS.replace("web.key}", "web.key, min_version: TLS13}"))
    )
    old = client(ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await ask(running, client(ca)) == 200
    with pytest.raises(aiohttp.ClientError):
        await ask(running, old)


MUTUAL = (
    "tls_server_config:\n  cert_file: web.pem\n  key_file: web.key\n  client_ca_file: ca.pem\n"
    "  client_auth_type: {kind}\n  client_allowed_sans: [prometheus.example]\n"
)


@pytest.mark.parametrize(
    "case",
    [
        ("RequireAndVerifyClientCert", "prometheus.example", 200),
        ("RequireAndVerifyClientCert", "other.example", 403),
        ("RequireAndVerifyClientCert", None, 0),
        ("VerifyClientCertIfGiven", None, 200),
        ("VerifyClientCertIfGiven", "other.example", 403),
    ],
)
async def test_client_certificates(
    start: Start, ca: trustme.CA, tmp_path: Path, case: tuple[str, str | None, int]
) -> None:
    """Only a certificate of the CA with an allowed name is accepted."""
    kind, name, status = case
    running = await start(config_file=write(tmp_path, MUTUAL.format(kind=kind)))
    if status:
        assert await ask(running, client(ca, name)) == status
    else:
        with pytest.raises(aiohttp.ClientError):
            await ask(running, client(ca, name))


async def test_another_ca_is_not_trusted(start: Start, ca: trustme.CA, tmp_path: Path) -> None:
    """A client certificate of another CA fails the handshake."""
    running = await start(config_file=write(tmp_path, MUTUAL.format(kind="RequireAndVerifyClientCert")))
    other = client(ca)
    trustme.CA().issue_cert("prometheus.example").configure_cert(other)
    with pytest.raises(aiohttp.ClientError):
        await ask(running, other)


async def test_passwords(start: Start, tmp_path: Path) -> None:
    """Every page needs the password, health pages included; a wrong one is answered like a missing one."""
    running = await start(config_file=write(tmp_path, f'basic_auth_users: {{ops: "{hashed(PASSWORD)}"}}\n'))
    good = {"headers": {"Authorization": aiohttp.encode_basic_auth("ops", PASSWORD)}}
    for path in ("/-/healthy", "/metrics"):
        assert (await running.get(path, **good))[0] == 200
        assert (await running.get(path))[0] == 401
    for user, password in (("ops", "wrong"), ("nobody", PASSWORD), ("", "")):
        bad = {"headers": {"Authorization": aiohttp.encode_basic_auth(user, password)}}
        assert (await running.get("/metrics", **bad))[0] == 401
    for header in ("Basic !!!", "Basic", "Bearer x", "Basic " + "A" * 8000):
        assert (await running.get("/metrics", headers={"Authorization": header}))[0] == 401


async def test_a_password_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt runs for the first correct login only, and for every wrong one."""
    counted = []
    original = bcrypt.checkpw

    def count(password: bytes, known: bytes) -> bool:
        counted.append(password)
        return original(password, known)

    monkeypatch.setattr(bcrypt, "checkpw", count)
    login = Login((("ops", hashed(PASSWORD)),))
    for _ in range(3):
        assert await login.admits(aiohttp.encode_basic_auth("ops", PASSWORD), "")
    assert len(counted) == 1
    for _ in range(2):
        assert not await login.admits(aiohttp.encode_basic_auth("nobody", PASSWORD), "")
    assert len(counted) == 3


async def test_a_long_password_is_no_error() -> None:
    """A password of more than 72 bytes, bcrypt's limit, is no error."""
    login = Login((("ops", hashed("x" * 72)),))
    assert await login.admits(aiohttp.encode_basic_auth("ops", "x" * 100), "")
    assert not await login.admits(aiohttp.encode_basic_auth("ops", "x" * 71 + "\0"), "")


async def test_a_flood_of_logins_is_rejected(start: Start, tmp_path: Path) -> None:
    """Beyond a few waiting logins the response is 503 at once."""
    running = await start(config_file=write(tmp_path, f'basic_auth_users: {{ops: "{hashed("x")}"}}\n'))
    found: list[int] = []

    async def guess(number: int) -> None:
        bad = {"Authorization": aiohttp.encode_basic_auth("ops", str(number))}
        found.append((await running.get("/metrics", headers=bad))[0])

    async with asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(guess(number))
    assert set(found) <= {401, 503}
    assert 401 in found


async def test_headers_are_added(start: Start, tmp_path: Path) -> None:
    """The configured headers are on every response, errors included."""
    text = "http_server_config:\n  headers: {X-Frame-Options: deny, Content-Security-Policy: sandbox}\n"
    running = await start(config_file=write(tmp_path, text))
    for path in ("/", "/nothing"):
        async with running.session.get(running.url(path)) as answer:
            assert answer.headers["X-Frame-Options"] == "deny"
            assert answer.headers["Content-Security-Policy"] == "sandbox"


async def test_files_are_read_again(
    start: Start, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewed certificate serves the next connection; the port is never closed in between."""
    monkeypatch.setattr(serve, "CHECK_EVERY", 0.05)
    running = await start(config_file=write(tmp_path, TLS))
    before = running.server.addresses
    fresh = trustme.CA()
    issue(fresh, tmp_path)
    context, old = running.server.access.rules.context, client(ca)
    await until(lambda: running.server.access.rules.context is not context)
    await asyncio.sleep(0.1)
    assert running.server.addresses == before
    assert await ask(running, client(fresh)) == 200
    with pytest.raises(aiohttp.ClientError):
        await ask(running, old)


async def test_an_invalid_change_keeps_the_active_rules(
    start: Start, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incomplete certificate or a typo leaves the active rules unchanged."""
    monkeypatch.setattr(serve, "CHECK_EVERY", 0.05)
    path = write(tmp_path, TLS)
    running = await start(config_file=path)
    for change in (lambda: write(tmp_path, "tls_server_config: {}\n"), (tmp_path / "web.pem").unlink):
        change()
        await asyncio.sleep(0.2)
        assert await ask(running, client(ca)) == 200
        config = running.holder.current.config
        assert (config.successful, config.refused) == (False, ())
    issue(ca, tmp_path)
    write(tmp_path, "")
    await until(lambda: running.server.access.rules.context is None)
    await asyncio.sleep(0.1)
    assert (await running.get("/-/healthy"))[0] == 200
    assert running.holder.current.config.successful


async def test_a_blocking_read_of_a_file_stops_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blocking read blocks a thread only; the server goes on with the active rules."""
    monkeypatch.setattr(serve, "CHECK_EVERY", 0.05)
    path = write(tmp_path, "")
    running = await start(config_file=path)
    make_blocking_file(path)
    await asyncio.sleep(0.3)
    assert (await running.get("/-/healthy"))[0] == 200
    write(tmp_path, "")  # the read returns at last


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls_server_config: {cert_file: ca.pem, key_file: web.key}\n", "key values mismatch"),
        ("tls_server_config: {cert_file: nothing, key_file: web.key}\n", "No such file"),
        ("tls_server_config: {cert_file: web.yml, key_file: web.key}\n", "web.yml and"),
    ],
)
async def test_a_certificate_that_cannot_be_used(
    start: Start, ca: trustme.CA, tmp_path: Path, text: str, message: str
) -> None:
    """The server does not start without its configured TLS."""
    with pytest.raises(ConfigError, match=message):
        await start(config_file=write(tmp_path, text))


async def test_a_port_that_is_taken(start: Start) -> None:
    """A port in use is a user error, not a traceback."""
    running = await start()
    taken = running.server.addresses[0]
    with pytest.raises(ListenError, match=f"cannot listen on {taken}"):
        await serve.serve(
            running.holder,
            type(running.holder.current.settings)(
                web=type(running.holder.current.settings.web)(listen=taken)
            ),
            running.intents,
            catalog=running.server.catalog,
        )


@pytest.mark.parametrize(
    ("text", "place"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80)), (":80", (None, 80))],
)
def test_where_to_listen(text: str, place: tuple[str | None, int]) -> None:
    """The listen address is an address, an IPv6 address in brackets, or every address."""
    assert split_listen(text) == place
