"""The proxy variables of the environment: read only when asked for, and as Go programs read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.config import Flags, load_settings
from egressd.config.environment import NEVER_PROXIED, read_environment
from egressd.errors import ConfigError, UsageError
from egressd.model.endpoint import Protocol
from egressd.model.settings import Settings, Traffic, proxy_for
from egressd.planning.path.bypass import bypass_entry

URL = "http://proxy.corp.example:3128"
CANARY = "c4n4ry-s3cret"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Return a function that reads a file in an environment of its own."""

    def read(text: str, flags: Flags | None = None, **environ: str) -> Settings:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
            for spelled in (name, name.lower()):
                monkeypatch.delenv(spelled, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "egressd.yml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path, flags or Flags())

    return read


def test_the_environment_is_not_read_unless_asked(load: Callable[..., Settings]) -> None:
    """A variable that happens to be set changes nothing."""
    assert load("", HTTPS_PROXY=URL, HTTP_PROXY=URL).proxy is None
    made = load(f"proxy: {{url: '{URL}'}}", HTTPS_PROXY="http://other:1", NO_PROXY="*")
    assert made.proxy is not None
    assert (made.proxy.url, made.proxy.bypass) == (URL, ())


def test_equal_variables_are_one_proxy(load: Callable[..., Settings]) -> None:
    """It carries everything, and names both variables as its origin."""
    made = load("proxy: {from_environment: true}", HTTPS_PROXY=URL, HTTP_PROXY="proxy.corp.example:3128")
    assert made.proxy is not None
    assert (made.proxy.url, made.proxy.carries, made.plain_proxy) == (URL, tuple(Traffic), None)
    assert made.proxy.origin == "HTTPS_PROXY, HTTP_PROXY"
    assert made.proxy.bypass == NEVER_PROXIED


def test_each_variable_is_for_its_own_scheme(load: Callable[..., Settings]) -> None:
    """Traffic without a variable goes direct; two different proxies each carry their own."""
    only = load("proxy: {from_environment: true}", HTTPS_PROXY=URL)
    assert proxy_for(Protocol.HTTPS, only.plain_proxy, only.proxy) is only.proxy
    assert proxy_for(Protocol.HTTP, only.plain_proxy, only.proxy) is None
    plain = load("proxy: {from_environment: true}", http_proxy=URL)
    assert proxy_for(Protocol.WSS, plain.plain_proxy, plain.proxy) is None
    assert proxy_for(Protocol.HTTP, plain.plain_proxy, plain.proxy) is plain.proxy
    both = load("proxy: {from_environment: true}", HTTPS_PROXY=URL, HTTP_PROXY="http://other:80")
    assert both.plain_proxy is not None
    assert proxy_for(Protocol.HTTP, both.plain_proxy, both.proxy) is both.plain_proxy
    assert both.plain_proxy.url == "http://other:80"


def test_upper_case_wins_and_a_difference_is_a_warning() -> None:
    """Programs do not agree on which one counts."""
    found = read_environment({"HTTPS_PROXY": URL, "https_proxy": "http://other:1"})
    assert found.proxy is not None
    assert found.proxy.url == URL
    assert any("HTTPS_PROXY and https_proxy differ" in one for one in found.warnings)


def test_no_variable_set_is_a_warning() -> None:
    """With from_environment and no variable set, a mistake is likely."""
    found = read_environment({"HTTPS_PROXY": "  "})
    assert found.proxy is None
    assert "neither HTTPS_PROXY nor HTTP_PROXY is set" in found.warnings[0]


@pytest.mark.parametrize(
    ("text", "host", "direct"),
    [
        ("corp.example", "vmm.corp.example", True),
        (".corp.example", "corp.example", False),
        ("*.corp.example", "vmm.corp.example", True),
        (" a.example , b.example ", "b.example", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("vmm.example:443", "vmm.example", True),
        ("vmm.example:80", "vmm.example", False),
        ("*", "anything.example", True),
        ("", "127.0.0.1", True),
        ("", "localhost", True),
        ("", "anything.example", False),
    ],
)
def test_no_proxy_is_read_as_the_agents_read_it(text: str, host: str, *, direct: bool) -> None:
    """Loopback always bypasses the proxy."""
    found = read_environment({"HTTPS_PROXY": URL, "NO_PROXY": text})
    assert found.proxy is not None
    assert bool(bypass_entry(host, 443, found.proxy.bypass)) is direct


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.example,,b.example", "two commas in a row"),
        ("a.example,", "two commas in a row, or one at an end"),
        ("a.example, b.example", "spaces beside its commas"),
        ("<local>,a.example", "<local> matches nothing"),
        ("a.example;b.example", "a.example;b.example matches nothing"),
        ("a b", "a b matches nothing"),
    ],
)
def test_warnings_of_no_proxy(text: str, said: str) -> None:
    """Entries that do not do what they seem to are warned of; a valid list is not."""
    assert any(said in one for one in read_environment({"HTTPS_PROXY": URL, "NO_PROXY": text}).warnings)
    sound = "a.example,.b.example,10.0.0.0/8,10.1.2.3/8,[fd00::1]:443,c.example:8443"
    assert read_environment({"HTTPS_PROXY": URL, "NO_PROXY": sound}).warnings == ()


