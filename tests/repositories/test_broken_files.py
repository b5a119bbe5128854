"""Files that nobody meant to be read: each costs a note, never the rest and never a traceback."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.model.settings import THIS_HOST
from egressd.repositories.read import MOST_NOTES, NOTHING
from tests.repositories.conftest import FakeHost

GOOD = {
    "/etc/apt/sources.list.d/zz-good.list": "deb http://good-apt.corp.example x main\n",
    "/etc/yum.repos.d/zz-good.repo": "[good]\nbaseurl=http://good-dnf.corp.example/\n",
    "/etc/zypp/repos.d/zz-good.repo": "[good]\nbaseurl=http://good-zypper.corp.example/\n",
}
GOOD_HOSTS = {"good-apt.corp.example", "good-dnf.corp.example", "good-zypper.corp.example"}
PLACES = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/a.list",
    "/etc/apt/sources.list.d/a.sources",
    "/etc/apt/apt.conf",
    "/etc/apt/apt.conf.d/10a",
    "/etc/apt/auth.conf",
    "/etc/yum.conf",
    "/etc/yum.repos.d/a.repo",
    "/etc/dnf/vars/a",
    "/etc/zypp/repos.d/a.repo",
    "/etc/zypp/services.d/a.service",
    "/etc/zypp/zypp.conf",
    "/etc/sysconfig/proxy",
    "/etc/os-release",
)


def good_rows(host: FakeHost) -> set[str]:
    """Return the hosts of all rows beside the broken files."""
    for path, text in GOOD.items():
        host.write(path, text)
    return set(host.rows())


def test_bytes_that_are_no_text(host: FakeHost) -> None:
    """Binary files, all of them at once."""
    for place in PLACES:
        host.write(place, bytes(range(256)) * 16)
    assert good_rows(host) == GOOD_HOSTS
    assert "/etc/apt/sources.list: not read: it is not a text file" in host.settings().host.notes


def test_huge_files(host: FakeHost) -> None:
    """A file of megabytes is not read."""
    for place in PLACES:
        host.write(place, b"deb http://huge.corp.example x main\n" * 60_000)
    assert good_rows(host) == GOOD_HOSTS
    assert any("larger than 1 MiB" in note for note in host.settings().host.notes)


def test_pipes_folders_sockets_and_links(host: FakeHost) -> None:
    """What is no file is not waited for; a link to itself is no circle."""
    for index, place in enumerate(PLACES):
        path = host.root / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        match index % 4:
            case 0:
                os.mkfifo(path)
            case 1:
                path.mkdir()
            case 2:
                path.symlink_to(path)
            case _:
                short = os.open(path.parent, os.O_PATH)  # a path of a socket has 107 characters at most
                with socket.socket(socket.AF_UNIX) as server:
                    server.bind(f"/proc/self/fd/{short}/{path.name}")
                os.close(short)
    assert good_rows(host) == GOOD_HOSTS


def test_names_that_no_terminal_should_see(host: FakeHost) -> None:
    """A file with an escape sequence in its name, or bytes that are no text, is not read, and it is said."""
    host.write("/etc/yum.repos.d/\x1b[31m.repo", "[a]\nbaseurl=http://escape.corp.example\n")
    folder = os.fsencode(host.root / "etc/yum.repos.d")
    Path(os.fsdecode(folder + b"/\xff.repo")).write_text("[b]\nbaseurl=http://bytes.corp.example\n")
    assert good_rows(host) == GOOD_HOSTS
    assert host.settings().host.notes == (
        "/etc/yum.repos.d: files whose names can't be printed are not read",
    )


def test_circles(host: FakeHost) -> None:
    """Files that include each other, and lists that name themselves, end."""
    host.write("/etc/apt/apt.conf", '#include "/etc/apt/apt.conf";\n#include "/etc/apt/apt.conf.d/";\n')
    host.write("/etc/apt/apt.conf.d/10a", '#include "/etc/apt/apt.conf";\n')
    host.write("/etc/apt/sources.list", "deb mirror+file:/etc/apt/list x main\n")
    host.write("/etc/apt/list", "mirror+file:/etc/apt/list\n" * 40)
    host.write("/etc/yum.repos.d/a.repo", "[a]\nmirrorlist=file:///etc/yum.repos.d/a.repo\n")
    host.write("/etc/dnf/vars/a", "$b$b")
    host.write("/etc/dnf/vars/b", "$a$a")
    host.write("/etc/yum.repos.d/b.repo", "[b]\nbaseurl=http://c.corp.example/$a\n")
    found = good_rows(host)
    assert found >= GOOD_HOSTS
    assert "too many files include each other" in " ".join(host.settings().host.notes)


def test_long_lists_are_bounded(host: FakeHost) -> None:
    """Thousands of sources and mistakes give a bounded number of rows and notes, and the bound is said."""
    lines = "".join(f"deb http://h{number}.corp.example x main\n" for number in range(3000))
    host.write("/etc/apt/sources.list", "nonsense\n" * 3000 + lines)
    found = host.settings().host
    assert len(found.endpoints) == 1000
    assert len(found.notes) == MOST_NOTES + 1
    assert any("more than 1000 repositories" in note for note in found.notes)


MEGABYTE = 1_000_000
MANY = "".join(f" http://h{number}.corp.example/\n" for number in range(20_000))
COSTLY = {
    "brackets": ("/etc/apt/sources.list", "deb " + "[" * MEGABYTE),
    "quotes": ("/etc/apt/sources.list", ("deb " + '["' * 3000 + "\n") * 150),
    "stanza": (
        "/etc/apt/sources.list.d/a.sources",
        f"Types: deb\nURIs:\n{MANY}Suites:\n" + " a\n" * 50_000 + "Components: m\n",
    ),
    "folders": (
        "/etc/apt/sources.list.d/a.sources",
        "Types: deb\nURIs:\n" + " file:/a\n" * 50_000 + "Suites:\n" + " b\n" * 50_000 + "Components: m\n",
    ),
    "lists": (
        "/etc/apt/sources.list",
        "deb mirror+file:/etc/apt/sources.list x main\n" * 20_000,
    ),
    "blocks": ("/etc/apt/apt.conf", "a{" * 400_000),
    "block lines": ("/etc/apt/apt.conf", "a{\n" * 300_000),
    "architecture": ("/etc/apt/apt.conf", f'APT::Architecture "{"x" * 8000}";'),
    "sections": ("/etc/yum.repos.d/a.repo", "[a]\nmirrorlist=file:///etc/yum.repos.d/a.repo\n" * 20_000),
    "lines": ("/etc/yum.repos.d/a.repo", "[a]\nbaseurl=\n" + " x\n" * 300_000),
    "variables": ("/etc/yum.repos.d/a.repo", "[a]\nbaseurl=http://" + "$a" * 4000),
    "value": ("/etc/dnf/vars/a", "$a" * 4000),
    "overrides": ("/etc/dnf/repos.override.d/a.repo", "[*]\nenabled=1\n" * 60_000),
    "login": ("/root/.curlrc", ("proxy-user x" + " " * 8000 + "y\n") * 120),
    "proxy": ("/etc/sysconfig/proxy", "PROXY_ENABLED=yes\nHTTP_PROXY=http://p\nNO_PROXY=" + "a," * 4000),
    "release": ("/etc/os-release", ("A=" + " " * 8000 + '"x\n') * 120),
}
"""Files of a megabyte that would cost hours if something looked at each part once for each other part."""


@pytest.mark.parametrize("name", sorted(COSTLY))
def test_costly_files_end(host: FakeHost, name: str) -> None:
    """However a file is made, reading it ends, with a bounded number of rows and notes."""
    place, text = COSTLY[name]
    host.write("/etc/zypp/repos.d/many.repo", "".join(f"[{one}]\nbaseurl=http://z\n" for one in range(500)))
    host.write(place, text)
    found = host.settings().host
    assert len(found.endpoints) <= 1500
    assert len(found.notes) <= MOST_NOTES + 1


@pytest.mark.parametrize(
    ("place", "text", "line"),
    [
        ("/etc/apt/sources.list", "\nrpm http://x.corp.example y z\n", 2),
        ("/etc/apt/sources.list", "deb [arch=amd64 http://x.corp.example y z\n", 1),
        ("/etc/apt/sources.list", "deb http://x.corp.example\n", 1),
        ("/etc/apt/sources.list", "deb http://x.corp.example ./ main\n", 1),
        ("/etc/apt/sources.list", "deb x.corp.example/debian bookworm main\n", 1),
        ("/etc/apt/sources.list", "deb http://x_y!.corp.example/ bookworm main\n", 1),
        ("/etc/apt/sources.list", "deb http://x.corp.example:99999/ bookworm main\n", 1),
        ("/etc/apt/sources.list", "deb http:///debian bookworm main\n", 1),
        ("/etc/apt/sources.list.d/a.sources", "\nTypes: rpm\nURIs: http://x\nSuites: y\n", 2),
        ("/etc/apt/sources.list.d/a.sources", "Types: deb\nSuites: y\nComponents: z\n", 1),
        ("/etc/apt/sources.list.d/a.sources", "not a field\n", 1),
        ("/etc/apt/apt.conf", 'A "1";\nB "2" "3" 4;\n', 2),
        ("/etc/apt/apt.conf", "A {\nB 1\n", 3),
        ("/etc/yum.repos.d/a.repo", "key=value\n", 1),
        ("/etc/yum.repos.d/a.repo", "[a\nbaseurl=http://x\n", 1),
        ("/etc/yum.repos.d/a.repo", "[a]\nname=x\nbroken\nbaseurl=ftp://x\n", 3),
        ("/etc/yum.repos.d/a.repo", "[a]\nbaseurl=http://$nosuchname.corp.example/\n", 2),
        ("/etc/yum.repos.d/a.repo", "[a]\nenabled=perhaps\nbaseurl=http://good-dnf.corp.example/\n", 2),
        ("/etc/zypp/repos.d/a.repo", "[a]\nenabled=1\n", 1),
        ("/etc/zypp/services.d/a.service", "[a]\nname=x\n", 1),
    ],
)  # fmt: skip
def test_mistakes_name_their_line(host: FakeHost, place: str, text: str, line: int) -> None:
    """A mistake is said with file and line, and all else is read."""
    host.write(place, text)
    assert good_rows(host) == GOOD_HOSTS
    assert any(note.startswith(f"{place}:{line}: ") for note in host.settings().host.notes)


def test_a_host_without_package_managers(host: FakeHost) -> None:
    """No row, and a note that says so: an empty sweep must not look like success."""
    found = host.settings()
    assert found.host.endpoints == ()
    assert found.host.notes == (NOTHING,)


PIECES = st.sampled_from(
    (
        *(
            "deb ",
            "http://",
            "h.example",
            "[",
            "]",
            "{",
            "}",
            ";",
            '"',
            "\n",
            " ",
            "\t",
            "#",
            "$(ARCH)",
            "${a:-",
        ),
        *(
            "=",
            ":",
            "://",
            "Types: deb",
            "URIs: ",
            "Suites: ",
            "baseurl=",
            "proxy=",
            "@",
            "%",
            "\\",
            "//",
            "/*",
        ),
        *(
            "mirror+file:",
            "file:///etc/apt/sources.list",
            "\u00e9",
            "\x1b",
            "\r",
            "..",
            "?",
            "&",
            "[::1]",
            ":0",
        ),
        *("$a", "::", "x" * 300),
    )
)


@given(place=st.sampled_from(PLACES), pieces=st.lists(PIECES, max_size=30))
def test_any_text_is_read(tmp_path_factory: pytest.TempPathFactory, place: str, pieces: list[str]) -> None:
    """Whatever a file holds, there is a plan, and every row and note can be printed."""
    host = FakeHost(root=tmp_path_factory.mktemp("host"))
    host.write(place, "".join(pieces))
    host.write("/etc/apt/list.list", "".join(pieces))
    settings = host.settings()
    rows = settings.host.endpoints
    assert all(one.profile == THIS_HOST and one.paths[0].isascii() for one in rows)
    shown = [*settings.host.notes, *(one.service for one in rows), *(one.id for one in rows)]
    assert all(text.isprintable() for text in shown)
