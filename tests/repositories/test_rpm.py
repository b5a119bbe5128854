"""dnf, yum and zypper: which addresses they fetch, from which line, and through which proxy."""

from __future__ import annotations

import pytest

from egressd.model.endpoint import Need
from egressd.model.settings import Proxy
from egressd.repositories.repository import Repository, Verification
from egressd.repositories.rpm.dnf import read_dnf
from egressd.repositories.rpm.zypper import read_zypper
from tests.repositories.conftest import FakeHost

REPO = "/etc/yum.repos.d/corp.repo"
ZYPP = "/etc/zypp/repos.d/corp.repo"
SYSTEM = "/etc/sysconfig/proxy"
PROXY = "http://proxy.corp.example:3128"


def addresses(found: list[Repository]) -> dict[str, str]:
    """Return what is fetched, and the line it comes from."""
    urls = (one.url for one in found)
    shown = [
        f"{url.scheme}://{url.host}:{url.port}{url.path}" + (f"?{url.query}" if url.query else "")
        for url in urls
    ]
    return dict(zip(shown, (one.place for one in found), strict=True))


def way(found: list[Repository]) -> dict[str, str]:
    """Return the way to each host: a proxy, `direct`, or why it is not known."""
    return {
        one.url.host: one.way.unknown or (one.way.proxy.url if one.way.proxy else "direct") for one in found
    }


def test_repositories_of_dnf(host: FakeHost) -> None:
    """Lists of addresses over several lines, variables, lists of mirrors, and what is switched off."""
    host.write("/etc/os-release", 'ID="rocky"\nVERSION_ID="9.4"\nPLATFORM_ID="platform:el9"\n')
    host.write("/etc/dnf/vars/site", "oslo\n")
    host.write("/etc/yum/vars/site", "bergen\n")
    host.write(
        REPO,
        "; a comment\n[baseos]\nname=Base $releasever\n"
        "baseurl=https://a.corp.example/$site/$releasever/$basearch/os/,\n"
        "  http://b.corp.example:8080/${nothing:-default}/os  https://c.corp.example/$unknown\n"
        "[appstream]\nmetalink=https://d.corp.example/metalink?repo=app-$releasever&arch=$basearch\n"
        "mirrorlist=https://unused.corp.example/\nbaseurl=https://e.corp.example/\nenabled=1\n"
        "[off]\nenabled = No\nbaseurl=http://off.corp.example/\n",
    )
    found = host.read(read_dnf)
    assert addresses(found) == {
        "https://a.corp.example:443/oslo/9/x86_64/os/repodata/repomd.xml": f"{REPO}:4",
        "http://b.corp.example:8080/default/os/repodata/repomd.xml": f"{REPO}:4",
        "https://c.corp.example:443/$unknown/repodata/repomd.xml": f"{REPO}:4",
        "https://d.corp.example:443/metalink?repo=app-9&arch=x86_64": f"{REPO}:7",
        "https://e.corp.example:443/repodata/repomd.xml": f"{REPO}:9",
    }
    assert [one.mirrors_of for one in found] == ["baseos", "baseos", "baseos", None, None]
    assert [one.need for one in found] == [Need.REQUIRED] * 4 + [Need.OPTIONAL]
    assert found[0].name == "Base 9 (baseos)"


@pytest.mark.parametrize(
    ("main", "repository", "environ", "expected"),
    [
        ("", "", {}, "direct"),
        (f"proxy={PROXY}", "", {}, PROXY),
        (f"proxy={PROXY}", "proxy=_none_", {}, "direct"),
        (f"proxy={PROXY}", "proxy=", {}, "direct"),
        (f"proxy={PROXY}", "proxy=_none_", {"https_proxy": "http://env:1"}, "http://env:1"),
        (f"proxy={PROXY}", "proxy=http://own.corp.example", {}, "http://own.corp.example:1080"),
        ("proxy=own.corp.example:8080", "", {}, "http://own.corp.example:8080"),
        ("", "", {"HTTPS_PROXY": PROXY}, PROXY),
        ("", "", {"ALL_PROXY": PROXY}, PROXY),
        ("", "", {"http_proxy": PROXY, "HTTP_PROXY": PROXY}, "direct"),
        (f"proxy={PROXY}", "", {"no_proxy": "other.example, .corp.example"}, "direct"),
        (f"proxy={PROXY}", "", {"NO_PROXY": "*"}, "direct"),
        (f"proxy={PROXY}", "", {"no_proxy": "irror.corp.example,10.0.0.0/8"}, PROXY),
    ],
)
def test_proxies_of_dnf(
    host: FakeHost, main: str, repository: str, environ: dict[str, str], expected: str
) -> None:
    """A repository's own proxy, that of the main section, that of the environment; `no_proxy` over all."""
    host.write("/etc/dnf/dnf.conf", f"[main]\n{main}\n")
    host.write(REPO, f"[x]\nbaseurl=https://mirror.corp.example/\n{repository}\n")
    host.environ = environ
    assert way(host.read(read_dnf)) == {"mirror.corp.example": expected}