def test_credentials_of_the_url_are_kept_and_never_shown(load: Callable[..., Settings]) -> None:
    """They are decoded and used; URL, repr, digest and warnings do not contain them."""
    made = load("proxy: {from_environment: true}", HTTPS_PROXY=f"http://svc:{CANARY}%40x@proxy:3128")
    assert made.proxy is not None
    assert (made.proxy.url, made.proxy.username, made.proxy.password) == (
        "http://proxy:3128",
        "svc",
        f"{CANARY}@x",
    )
    assert CANARY not in repr(made)
    other = load("proxy: {from_environment: true}", HTTPS_PROXY="http://svc:else@proxy:3128")
    assert made.digest == other.digest


def test_credentials_of_the_file_win(load: Callable[..., Settings], tmp_path: Path) -> None:
    """A password file may stand beside the environment's proxy, for both of its proxies."""
    (tmp_path / "password").write_text("hunter2\n", encoding="utf-8")
    text = "proxy: {from_environment: true, username: svc, password_file: password}"
    made = load(text, HTTPS_PROXY="http://a:b@proxy:1", HTTP_PROXY="http://other:2")
    assert made.proxy is not None
    assert made.plain_proxy is not None
    assert (made.proxy.username, made.proxy.password) == ("svc", "hunter2")
    assert (made.plain_proxy.username, made.plain_proxy.password) == ("svc", "hunter2")


@pytest.mark.parametrize(
    "value",
    [
        f"socks5://u:{CANARY}@proxy:1080",
        f"http://u:{CANARY}@proxy:port",
        f"http://u:{CANARY}@[proxy",
        f"http://u:{CANARY}@proxy/path",
        f"http://u:{CANARY}/x@proxy",
        f"http://u:{CANARY}#@proxy",
        f"http://http://u:{CANARY}@proxy:1",
        f"http://u:{CANARY}@pro xy:1",
    ],
)
def test_a_wrong_url_is_not_shown(value: str) -> None:
    """The message names the variable and not its value."""
    with pytest.raises(ConfigError) as caught:
        read_environment({"HTTPS_PROXY": value})
    assert "HTTPS_PROXY (proxy.from_environment): must " in str(caught.value)
    assert CANARY not in str(caught.value)


@given(st.dictionaries(st.sampled_from(["HTTPS_PROXY", "http_proxy", "NO_PROXY"]), st.text(max_size=60)))
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    """No value crashes."""
    try:
        found = read_environment(environ)
    except ConfigError:
        return
    if found.proxy is not None:
        assert "@" not in found.proxy.url


def test_flags(load: Callable[..., Settings]) -> None:
    """`--proxy env` asks for the environment, `--proxy URL` and `none` do not."""
    asked = load("", Flags(proxy="env"), HTTPS_PROXY=URL, HTTP_PROXY=URL)
    assert asked.proxy is not None
    assert asked.proxy.url == URL
    text = "proxy: {from_environment: true}"
    assert load(text, Flags(proxy="none"), HTTPS_PROXY=URL).proxy is None
    other = load(text, Flags(proxy="http://other:1"), HTTPS_PROXY=f"http://u:{CANARY}@proxy:1", NO_PROXY="x")
    assert other.proxy is not None
    assert (other.proxy.url, other.proxy.password, other.plain_proxy) == ("http://other:1", None, None)
    assert other.proxy.bypass == ("x", *NEVER_PROXIED)


def test_comparing_paths_needs_a_proxy(load: Callable[..., Settings]) -> None:
    """--compare-paths without a proxy is wrong usage."""
    with pytest.raises(UsageError, match="--compare-paths needs a proxy"):
        load("", Flags(compare_paths=True))
    assert load(f"proxy: {{url: '{URL}'}}", Flags(compare_paths=True)).compare_paths
