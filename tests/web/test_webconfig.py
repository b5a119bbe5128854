"""The web configuration: supported keys are read, unsupported ones are refused by name."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.errors import ConfigError
from egressd.web.webconfig import ClientAuth, WebConfig, read_web_config

HASH = "$2y$04$" + "." * 21 + "O" + "." * 31
FULL = f"""
tls_server_config:
  cert_file: web.pem
  key_file: web.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.corp.example]
  min_version: TLS12
  max_version: TLS13
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  prometheus: "{HASH}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a certificate, its key and a CA."""
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "web.key")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "web.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Callable[[str], WebConfig]:
    def read(text: str) -> WebConfig:
        path = folder / "web.yml"
        path.write_text(text, encoding="utf-8")
        return read_web_config(path)

    return read


def problems_of(read: Callable[[str], WebConfig], text: str) -> tuple[str, ...]:
    try:
        read(text)
    except ConfigError as error:
        return error.problems
    return ()


def test_everything_is_read(read: Callable[[str], WebConfig], folder: Path) -> None:
    """Every supported key is read, and paths start at the folder of the file."""
    found = read(FULL)
    assert found.tls is not None
    assert found.tls.files == (folder / "web.pem", folder / "web.key", folder / "ca.pem")
    assert found.tls.client_auth is ClientAuth.REQUIRED
    assert found.tls.client_allowed_sans == ("prometheus.corp.example",)
    assert (found.tls.min_version, found.tls.max_version) == ("TLS12", "TLS13")
    assert dict(found.headers)["X-Frame-Options"] == "deny"
    assert found.users == (("prometheus", HASH),)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_is_the_default(read: Callable[[str], WebConfig], text: str) -> None:
    """As with other exporters: plain HTTP without login."""
    assert read(text) == WebConfig()


TLS = "tls_server_config:\n  cert_file: web.pem\n  key_file: web.key\n"
MISTAKES = [
    (TLS + "  cipher_suites: [TLS_RSA]\n", "web.yml:4: tls_server_config.cipher_suites: is not supported"),
    (TLS + "  curve_preferences: [X25519]\n", "tls_server_config.curve_preferences: is not supported"),
    (TLS + "  prefer_server_cipher_suites: true\n", "prefer_server_cipher_suites: is not supported"),
    ("tls_server_config:\n  cert: x\n  key: y\n", "tls_server_config.cert: is not supported; name a file"),
    ("rate_limit: {interval: 1s, burst: 2}\n", "web.yml:1: rate_limit: is not supported"),
    (
        TLS + "  cert_fle: x\n",
        "cert_fle: unknown key; did you mean 'cert_file'?",
    ),
    ("tls_server_config: {cert_file: web.pem}\n", "tls_server_config.key_file: is missing"),
    (TLS + "  client_auth_type: RequestClientCert\n", "cannot be RequestClientCert: OpenSSL"),
    (TLS + "  client_auth_type: RequireAnyClientCert\n", "cannot be RequireAnyClientCert: OpenSSL"),
    (TLS + "  client_auth_type: Maybe\n", "must be one of NoClientCert"),
    (TLS + "  client_auth_type: RequireAndVerifyClientCert\n", "needs client_ca_file"),
    (TLS + "  client_ca_file: ca.pem\n", "client_ca_file: has no effect without client_auth_type"),
    (TLS + "  client_allowed_sans: [x]\n", "client_allowed_sans: has no effect without client_auth_type"),
    (TLS + "  min_version: TLS10\n", "cannot be TLS10: egressd serves TLS 1.2 and later"),
    (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "min_version: is above max_version"),
    ("http_server_config: {http2: true}\n", "http_server_config.http2: cannot be true"),
    ("http_server_config: {headers: {Server: x}}\n", "headers.Server: cannot be set"),
    ("http_server_config: {headers: {X-Frame-Options: maybe}}\n", "must be deny or sameorigin"),
    ('http_server_config: {headers: {Content-Security-Policy: "a\\nb"}}\n', "must be one printable line"),
    ("basic_auth_users: {prometheus: secret}\n", "basic_auth_users.prometheus: must be a bcrypt hash"),
    (f'basic_auth_users: {{a: "{HASH.replace("$04$", "$20$")}"}}\n', "cost of at most 16"),
    (f'basic_auth_users: {{"a:b": "{HASH}"}}\n', "a name has no colon"),
    ("[]\n", "must be a mapping"),
    ("basic_auth_users: []\n", "basic_auth_users: must be a mapping"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_an_error_names_place_and_key(read: Callable[[str], WebConfig], text: str, said: str) -> None:
    """Each message has file, line and key, and what is wrong."""
    assert any(said in problem for problem in problems_of(read, text)), problems_of(read, text)


def test_all_errors_are_reported_at_once(read: Callable[[str], WebConfig]) -> None:
    """All errors are reported in one start."""
    text = TLS + "  cipher_suites: [x]\n  min_version: TLS9\nbasic_auth_users: {a: b}\n"
    assert len(problems_of(read, text)) == 3


def test_a_password_is_not_repeated(read: Callable[[str], WebConfig]) -> None:
    """A password written in place of its hash does not appear in the log."""
    assert "hunter2" not in " ".join(problems_of(read, "basic_auth_users: {a: hunter2}\n"))


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    """A path that can't be read is a ConfigError."""
    with pytest.raises(ConfigError, match=r"cannot read .*: No such file"):
        read_web_config(tmp_path / "nothing.yml")


@settings(max_examples=60)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_rejected(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Any content gives a configuration or a ConfigError."""
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(data)
    try:
        found: object = read_web_config(path)
    except ConfigError as error:
        found = error.problems
    assert found


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("text", [FULL, "", TLS])
def test_promtool_agrees(read: Callable[[str], WebConfig], folder: Path, text: str) -> None:
    """What egressd accepts, promtool accepts too."""
    read(text.replace("  client_allowed_sans: [prometheus.corp.example]\n", ""))  # younger than Debian's
    command = ["promtool", "check", "web-config", str(folder / "web.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


EXAMPLE = Path(__file__).parents[2] / "config" / "web.yml"


def test_the_shipped_example_is_valid(read: Callable[[str], WebConfig], folder: Path) -> None:
    """The example is valid as it is, and with everything in it enabled."""
    assert read_web_config(EXAMPLE).tls is None
    (folder / "clients.pem").write_bytes((folder / "ca.pem").read_bytes())
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    prose = re.compile(r"#( \S|$)")
    switched = [line if prose.match(line) else line.removeprefix("#") for line in lines]
    found = read("\n".join(switched))
    assert found.tls is not None
    assert found.tls.client_ca_file == folder / "clients.pem"
    assert [name for name, _ in found.users] == ["prometheus"]
