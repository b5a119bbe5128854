"""The same files read by apt itself: it must name the same addresses and the same values."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.repositories.apt.configuration import read_apt_configuration
from egressd.repositories.apt.read import read_apt
from egressd.repositories.files import HostFiles
from egressd.repositories.url import RepositoryUrl, parse_repository_url
from tests.repositories.conftest import FakeHost

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")

SUITES = ("bookworm", "bookworm-security", "stable/updates")
FLAT = ("./", "/", "amd64/", "$(ARCH)/")
ADDRESSES = (
    "http://m.corp.example/debian",
    "https://n.corp.example:8443/x/",
    "http://u:p@o.corp.example/",
    "http://p.corp.example/$(ARCH)/",
    "http://q.corp.example/a%20b",
    "http://[2001:db8::1]:81/z",
)
NAMES = ("a.list", "b.sources", "c.list.bak", "d~.list", ".e.list", "f g.list")
SETTINGS = (
    "Acquire::http::Proxy", "acquire::HTTP::Proxy::m.corp.example", "Acquire::https::Proxy", "Foo::Bar"
)  # fmt: skip
WORDS = ('"http://a.example:1"', "DIRECT", '"a b"', '"x{y;}"', '"//no comment"', '"#none"')


def apt(program: str, *arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of apt on the files below a folder."""
    for folder in ("etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True, exist_ok=True)
    status.touch()
    boot = root / "boot.conf"
    boot.write_text(f'Dir "{root}"; Dir::State::status "{status}"; APT::Architecture "amd64";\n')
    environ = {"APT_CONFIG": str(boot), "PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(
        [program, *arguments], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def addresses_by_apt(root: Path) -> set[RepositoryUrl]:
    """Return what `apt-get update` would fetch first."""
    found = apt("apt-get", "indextargets", "--no-release-info", "--format", "$(BASE_URI)", root=root)
    assert found.returncode == 0, found.stderr
    return {parse_repository_url(f"{line}InRelease") for line in found.stdout.splitlines() if line}


@st.composite
def one_line(draw: st.DrawFn) -> str:
    """A line of a .list file."""
    flat = draw(st.booleans())
    suite = draw(st.sampled_from(FLAT if flat else SUITES))
    options = draw(st.sampled_from(("", "[arch=amd64] ", "[ arch=amd64 lang=en#x ] ")))
    components = "" if flat else draw(st.sampled_from((" main", "  main contrib", "\tmain")))
    kind = draw(st.sampled_from(("deb", "deb-src", "# deb")))
    end = draw(st.sampled_from(("", " # why", "  ")))
    return f"{kind} {options}{draw(st.sampled_from(ADDRESSES))} {suite}{components}{end}\n"


@st.composite
def stanza(draw: st.DrawFn) -> str:
    """A stanza of a .sources file."""
    flat = draw(st.booleans())
    suites = draw(st.lists(st.sampled_from(FLAT if flat else SUITES), min_size=1, max_size=2, unique=True))
    uris = draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2, unique=True))
    start, between = draw(st.sampled_from((" ", " \n "))), draw(st.sampled_from((" ", "\n  ")))
    lines = [
        f"{draw(st.sampled_from(('Types', 'types')))}: {draw(st.sampled_from(('deb', 'deb deb-src')))}",
        f"URIs:{start}{between.join(uris)}",
        f"Suites: {' '.join(suites)}",
        *([] if flat else ["Components: main"]),
        *draw(st.sampled_from(([], ["# a comment"], ["Enabled: no"], ["Enabled: yes"], ["Enabled: off"]))),
    ]
    return "\n".join(draw(st.permutations(lines))) + "\n"


@settings(max_examples=30)
@given(lines=st.lists(one_line(), max_size=4), stanzas=st.lists(stanza(), max_size=3), extra=one_line())
def test_sources_as_apt_reads_them(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], stanzas: list[str], extra: str
) -> None:
    """Whatever the sources are, the addresses are those of apt."""
    host = FakeHost(root=tmp_path_factory.mktemp("host"))
    host.write("/etc/apt/sources.list", "".join(lines))
    for name in NAMES:
        text = "\n".join(stanzas) if name.endswith(".sources") else extra
        host.write(f"/etc/apt/sources.list.d/{name}", text)
    assert {one.url for one in host.read(read_apt)} == addresses_by_apt(host.root)
    assert host.notes == []


@st.composite
def statement(draw: st.DrawFn, depth: int = 0) -> str:
    """A statement of apt.conf."""
    name, word = draw(st.sampled_from(SETTINGS)), draw(st.sampled_from(WORDS))
    inner = [draw(statement(depth + 1)) for _ in range(draw(st.integers(0, 2)))] if depth < 2 else []
    forms = (
        f"{name} {word};",
        f"{name}\n {word};",
        f"Acquire {{ {' '.join(inner)} }};",
        f"http\n{{ {' '.join(inner)}\n}};",
        f"{name} {word} {{ {' '.join(inner)} }};",
        f"{word};",
        f"{name}:: {word};",
        f"/* {name} {word}; */",
        f"// {name} {word};\n",
        f"# {name} {word};\n",
    )
    return draw(st.sampled_from(forms)) + draw(st.sampled_from((" ", "\n")))


@settings(max_examples=30)
@given(first=st.lists(statement(), max_size=5), second=st.lists(statement(), max_size=5))
def test_configuration_as_apt_reads_it(
    tmp_path_factory: pytest.TempPathFactory, first: list[str], second: list[str]
) -> None:
    """Whatever apt.conf holds, the values are those that `apt-config dump` shows."""
    host = FakeHost(root=tmp_path_factory.mktemp("host"))
    clear = "#clear Acquire::https;\n"
    host.write("/etc/apt/apt.conf.d/10first", "".join(first))
    host.write("/etc/apt/apt.conf.d/20second.conf", clear + "".join(second))
    dumped = apt("apt-config", "dump", root=host.root)
    assert dumped.returncode == 0, dumped.stderr
    theirs = dict(_values(dumped.stdout))
    ours = read_apt_configuration(HostFiles(root=host.root), None).values
    wanted = {name for name in (*theirs, *ours) if "proxy" in name or "foo" in name}
    assert {name: ours[name].text if name in ours else "" for name in wanted} == {
        name: theirs.get(name, "") for name in wanted
    }


def _values(dump: str) -> list[tuple[str, str]]:
    lines = (line.partition(" ") for line in dump.splitlines())
    return [(name.lower(), value[1:-2]) for name, _, value in lines if not name.endswith("::")]
