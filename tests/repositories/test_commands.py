"""The profile `this-host` as a user meets it: plan, list, export, a sweep, a reload; beside apt itself."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from egressd.config import Flags, load_settings
from egressd.config import load as load_module
from egressd.lab.authority import CertificateAuthority
from egressd.lab.leaf import LeafKind
from egressd.model.settings import Proxy
from tests.ordinary_user import ordinary_user
from tests.ports import closed_port
from tests.repositories.conftest import FakeHost
from tests.repositories.programs import answering_server, egressd
from tests.repositories.test_apt_programs import apt

MAIN = "/etc/apt/sources.list"
CONF = "/etc/apt/apt.conf"
PASSWORD = "c4n4ry-P4ssw0rd"
TOKEN = "0123456789abcdef0123456789abcdef0123abcd"


@pytest.fixture
def configured(host: FakeHost) -> FakeHost:
    """A host with repositories of all three, and with secrets wherever one can stand."""
    host.write(
        MAIN,
        f"deb https://user:{PASSWORD}@mirror.corp.example/debian bookworm main\n"
        f"deb http://plain.corp.example/{TOKEN}/debian bookworm main\n"
        "deb cdrom:[disc]/ bookworm main\n",
    )
    host.write(CONF, f'Acquire::http::Proxy "http://svc:{PASSWORD}@cache.corp.example:3142";\n')
    host.write("/etc/apt/auth.conf", f"machine mirror.corp.example login x password {PASSWORD}\n")
    host.write(
        "/etc/yum.repos.d/a.repo",
        f"[base]\nname=Base\nbaseurl=https://yum.corp.example/os?token={PASSWORD}\nusername=x\n"
        f"password={PASSWORD}\nproxy=http://127.0.0.1:9\nproxy_username=p\nproxy_password={PASSWORD}\n",
    )
    host.write("/etc/zypp/repos.d/a.repo", f"[oss]\nbaseurl=https://zypp.corp.example/?{PASSWORD}\n")
    return host


def test_the_plan(configured: FakeHost) -> None:
    """Every row with its route, what is not probed, and how apt's way differs from egressd's."""
    done = egressd(configured.root, "plan", "--profile", "this-host", "--proxy", "http://corp.example:3128")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "apt-cache-corp-example-3142: through http://cache.corp.example:3142" in text
    assert "https://mirror.corp.example:443 given default by apt-cache-corp-example-3142" in text
    assert "https://zypp.corp.example:443 given default by zypper-direct" in text
    assert (
        f"apt goes to mirror.corp.example, plain.corp.example through http://cache.corp.example:3142, "
        f"{CONF}:1; egressd itself goes through http://corp.example:3128" in text
    )
    assert f"{MAIN}:3: not probed: cdrom" in text


def assert_no_secret(shown: str) -> None:
    """Fail if a password, token or login stands in an output that names the rows."""
    assert "yum.corp.example" in shown
    login = base64.b64encode(f"p:{PASSWORD}".encode()).decode()
    assert [one for one in (PASSWORD, TOKEN, login, "user:") if one in shown] == []


def test_no_secret_is_shown(configured: FakeHost) -> None:
    """No password, token or login stands in plan and report, where everything else of a row does."""
    plan = egressd(configured.root, "plan", "--profile", "this-host")
    only = ("--only", "yum.corp.example", "--format", "json", "--deadline", "5s")
    swept = egressd(configured.root, "--once", "--profile", "this-host", *only)
    assert (plan.returncode, swept.returncode) == (0, 1)
    assert_no_secret(plan.stdout + plan.stderr)
    assert_no_secret(swept.stdout + swept.stderr)


def test_show_and_export(configured: FakeHost) -> None:
    """Rows have their file and line, and become rules."""
    shown = egressd(configured.root, "catalog", "show", "--profile", "this-host", "th-*")
    assert_no_secret(shown.stdout + shown.stderr)
    assert "/etc/yum.repos.d/a.repo:3" in shown.stdout
    assert "/os/repodata/repomd.xml" in shown.stdout
    exported = egressd(configured.root, "catalog", "export", "--profile", "this-host", "--format", "json")
    assert_no_secret(exported.stdout + exported.stderr)
    rules = [(one["leg"], one["destination"], one["port"]) for one in json.loads(exported.stdout)["rules"]]
    assert sorted(rules) == [
        ("at-proxy", "mirror.corp.example", 443),
        ("at-proxy", "plain.corp.example", 80),
        ("at-proxy", "yum.corp.example", 443),
        ("direct", "zypp.corp.example", 443),
        ("from-proxy", "mirror.corp.example", 443),
        ("from-proxy", "plain.corp.example", 80),
        ("from-proxy", "yum.corp.example", 443),
        ("to-proxy", "127.0.0.1", 9),
        ("to-proxy", "cache.corp.example", 3142),
    ]


def test_the_profile_is_listed_with_its_rows(configured: FakeHost) -> None:
    """Whoever chooses among the profiles sees how many rows this host has."""
    done = egressd(configured.root, "catalog", "profiles", "--format", "json")
    found = next(one for one in json.loads(done.stdout)["profiles"] if one["name"] == "this-host")
    assert found["clouds"]["public"] == {"rows": 4, "required": 4, "conditional": 0, "optional": 0}


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
def test_the_same_requests_as_apt(host: FakeHost) -> None:
    """Through a proxy with a login, and directly past it: both ask for the same, on the same connections."""
    with answering_server() as (proxy, through), answering_server() as (mirror, straight):
        host.write(
            MAIN,
            "deb http://mirror.corp.example/debian bookworm main\n"
            "deb https://secure.corp.example:8443/x ./\n"
            f"deb http://127.0.0.1:{mirror}/local bookworm-updates main\n",
        )
        host.write(
            CONF,
            f'Acquire::http::Proxy "http://svc:{PASSWORD}@127.0.0.1:{proxy}";\n'
            'Acquire::http::Proxy::127.0.0.1 "DIRECT";\nAPT::Sandbox::User "root";\nAcquire::Retries "0";\n',
        )
        apt("apt-get", "update", root=host.root)
        theirs = {one for one in (*through, *straight) if "InRelease" in one or "CONNECT" in one}
        through.clear()
        straight.clear()
        done = egressd(host.root, "--once", "--profile", "this-host", "--format", "json")
        ours = {*through, *straight}
    assert theirs == ours
    assert len(theirs) == 3
    outcomes = {one["host"]: one["outcome"] for one in json.loads(done.stdout)["targets"]}
    assert (outcomes["mirror.corp.example"], outcomes["127.0.0.1"]) == ("ok", "ok")
    assert outcomes["secure.corp.example"] != "ok"
    assert done.returncode == 1


def test_a_sweep_of_a_healthy_host(host: FakeHost) -> None:
    """With a proxy of egressd: apt goes its own way, one mirror of two is enough, exit 0."""
    with answering_server() as (own, nothing), answering_server() as (mirror, straight):
        host.write(MAIN, "deb mirror+file:/etc/apt/mirrors.txt bookworm main\n")
        with closed_port() as dead:
            lines = (f"http://127.0.0.1:{port}/debian\n" for port in (dead, mirror))
            host.write("/etc/apt/mirrors.txt", "".join(lines))
            config = host.root / "egressd.yml"
            config.write_text(f"profiles: [this-host]\nproxy: {{url: 'http://127.0.0.1:{own}'}}\n")
            done = egressd(host.root, "--once", "--config.file", str(config))
    assert done.returncode == 0, done.stdout
    assert set(straight) == {"GET /debian/dists/bookworm/InRelease HTTP/1.1"}
    assert nothing == []


def test_a_mirror_with_an_authority_of_its_own(host: FakeHost, tmp_path: Path) -> None:
    """A certificate that only the manager's own file vouches for is right for that host."""
    authority = CertificateAuthority(tmp_path)
    context = authority.context("localhost", LeafKind.GOOD)
    context.set_alpn_protocols([])
    with answering_server(tls=context) as (mirror, requests):
        repository = f"[a]\nbaseurl=https://localhost:{mirror}/os\nsslcacert=/etc/corp.pem\n"
        host.write("/etc/yum.repos.d/a.repo", repository)
        host.write("/etc/corp.pem", authority.trust_store.read_bytes())
        trusted = egressd(host.root, "--once", "--profile", "this-host", "--format", "json")
        host.write("/etc/corp.pem", "no certificate")
        unread = egressd(host.root, "plan", "--profile", "this-host")
    assert [one["outcome"] for one in json.loads(trusted.stdout)["targets"]] == ["ok"], trusted.stdout
    assert trusted.returncode == 0
    assert "GET /os/repodata/repomd.xml HTTP/1.1" in requests
    assert "a.repo:3): cannot use" in " ".join(unread.stdout.split())


