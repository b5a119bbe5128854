"""The configuration file: every mistake is reported at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.config import Flags, load_settings
from egressd.config.daemon import File
from egressd.config.load import digest, find_file
from egressd.config.schema import DAEMON_SECTIONS, EndpointPart, ProxyPart, SourcePart, SweepFile
from egressd.errors import ConfigError, ExitCode
from egressd.model.endpoint import Cloud, Expect, Inspection, Need, Protocol, Role
from egressd.model.settings import ConnectTo, Family, Override, Resolver, Settings, Source
from egressd.notify.receivers import BY_TYPE

CATALOG = load_catalog()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Settings]:
    def read(text: str) -> Settings:
        path = tmp_path / "egressd.yml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path, Flags(), catalog=CATALOG)

    return read


@pytest.fixture
def problems(tmp_path: Path, load: Callable[[str], Settings]) -> Callable[[str], list[str]]:
    """Return the problems of a text, without the folder in front of the file's name."""

    def read(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        assert caught.value.exit_code is ExitCode.CONFIG
        return [one.replace(f"{tmp_path}/", "") for one in caught.value.problems]

    return read


def test_no_file_is_needed() -> None:
    """Without a file the defaults hold, and have a digest."""
    made = load_settings(None, Flags())
    assert replace(made, digest="") == Settings()
    assert len(made.digest) == 64


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "---\n"])
def test_an_empty_file_is_the_defaults(load: Callable[[str], Settings], text: str) -> None:
    """What a file leaves out is as without a file."""
    assert load(text) == load_settings(None, Flags())


def test_every_key_is_read(load: Callable[[str], Settings], tmp_path: Path) -> None:
    """Every key sets its field of the settings."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "password").write_text("hunter2\n", encoding="utf-8")
    made = load(FULL)
    assert (made.region, made.cloud, made.profiles) == ("usgovvirginia", Cloud.USGOV, ("connected-machine",))
    assert made.interval == 90.0
    assert made.sources == (
        Source(name="a", address="10.20.0.11", roles=(Role.APPLIANCE,)),
        Source(name="m", interface="eth0"),
    )
    assert made.resolvers == (
        Resolver(name="system"),
        Resolver(name="10.0.0.53", address="10.0.0.53", port=53),
        Resolver(name="[fd00::53]:5353", address="fd00::53", port=5353),
    )
    assert (made.trust.store, made.trust.public_roots) == (str(tmp_path / "ca.pem"), "bundled")
    assert made.proxy is not None
    assert (made.proxy.url, made.proxy.bypass) == ("http://proxy.corp.example:3128", (".corp", "10.0.0.0/8"))
    assert (made.proxy.username, made.proxy.password) == ("svc", "hunter2")
    assert made.proxy.ca_file == str(tmp_path / "ca.pem")
    assert (made.limits.concurrency, made.limits.families, made.limits.attempts) == (8, (Family.IPV4,), 3)
    assert (made.limits.connect_timeout, made.limits.sweep_deadline) == (0.5, 300.0)
    scvmm, mirror = made.endpoints
    assert (scvmm.pattern, scvmm.port, scvmm.protocol, scvmm.internal) == (
        "vmm01.corp.example",
        8443,
        Protocol.HTTPS,
        True,
    )
    assert scvmm.expect == Expect(status=(200, 404), content_type="text/html", min_bytes=10)
    assert (mirror.pattern, mirror.samples.documented) == ("*.mirror.corp", ("deb.mirror.corp",))
    assert (mirror.need, mirror.condition) == (Need.CONDITIONAL, "if used")
    assert made.overrides == (
        Override(match="adhs.*", need=Need.OPTIONAL, inspection=Inspection.TOLERATED),
        Override(match="cm-portal", skip=True),
    )
    assert made.connect_to == (ConnectTo(match="*:443", address="127.0.0.1", port=10443),)
    assert made.values == (("key_vault", "one"), ("key_vault", "two"))


FULL = """
region: usgovvirginia
cloud: usgov
profiles: [connected-machine]
interval: 1m30s
sources:
  - {name: a, address: 10.20.0.11, roles: [appliance]}
  - {name: m, interface: eth0}
resolvers: [system, 10.0.0.53, "[fd00::53]:5353"]
trust: {store: ca.pem}
proxy:
  url: http://proxy.corp.example:3128/
  bypass: [.corp, 10.0.0.0/8]
  ca_file: ca.pem
  username: svc
  password_file: password
probe: {concurrency: 8, families: [ipv4], attempts: 3, connect_timeout: 500ms, sweep_deadline: 5m}
endpoints:
  - id: scvmm
    host: VMM01.corp.example
    port: 8443
    protocol: https
    internal: true
    expect: {status: [200, 404], content_type: text/html, min_bytes: 10}
  - id: mirror
    pattern: "*.mirror.corp"
    samples: [deb.mirror.corp]
    port: 80
    protocol: http
    need: conditional
    condition: if used
overrides:
  - {match: "adhs.*", need: optional, inspection: tolerated}
  - {match: cm-portal, skip: true}