@pytest.mark.parametrize("word", ["_none_", ""])
def test_a_proxy_that_is_refused_has_its_line(host: FakeHost, word: str) -> None:
    """Where a repository says that it wants no proxy, that line is why it goes directly."""
    host.write("/etc/dnf/dnf.conf", f"[main]\nproxy={PROXY}\n")
    host.write(REPO, f"[x]\nproxy={word}\nbaseurl=https://mirror.corp.example/\n")
    path = host.read(read_dnf)[0].way
    assert (path.proxy, path.origin) == (None, f"{REPO}:2")
    note = next(one for one in host.settings(Proxy(url="http://other.corp.example:1")).host.notes)
    assert f"dnf goes to mirror.corp.example directly, {REPO}:2" in note


def test_settings_of_dnf(host: FakeHost) -> None:
    """Logins, folders elsewhere, repositories in the main file, overrides, certificates, names twice."""
    host.write(
        "/etc/yum.conf",
        f"[main]\nreposdir=/srv/repos\nproxy={PROXY}\nproxy_username=svc\nproxy_password=s3cret-word\n"
        "[inmain]\nbaseurl=https://main.corp.example/\nsslverify=0\n",
    )
    host.write(REPO, "[unread]\nbaseurl=https://unread.corp.example/\n")
    host.write(
        "/srv/repos/a.repo", "[x]\nbaseurl=https://a.corp.example/\nsslcacert=/x.pem\nsslclientcert=/y\n"
    )
    host.write(
        "/srv/repos/b.repo", "[x]\nbaseurl=https://b.corp.example/\n[y]\nbaseurl=https://y.corp.example\n"
    )
    host.write("/etc/dnf/repos.override.d/99-c.repo", "[y*]\nenabled=0\n")
    found = host.read(read_dnf)
    assert set(way(found)) == {"main.corp.example", "a.corp.example"}
    proxy = found[0].way.proxy
    assert proxy is not None
    assert (proxy.username, proxy.password) == ("svc", "s3cret-word")
    assert [one.verification for one in found] == [
        Verification(place="/etc/yum.conf:8"),
        Verification(place="/srv/repos/a.repo:3", authorities="/x.pem"),
    ]
    assert found[1].client_certificate
    assert any(note.startswith("/srv/repos/b.repo:1") for note in host.notes)


def test_mirrors_of_dnf_in_a_file(host: FakeHost) -> None:
    """A list of mirrors on this host is read: one of its mirrors is enough."""
    host.write(REPO, "[x]\nmirrorlist=file:///etc/yum/mirrors\n[y]\nmetalink=file:///m\n[z]\nname=none\n")
    host.write(
        "/etc/yum/mirrors", "https://a.corp.example/$basearch\n\n#no\nhttp://b.corp.example\nftp://c/\n"
    )
    host.machine = "i686"
    found = host.read(read_dnf)
    assert addresses(found) == {
        "https://a.corp.example:443/i386/repodata/repomd.xml": "/etc/yum/mirrors:1",
        "http://b.corp.example:80/repodata/repomd.xml": "/etc/yum/mirrors:4",
    }
    assert {one.mirrors_of for one in found} == {"x"}
    assert [note.partition(": ")[0] for note in host.notes] == [
        "/etc/yum/mirrors:5",
        f"{REPO}:4",
        f"{REPO}:5",
    ]