def test_nothing_is_configured(host: FakeHost) -> None:
    """A sweep without any row proves nothing: exit 3, and why."""
    done = egressd(host.root, "--once", "--profile", "this-host")
    assert done.returncode == 3
    assert "no repository is configured on this host" in " ".join((done.stdout + done.stderr).split())


def test_files_this_user_may_not_read(open_folder: Path) -> None:
    """A closed file that may name a proxy leaves the way unknown: nothing is probed, and it is said why."""
    host = FakeHost(root=open_folder)
    host.write(MAIN, "deb http://apt.corp.example x main\n")
    host.write("/etc/yum.repos.d/a.repo", "[a]\nbaseurl=http://dnf.corp.example/\n")
    host.write("/etc/zypp/repos.d/a.repo", "[a]\nbaseurl=http://zypper.corp.example/\n")
    closed = ("/etc/apt/apt.conf.d/10proxy", "/etc/dnf/dnf.conf", "/etc/sysconfig/proxy")
    for place in closed:
        host.write(place, "")
        (host.root / place.lstrip("/")).chmod(0)
    host.write("/root/.curlrc", "")
    (host.root / "root").chmod(0)
    done = egressd(host.root, "plan", "--profile", "this-host", before=ordinary_user())
    text = " ".join(done.stdout.split())
    assert "Plan: 0 targets" in text
    assert "Not probed (3 required)" in text
    for place in closed:
        assert f"its proxy may be in {place}, which this user can't read" in text
    assert "Permission denied" in text
    assert ".curlrc" not in text