connect_to:
  - {match: "*:443", address: 127.0.0.1, port: 10443}
values: {key_vault: [one, two]}
web: {listen: ":10980"}
state: {directory: /var/lib/egressd, retention: 90d}
"""

MISTAKES = [
    (row["text"], row["said"])
    for row in yaml.safe_load(Path(__file__).with_name("mistakes.yml").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_has_line_and_key(problems: Callable[[str], list[str]], text: str, said: str) -> None:
    """One mistake, one line: where, which key, what is wrong, and a suggestion."""
    (found,) = problems(text)
    assert found.startswith(f"egressd.yml:{said}")
    if not said.endswith(" "):
        assert found == f"egressd.yml:{said}"


def test_all_mistakes_at_once(problems: Callable[[str], list[str]]) -> None:
    """No mistake hides another, whatever kind they are of, and they come in the order of the file."""
    text = """\
regoin: x
interval: 60
sources: [{name: a}, {name: a, address: nope}]
proxy: {url: 'ftp://x', username: y}
endpoints:
  - {id: x, port: 0, protocol: https}
  - {id: x, host: a, port: 1, protocol: tls, samples: [b]}
values: {nope: "a b"}
interval: 5m
"""
    places = [one.split(": ")[:2] for one in problems(text)]
    assert places == [
        ["egressd.yml:1", "regoin"],
        ["egressd.yml:2", "interval"],
        ["egressd.yml:3", "sources[1].name"],
        ["egressd.yml:3", "sources[1].address"],
        ["egressd.yml:4", "proxy.username"],
        ["egressd.yml:4", "proxy.url"],
        ["egressd.yml:6", "endpoints[0]"],
        ["egressd.yml:6", "endpoints[0].port"],
        ["egressd.yml:7", "endpoints[1].id"],
        ["egressd.yml:7", "endpoints[1].samples"],
        ["egressd.yml:8", "values.nope"],
        ["egressd.yml:8", "values.nope"],
        ["egressd.yml:9", "interval"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "proxy: {url: 'http://u:hunter2@p:1'}",
        "proxy: 'http://u:hunter2@p:1'",
        "proxy: ['http://u:hunter2@p:1']",
        "proxy: {url: ['http://u:hunter2@p:1']}",
        "proxy: {url: 'http://u:hunter2@p:port'}",
        "proxy: {url: 'http://u:hunter2@[p'}",
        "proxy: {url: 'http://p:1', password: hunter2}",
        "notify: 'https://hook/hunter2'",
    ],
)
def test_a_secret_is_never_repeated(problems: Callable[[str], list[str]], text: str) -> None:
    """A password or webhook in the wrong place is refused without being shown."""
    found = problems(text)
    assert found
    assert "hunter2" not in "\n".join(found)


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * 5000, b"nul\0"])
def test_a_password_file_holds_one_line(
    problems: Callable[[str], list[str]], tmp_path: Path, content: bytes
) -> None:
    """What can't be a password is refused at load, and its content is not shown."""
    (tmp_path / "password").write_bytes(content)
    (found,) = problems("proxy: {url: 'http://p:1', username: u, password_file: password}")
    assert "proxy.password_file: cannot use password: " in found
    assert "lines" not in found


def test_the_digest_covers_settings_without_secrets(load: Callable[[str], Settings], tmp_path: Path) -> None:
    """Equal settings have one digest, other ones another; the password does not count."""
    text = "region: westeurope\nproxy: {url: 'http://p:1', username: u, password_file: password}\n"
    (tmp_path / "password").write_text("hunter2", encoding="utf-8")
    first = load(text)
    (tmp_path / "password").write_text("two", encoding="utf-8")
    assert load(f"# a comment\n{text}").digest == first.digest == digest(first)
    assert load(text.replace("westeurope", "northeurope")).digest != first.digest
    assert "hunter2" not in repr(first)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_path_that_is_no_file_is_a_mistake(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A missing file and a folder are configuration errors, not tracebacks."""
    path = tmp_path / "egressd.yml"
    make(path)
    with pytest.raises(ConfigError, match=f"cannot read {path}: "):
        load_settings(path, Flags())


def test_text_that_is_not_utf8_is_a_mistake(tmp_path: Path) -> None:
    """The line of the first bad byte is named."""
    path = tmp_path / "egressd.yml"
    path.write_bytes(b"region: westeurope\ncloud: \xff\n")
    with pytest.raises(ConfigError, match=r":2: not UTF-8 text"):
        load_settings(path, Flags())


def test_the_default_file_is_used_where_it_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named file wins; the default one counts only if it is there."""
    default = tmp_path / "default.yml"
    monkeypatch.setattr("egressd.config.load.DEFAULT_PATH", default)
    assert find_file(None) is None
    default.write_text("", encoding="utf-8")
    assert find_file(None) == default
    assert find_file(tmp_path / "other.yml") == tmp_path / "other.yml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("region: westeurop", "did you mean westeurope"),
        ("region: usgovvirginia", "is a region of cloud usgov"),
        ("region: newregion", "--allow-unknown-region is for regions newer than the catalog"),
    ],
)
def test_an_unknown_region_is_a_mistake(tmp_path: Path, text: str, said: str) -> None:
    """A typing mistake would look like a firewall."""
    path = tmp_path / "egressd.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_settings(path, Flags(), catalog=CATALOG)
    path.write_text("region: westeurope", encoding="utf-8")
    assert load_settings(path, Flags(), catalog=CATALOG).warnings == ()