def test_repositories_of_zypper(host: FakeHost) -> None:
    """Services, several addresses, a path, parameters that zypper keeps for itself, and plugins."""
    host.write("/etc/os-release", 'VERSION_ID="15.6"\n')
    host.write(
        "/etc/zypp/services.d/c.service",
        "[center]\nurl=https://center.corp.example\nenabled=1\n[o]\nenabled=0\n",
    )
    host.write(
        ZYPP,
        "[oss]\nenabled=1\nbaseurl=https://a.corp.example/$releasever_major/$releasever?credentials=C&x=1\n"
        "http://b.corp.example/\nbaseurl=http://c.corp.example\npath=/sub/\n"
        "[list]\nmirrorlist=https://d.corp.example/list\n"
        "[cloud]\nbaseurl=plugin:/cloud?credentials=C\n[dvd]\nbaseurl=dvd:///\n",
    )
    found = host.read(read_zypper)
    assert addresses(found) == {
        "https://center.corp.example:443/repo/repoindex.xml": "/etc/zypp/services.d/c.service:2",
        "https://a.corp.example:443/15/15.6/sub/repodata/repomd.xml?x=1": f"{ZYPP}:3",
        "http://b.corp.example:80/sub/repodata/repomd.xml": f"{ZYPP}:3",
        "http://c.corp.example:80/sub/repodata/repomd.xml": f"{ZYPP}:5",
        "https://d.corp.example:443/list": f"{ZYPP}:8",
    }
    assert [note.partition(": ")[0] for note in host.notes] == [f"{ZYPP}:10", f"{ZYPP}:12"]


@pytest.mark.parametrize(
    ("system", "repository", "environ", "expected"),
    [
        ("", "", {}, "direct"),
        (f'PROXY_ENABLED="yes"\nHTTPS_PROXY="{PROXY}"', "", {}, PROXY),
        (f'PROXY_ENABLED="no"\nHTTPS_PROXY="{PROXY}"', "", {}, "direct"),
        (f'HTTPS_PROXY="{PROXY}"', "", {}, "direct"),
        (f'PROXY_ENABLED="yes"\nHTTP_PROXY="{PROXY}"', "", {}, "direct"),
        (f'PROXY_ENABLED=yes\nHTTPS_PROXY={PROXY}\nNO_PROXY="localhost, .corp.example"', "", {}, "direct"),
        (f'PROXY_ENABLED=yes\nHTTPS_PROXY={PROXY}\nNO_PROXY="irror.corp.example"', "", {}, PROXY),
        (f'PROXY_ENABLED=yes\nHTTPS_PROXY={PROXY}\nNO_PROXY="*"', "", {}, "direct"),
        (f'PROXY_ENABLED="yes"\nHTTPS_PROXY="{PROXY}"', "?proxy=_none_", {}, "direct"),
        ("", "?proxy=own.corp.example&proxyport=8080", {}, "http://own.corp.example:8080"),
        ("", "\nproxy=http://own.corp.example:81", {}, "http://own.corp.example:81"),
        ("", "", {"https_proxy": PROXY}, PROXY),
    ],
)
def test_proxies_of_zypper(
    host: FakeHost, system: str, repository: str, environ: dict[str, str], expected: str
) -> None:
    """The proxy of the URL, of the repository, of the system's file, of the environment."""
    host.write(SYSTEM, f"# Proxy\n{system}\n")
    host.write(ZYPP, f"[x]\nbaseurl=https://mirror.corp.example/{repository}\n")
    host.environ = environ
    assert way(host.read(read_zypper)) == {"mirror.corp.example": expected}


def test_login_in_curlrc(host: FakeHost) -> None:
    """A proxy without a login gets that of .curlrc; one in its URL or in the repository's wins."""
    host.write(SYSTEM, f'PROXY_ENABLED="yes"\nHTTP_PROXY="{PROXY}"\n')
    host.write("/root/.curlrc", '# x\n--proxy-user "svc:p\\"w%20d"\n')
    host.write(
        ZYPP,
        "[x]\nbaseurl=http://a.corp.example/\n[y]\nbaseurl=http://b.corp.example/?proxy=p&proxyuser=u&proxypass=w\n",
    )
    logins = [
        (one.way.proxy.username, one.way.proxy.password) for one in host.read(read_zypper) if one.way.proxy
    ]
    assert logins == [("svc", 'p"w d'), ("u", "w")]
