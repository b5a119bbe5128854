"""apt: which addresses it fetches, from which line, and through which proxy."""

from __future__ import annotations

import pytest

from egressd.repositories.apt.read import read_apt
from egressd.repositories.repository import Repository, Verification
from tests.repositories.conftest import FakeHost

MAIN = "/etc/apt/sources.list"
CONF = "/etc/apt/apt.conf.d/50proxy"
PROXY = "http://cache.corp.example:3142"


def addresses(found: list[Repository]) -> dict[str, str]:
    """Return what is fetched, and the line it comes from."""
    return {f"{one.url.scheme}://{one.url.host}:{one.url.port}{one.url.path}": one.place for one in found}


def way(host: FakeHost) -> dict[str, str]:
    """Return the way to each host: a proxy, `direct`, or why it is not known."""
    return {
        one.url.host: one.way.unknown or (one.way.proxy.url if one.way.proxy else "direct")
        for one in host.read(read_apt)
    }


def test_one_line_sources(host: FakeHost) -> None:
    """Options, comments, credentials, flat suites and source packages, each at its line."""
    host.write(
        MAIN,
        "# deb http://commented.corp.example/ x main\n"
        "deb [arch=amd64 signed-by=/a#b.gpg] http://u:p@mirror.corp.example/debian bookworm main # on\n"
        "deb-src https://mirror.corp.example:8443/debian/ bookworm-security/updates main\n"
        "\tdeb  http://flat.corp.example/repo ./\n"
        "deb http://[2001:db8::7]:8080/$(ARCH) $(ARCH)/\n",
    )
    assert addresses(host.read(read_apt)) == {
        "http://mirror.corp.example:80/debian/dists/bookworm/InRelease": f"{MAIN}:2",
        "https://mirror.corp.example:8443/debian/dists/bookworm-security/updates/InRelease": f"{MAIN}:3",
        "http://flat.corp.example:80/repo/./InRelease": f"{MAIN}:4",
        "http://2001:db8::7:8080/amd64/amd64/InRelease": f"{MAIN}:5",
    }
    assert host.notes == []


def test_deb822_sources(host: FakeHost) -> None:
    """Stanzas: every address with every suite; what is not enabled, and keys in the file, are no sources."""
    path = "/etc/apt/sources.list.d/corp.sources"
    host.write(
        path,
        "Types: deb deb-src\nURIs: https://one.corp.example/ubuntu\n http://two.corp.example\n"
        "# a comment\nSuites: noble noble-updates\nComponents: main universe\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n URIs: http://key.corp.example\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.corp.example\nSuites: x\nComponents: main\n\n"
        "enabled: yes\ntypes: deb\nuris: http://flat.corp.example\nsuites: /\n",
    )
    assert addresses(host.read(read_apt)) == {
        "https://one.corp.example:443/ubuntu/dists/noble/InRelease": f"{path}:2",
        "https://one.corp.example:443/ubuntu/dists/noble-updates/InRelease": f"{path}:2",
        "http://two.corp.example:80/dists/noble/InRelease": f"{path}:3",
        "http://two.corp.example:80/dists/noble-updates/InRelease": f"{path}:3",
        "http://flat.corp.example:80/InRelease": f"{path}:20",
    }


def test_files_apt_ignores(host: FakeHost) -> None:
    """Only names that apt reads count, and the folders are where apt.conf says."""
    for name in ("a.list.bak", ".b.list", "c.list~", "d.txt", "e f.list", "g.list.save", "h.sources.off"):
        host.write(f"/etc/apt/sources.list.d/{name}", "deb http://ignored.corp.example x main\n")
    host.write("/etc/apt/apt.conf", 'Dir::Etc { SourceList "mine.list"; SourceParts "/srv/parts"; };\n')
    host.write(MAIN, "deb http://usual.corp.example x main\n")
    host.write("/etc/apt/mine.list", "deb http://mine.corp.example x main\n")
    host.write("/srv/parts/k.list", "deb http://part.corp.example x main\n")
    assert set(way(host)) == {"mine.corp.example", "part.corp.example"}