def test_the_shipped_example_is_the_defaults() -> None:
    """The values in the shipped file are the defaults."""
    shipped = load_settings(ROOT / "config" / "egressd.yml", Flags(), catalog=CATALOG)
    assert replace(shipped, profiles_chosen=False) == load_settings(None, Flags())


def test_every_example_in_the_shipped_file_is_right(load: Callable[[str], Settings], tmp_path: Path) -> None:
    """With every commented key switched on the file still loads; only the files it names have to be made."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "proxy-ca.pem"))
    (tmp_path / "web.yml").write_text("", encoding="utf-8")
    lines = (ROOT / "config" / "egressd.yml").read_text(encoding="utf-8").splitlines()
    for name in re.findall(r"_file: /etc/egressd/([a-z-]+)(?![a-z.-])", "\n".join(lines)):
        (tmp_path / name).write_text("https://hooks.example/x" if "url" in name else "x", encoding="utf-8")
    text = "\n".join(line[1:] if line[:1] == "#" and not _is_prose(line) else line for line in lines)
    made = load(text.replace("/etc/egressd/", f"{tmp_path}/"))
    assert made.region == "westeurope"
    assert made.proxy is not None
    assert [len(one) for one in (made.sources, made.endpoints, made.overrides, made.values)] == [3, 2, 2, 2]
    assert made.arc_gateway is not None
    assert {one.type for one in made.notify.receivers} == set(BY_TYPE)
    assert (len(made.notify.routes), len(made.alerting.maintenance)) == (4, 1)
    assert not [one for one in made.warnings if "proxy" not in one]


def _is_prose(line: str) -> bool:
    """A comment has one space after its `#`; an example none, or the two of its indentation."""
    return line == "#" or (line.startswith("# ") and not line.startswith("#  "))


KEYS = st.sampled_from(
    [*File.model_fields, *EndpointPart.model_fields, *ProxyPart.model_fields, *SourcePart.model_fields]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(data=st.dictionaries(KEYS, JUNK, max_size=6))
def test_any_data_is_settings_or_mistakes(load: Callable[[str], Settings], data: dict[str, object]) -> None:
    """No value in any place leads to another exception, and no mistake is without its place."""
    places = _problems_of(load, yaml.safe_dump(data))
    assert all("egressd.yml:" in one for one in places)


@settings(max_examples=100)
@given(text=st.text(max_size=80))
def test_any_text_is_settings_or_mistakes(load: Callable[[str], Settings], text: str) -> None:
    """No text leads to another exception."""
    assert "" not in _problems_of(load, text)


def _problems_of(load: Callable[[str], Settings], text: str) -> tuple[str, ...]:
    try:
        load(text)
    except ConfigError as error:
        return error.problems or ("",)
    return ()


def test_the_state_folder_is_found_from_the_file(tmp_path: Path) -> None:
    """A relative folder starts at the folder of the configuration; it need not be there yet."""
    path = tmp_path / "egressd.yml"
    path.write_text("state: {directory: kept, retention: 7d}\n", encoding="utf-8")
    settings = load_settings(path, Flags())
    assert settings.state.directory == str(tmp_path / "kept")
    assert settings.state.retention == 7 * 86400.0


@pytest.mark.parametrize("key", sorted(DAEMON_SECTIONS))
def test_an_empty_section_of_the_daemon_changes_nothing(tmp_path: Path, key: str) -> None:
    """A file without a section of the daemon means what one does whose section is empty."""
    without, with_one = tmp_path / "without.yml", tmp_path / "with.yml"
    without.write_text("region: westeurope\n", encoding="utf-8")
    with_one.write_text(f"region: westeurope\n{key}: {{}}\n", encoding="utf-8")
    assert load_settings(without) == load_settings(with_one)


@pytest.mark.parametrize("key", sorted(DAEMON_SECTIONS))
def test_a_misspelt_section_of_the_daemon_is_answered_with_its_name(tmp_path: Path, key: str) -> None:
    """Keys of the daemon are suggested also where a file has none of them."""
    file = tmp_path / "file.yml"
    file.write_text(f"{key}s: {{}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        load_settings(file)
    assert found.value.problems == (f"{file}:1: {key}s: unknown key; did you mean {key!r}?",)


def test_a_file_of_a_sweep_has_no_key_of_the_daemon() -> None:
    """`DAEMON_SECTIONS` are the keys that the whole file has beside those of a sweep."""
    assert set(File.model_fields) - set(SweepFile.model_fields) == DAEMON_SECTIONS
