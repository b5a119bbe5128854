"""`--http.config.file`: what Prometheus' clients take is read strictly, and no message shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from egressd.errors import ConfigError
from egressd.prometheus.httpconfig import HttpConfig, read_http_config


def read(folder: Path, text: str) -> HttpConfig:
    path = folder / "http.yml"
    path.write_text(text, encoding="utf-8")
    return read_http_config(path)


def problems(folder: Path, text: str) -> tuple[str, ...]:
    """Return the mistakes of a file, without its path."""
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    return tuple(one.removeprefix(f"{folder / 'http.yml'}:") for one in raised.value.problems)


def test_a_login_by_name_and_password(tmp_path: Path) -> None:
    """The password alone in a file beside the configuration, or written in it."""
    (tmp_path / "secret").write_text("pa:ss\n")
    for given in ("password_file: secret", 'password: "pa:ss"'):
        found = read(tmp_path, f"basic_auth:\n  username: me\n  {given}\n")
        assert found.headers == (("Authorization", "Basic bWU6cGE6c3M="),)
        assert {"pa:ss", "bWU6cGE6c3M="} <= set(found.secrets)


def test_a_token_and_headers(tmp_path: Path) -> None:
    """A tenant's header, as Mimir asks for, goes beside the token."""
    (tmp_path / "token").write_text("sesame")
    found = read(
        tmp_path,
        "authorization: {credentials_file: token}\n"
        "http_headers: {X-Scope-OrgID: {values: [fleet]}, X-Key: {secrets: [opens]}}\n"
        "proxy_url: http://proxy.corp.example:3128\nfollow_redirects: false\nenable_http2: false\n"
        "tls_config: {ca_file: ca.pem, server_name: prometheus.corp.example}\n",
    )
    assert found.headers == (
        ("Authorization", "Bearer sesame"),
        ("X-Scope-OrgID", "fleet"),
        ("X-Key", "opens"),
    )
    assert found.secrets == ("sesame", "opens")
    assert (found.proxy, found.follow_redirects) == ("http://proxy.corp.example:3128", False)
    assert (found.ca_file, found.server_name) == (tmp_path / "ca.pem", "prometheus.corp.example")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """As for Prometheus' own clients."""
    assert read(tmp_path, "") == HttpConfig()


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """Unknown keys with the nearest known one, keys that can't be honoured with what to write instead."""
    found = problems(
        tmp_path,
        "basic_auth: {usrname: me}\nbearer_token: opensesame\noauth2: {}\n"
        "tls_config: {ca: x, min_version: TLS13}\nproxy_url: ftp://x\n",
    )
    assert len(found) == 7
    text = "\n".join(found)
    for words in (
        "1: basic_auth.usrname: unknown key; did you mean 'username'?",
        "1: basic_auth.username: is missing",
        "2: bearer_token: is not supported; write authorization",
        "3: oauth2: is not supported",
        "4: tls_config.ca: is not supported; name a file in ca_file",
        "4: tls_config.min_version: is not supported",
        "5: proxy_url: must start with http:// or https://",
    ):
        assert words in text
    assert "opensesame" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("basic_auth: {username: a}", "needs either password_file or password"),
        ("basic_auth: {username: a, password: b, password_file: c}", "needs either password_file or"),
        ("authorization: {}", "needs either credentials_file or credentials"),
        ("authorization: {type: Basic, credentials: x}", "cannot be Basic; use basic_auth"),
        ("basic_auth: {username: a, password: b}\nauthorization: {credentials: c}", "beside basic_auth"),
        ("authorization: {credentials_file: absent}", "No such file"),
        ("tls_config: {cert_file: a}", "needs cert_file and key_file, or neither"),
        ("tls_config: {ca_file: a, insecure_skip_verify: true}", "has no effect beside insecure"),
        ("http_headers: {Authorization: {values: [a]}}", "cannot be set here"),
        ('http_headers: {"a b": {values: [a]}}', "is no name of a header"),
        ("http_headers: {X-A: {}}", "needs values, secrets or files"),
        ('http_headers: {X-A: {values: ["a\\r\\nb"]}}', "must be one printable line"),
        ("- a", "must be a mapping"),
    ],
)
def test_rules_across_keys(tmp_path: Path, text: str, words: str) -> None:
    """What can't be meant is a mistake, where it stands."""
    assert words in "\n".join(problems(tmp_path, text))


def test_a_secret_of_a_wrong_type_is_not_shown(tmp_path: Path) -> None:
    """A password of digits is a number in YAML: the message must not repeat it."""
    found = problems(
        tmp_path, "basic_auth: {username: a, password: 80085}\nauthorization: {credentials: [q1]}"
    )
    assert all("put it in quotes" in one for one in found)
    assert "80085" not in str(found)
    assert "q1" not in str(found)