def test_changes_are_noticed_at_a_reload(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file of egressd read again has other settings once a source of apt changed."""
    monkeypatch.setattr(load_module, "HOST_ROOT", host.root)
    flags = Flags(profiles=("this-host",))
    host.write(MAIN, "deb http://one.corp.example x main\n")
    before, again = load_settings(None, flags), load_settings(None, flags)
    host.write(MAIN, "deb http://two.corp.example x main\n")
    after = load_settings(None, flags)
    assert before.digest == again.digest != after.digest
    assert [one.pattern for one in after.host.endpoints] == ["two.corp.example"]
    host.write(CONF, f'Acquire::http::Proxy "http://svc:{PASSWORD}@p.corp.example:1";\n')
    with_proxy = load_settings(None, flags)
    assert with_proxy.digest != after.digest
    host.write(CONF, 'Acquire::http::Proxy "http://svc:other@p.corp.example:1";\n')
    assert load_settings(None, flags).digest == with_proxy.digest


def test_the_files_are_read_for_the_profile_alone(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the profile, nothing of this host is read."""
    monkeypatch.setattr(load_module, "HOST_ROOT", host.root)
    host.write(MAIN, "nonsense\n")
    assert load_settings(None, Flags()).warnings == ()
    assert any(f"{MAIN}:1" in one for one in load_settings(None, Flags(profiles=("this-host",))).warnings)


def test_the_same_way_shares_probes(host: FakeHost) -> None:
    """A manager that goes as egressd does takes no route, so that its rows are probed with all others."""
    proxy = Proxy(url="http://cache.corp.example:3142")
    host.write(MAIN, "deb http://plain.corp.example x main\n")
    host.write(CONF, 'Acquire::http::Proxy "http://cache.corp.example:3142/";\n')
    assert host.rows(proxy)["plain.corp.example"].route is None
    assert host.settings(proxy).routes == ()
    assert host.rows(Proxy(url=proxy.url, username="svc", password="x"))["plain.corp.example"].route
    bypassing = Proxy(url=proxy.url, bypass=("plain.corp.example",))
    assert host.rows(bypassing)["plain.corp.example"].route == "apt-cache-corp-example-3142"


def test_one_mirror_of_a_list_is_enough(host: FakeHost) -> None:
    """Mirrors of a list, and several addresses of a repository, are one group with a name of its own."""
    host.write(MAIN, "deb mirror+file:/etc/apt/mirrors.txt bookworm main\n")
    host.write("/etc/apt/mirrors.txt", "http://a.corp.example/\nhttp://b.corp.example/\n")
    host.write("/etc/yum.repos.d/a.repo", "[base]\nbaseurl=http://c.corp.example http://d.corp.example\n")
    host.write("/etc/yum.repos.d/b.repo", "[alone]\nbaseurl=http://e.corp.example\n")
    assert {name: one.one_of for name, one in host.rows().items()} == {
        "a.corp.example": "apt-etc-apt-mirrors-txt-bookworm",
        "b.corp.example": "apt-etc-apt-mirrors-txt-bookworm",
        "c.corp.example": "dnf-base",
        "d.corp.example": "dnf-base",
        "e.corp.example": None,
    }