def test_what_is_not_on_the_network(host: FakeHost) -> None:
    """Discs, folders and methods that egressd does not speak are said, with their line."""
    lines = ("cdrom:[Debian 12 _x_]/", "file:/srv/debian", "copy:/srv/x", "ftp://f.corp.example/", "s3://b/")
    host.write(MAIN, "".join(f"deb {one} bookworm main\n" for one in lines))
    assert host.read(read_apt) == []
    assert [note.partition(": ")[0] for note in host.notes] == [f"{MAIN}:{line}" for line in range(1, 6)]
    assert all("not probed" in note for note in host.notes)


def test_local_mirror_lists(host: FakeHost) -> None:
    """Mirrors of a list on this host are rows of a group; lists in it and folders are not followed."""
    host.write(MAIN, "deb mirror+file:/etc/apt/mirrors.txt bookworm main\n")
    host.write(
        "/etc/apt/mirrors.txt",
        "# ours\nhttp://one.corp.example/debian/\tpriority:1\nhttps://two.corp.example/debian\tpriority:2\n"
        "mirror+file:/etc/apt/mirrors.txt\nfile:/srv/debian\n",
    )
    found = host.read(read_apt)
    assert addresses(found) == {
        "http://one.corp.example:80/debian/dists/bookworm/InRelease": "/etc/apt/mirrors.txt:2",
        "https://two.corp.example:443/debian/dists/bookworm/InRelease": "/etc/apt/mirrors.txt:3",
    }
    assert len({one.mirrors_of for one in found}) == 1
    assert found[0].mirrors_of is not None
    assert [note.partition(": ")[0] for note in host.notes] == [
        "/etc/apt/mirrors.txt:4",
        "/etc/apt/mirrors.txt:5",
    ]


def test_remote_mirror_lists(host: FakeHost) -> None:
    """Of a list that apt fetches, the list is the row: what it names is not known here."""
    host.write(
        MAIN,
        "deb mirror://lists.corp.example/m.txt bookworm main\n"
        "deb mirror+https://safe.corp.example/m.txt bookworm main\n"
        "deb mirror+file:/etc/apt/missing.txt bookworm main\n",
    )
    assert addresses(host.read(read_apt)) == {
        "http://lists.corp.example:80/m.txt": f"{MAIN}:1",
        "https://safe.corp.example:443/m.txt": f"{MAIN}:2",
    }
    assert len(host.notes) == 3


SET = f'Acquire::http::Proxy "{PROXY}";'
SOURCES = "deb http://plain.corp.example x main\ndeb https://secure.corp.example x main\n"


@pytest.mark.parametrize(
    ("conf", "environ", "plain", "secure"),
    [
        ("", {}, "direct", "direct"),
        (SET, {}, PROXY, PROXY),
        (f'acquire::HTTPS::proxy "{PROXY}/";', {}, "direct", PROXY),
        (f'{SET} Acquire::https::Proxy "DIRECT";', {}, PROXY, "direct"),
        (f'{SET} Acquire::https::Proxy "false";', {}, PROXY, "direct"),
        (f"{SET} Acquire {{ http {{ Proxy::plain.corp.example DIRECT; }}; }};", {}, "direct", PROXY),
        (f'Acquire::http::Proxy::secure.corp.example "{PROXY}";', {}, "direct", PROXY),
        (f"#clear Acquire::http;\n{SET} #clear Acquire::http;", {}, "direct", "direct"),
        (f"// {SET}\n/* {SET} */", {}, "direct", "direct"),
        ("", {"http_proxy": PROXY}, PROXY, PROXY),
        ("", {"http_proxy": PROXY, "https_proxy": "http://other:1"}, PROXY, "http://other:1"),
        ("", {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "all_proxy": PROXY}, "direct", "direct"),
        (SET, {"http_proxy": "http://other:1"}, PROXY, PROXY),
        (SET, {"no_proxy": "x.example,cure.corp.example"}, PROXY, "direct"),
        ('Acquire::http::Proxy "http://bare.corp.example";', {}, "http://bare.corp.example:80", None),
    ],
)  # fmt: skip
def test_proxies(host: FakeHost, conf: str, environ: dict[str, str], plain: str, secure: str | None) -> None:
    """A proxy of the host, of the scheme, of http for https, of the environment; or none."""
    host.write(MAIN, SOURCES)
    host.write(CONF, conf)
    host.environ = environ
    found = way(host)
    assert found["plain.corp.example"] == plain
    assert found["secure.corp.example"] == (secure or "http://bare.corp.example:443")


@pytest.mark.parametrize(
    "conf",
    [
        'Acquire::http::Proxy-Auto-Detect "/usr/bin/find-proxy";',
        'Acquire::http::ProxyAutoDetect "/usr/bin/find-proxy";',
        'Acquire::http::Proxy "socks5h://tor.corp.example:9050";',
        'Acquire::http::Proxy "cache.corp.example:3142";',
        'Acquire::http::Proxy "http://[::1:3128";',
        'Acquire::http::Proxy "http://cache.corp.example:99999";',
    ],
)
def test_ways_that_are_not_known(host: FakeHost, conf: str) -> None:
    """Where only running apt could tell, or egressd can't go, the row is not probed and its line is said."""
    host.write(MAIN, "deb http://plain.corp.example x main\n")
    host.write(CONF, conf)
    assert f"{CONF}:1" in way(host)["plain.corp.example"]


def test_the_last_file_wins(host: FakeHost) -> None:
    """The parts in the order of their names, then apt.conf; APT_CONFIG before all."""
    host.write(MAIN, "deb http://plain.corp.example x main\n")
    host.write("/etc/apt/apt.conf.d/99late", 'Acquire::http::Proxy "http://late:1";')
    host.write("/etc/apt/apt.conf.d/10early.conf", 'Acquire::http::Proxy "http://early:1";')
    host.write("/etc/apt/apt.conf.d/99z.disabled", 'Acquire::http::Proxy "http://ignored:1";')
    host.write("/srv/apt.conf", 'Acquire::http::Proxy "http://first:1";')
    host.environ = {"APT_CONFIG": "/srv/apt.conf"}
    assert way(host) == {"plain.corp.example": "http://late:1"}
    host.write("/etc/apt/apt.conf", 'Acquire::http::Proxy "http://main:1";')
    assert way(host) == {"plain.corp.example": "http://main:1"}


def test_logins_of_proxies(host: FakeHost) -> None:
    """A login in the URL counts, else that of auth.conf; neither is in a text of the value."""
    host.write(MAIN, "deb http://plain.corp.example x main\n")
    host.write(CONF, 'Acquire::http::Proxy "http://svc:p%40ss-in-url@cache.corp.example:3142";')
    proxy = host.read(read_apt)[0].way.proxy
    assert proxy is not None
    assert (proxy.username, proxy.password, proxy.url) == ("svc", "p@ss-in-url", PROXY)
    assert "p@ss" not in repr(proxy)
    host.write(CONF, SET)
    host.write(
        "/etc/apt/auth.conf.d/corp.conf", "machine http://cache.corp.example:3142\nlogin a password b\n"
    )
    host.write("/etc/apt/auth.conf", "machine cache.corp.example login only-https password x\n")
    proxy = host.read(read_apt)[0].way.proxy
    assert proxy is not None
    assert (proxy.username, proxy.password) == ("a", "b")


def test_certificates_by_other_rules(host: FakeHost) -> None:
    """A file of authorities, or none: egressd's own store would judge such a server wrongly."""
    host.write(MAIN, SOURCES)
    host.write(CONF, 'Acquire::https::CaInfo "/etc/ssl/corp.pem";')
    plain, secure = host.read(read_apt)
    assert plain.verification is None
    assert secure.verification == Verification(place=f"{CONF}:1", authorities="/etc/ssl/corp.pem")
    host.write(CONF, 'Acquire::https::secure.corp.example { Verify-Peer "false"; SslCert "/x"; };')
    secure = host.read(read_apt)[1]
    assert secure.verification == Verification(place=f"{CONF}:1")
    assert secure.client_certificate
