"""A fleet read from a real Prometheus: sites, hosts, onsets and claims are those of the series."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import bcrypt
import pytest
import trustme
import yaml

from egressd.fleet.values import Fleet, Onset, SiteState
from egressd.model.verdict import Blame, Confidence, Outcome
from egressd.prometheus.client import open_client
from egressd.prometheus.fleet import ask_fleet
from egressd.prometheus.httpconfig import HttpConfig, read_http_config
from tests.prometheus_room.series import NOW, Failing, Place, page
from tests.prometheus_room.servers import prometheus_of

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]
HOSTILE = 'evil</td>\x1b[31m"\\'
PLACES = (
    Place(site="bergen", instance="bergen-1:10980"),
    Place(site="oslo", instance="oslo-1:10980", failing={"a.example": Failing(since=NOW - 600)}, offset=30),
    Place(site="oslo", instance="oslo-2:10980"),
    Place(site="tromso", instance="tromso-1:10980", last=NOW - 7200),
    Place(site="alta", instance="localhost:10980", relabelled=True),
    Place(
        site="narvik",
        instance="localhost:10980",
        relabelled=True,
        failing={"b.example": Failing(since=NOW - 120, unknown=True)},
    ),
    Place(site="molde", instance="same:1"),
    Place(site="volda", instance="same:1"),
    Place(site=HOSTILE, instance="h:1", failing={"b.example": Failing(since=NOW - 60, blame="mars")}),
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a Prometheus with the fleet."""
    with TemporaryDirectory() as folder, prometheus_of(page(PLACES), Path(folder)) as port:
        yield port


async def ask(port: int, *, at: int = NOW) -> Fleet:
    """Return the fleet as the Prometheus saw it."""
    async with open_client(f"http://127.0.0.1:{port}", HttpConfig()) as client:
        return await ask_fleet(client, at=datetime.fromtimestamp(at, UTC), catalog_hosts=frozenset())


def site_of(fleet: Fleet, name: str) -> SiteState:
    return next(one for one in fleet.sites if one.site == name)


async def test_sites_with_their_hosts(port: int) -> None:
    """Each site once, by name; hostile text has lost what moves a terminal's cursor."""
    fleet = await ask(port)
    names = [one.site for one in fleet.sites]
    assert names == ["alta", "bergen", 'evil</td>"\\', "molde", "narvik", "oslo", "tromso", "volda"]
    assert site_of(fleet, "oslo").hosts == ("oslo-1:10980", "oslo-2:10980")
    assert fleet.at == "2026-09-21T14:13:20.000Z"


async def test_the_worst_host_decides_with_its_own_claims(port: int) -> None:
    """The failure of one host of two is the site's; its onset is told by the common clock."""
    targets = {one.host: one for one in site_of(await ask(port), "oslo").targets}
    failing, fine = targets["a.example"], targets["b.example"]
    assert (failing.outcome, failing.reason) == (Outcome.BLOCKED, "tls_reset_after_hello")
    assert (failing.confidence, failing.blame_confidence) == (Confidence.HIGH, Confidence.MEDIUM)
    assert failing.blame is Blame.FIREWALL_L7
    assert failing.onset == Onset(by="2026-09-21T14:03:20.000Z", after="2026-09-21T14:02:20.000Z")
    assert (fine.outcome, fine.reason, fine.onset) == (Outcome.OK, None, None)


async def test_a_time_before_shows_what_was_then(port: int) -> None:
    """What began later does not fail yet, and who fell silent later still reports."""
    fleet = await ask(port, at=NOW - 1200)
    assert {one.outcome for one in site_of(fleet, "oslo").targets} == {Outcome.OK}
    fleet = await ask(port, at=NOW - 7230)
    assert [one.site for one in fleet.sites if one.silent_since is None] == ["tromso"]


async def test_a_silent_site_has_its_last_sample_and_no_targets(port: int) -> None:
    """What it said two hours ago is nothing to compare with."""
    found = site_of(await ask(port), "tromso")
    assert found.silent_since == found.seen
    assert found.silent_since is not None
    assert found.silent_since.startswith("2026-09-21T12:13:")
    assert found.targets == ()
    assert "has had no sample for 2 h" in found.notes[0]


async def test_sites_with_the_same_instance_are_told_apart_by_their_series(port: int) -> None:
    """Where every series has the site; where none has, nothing is said of either site, but why."""
    fleet = await ask(port)
    unknown = {one.host: one.outcome for one in site_of(fleet, "narvik").targets}
    assert unknown == {"a.example": Outcome.OK, "b.example": Outcome.UNKNOWN}
    assert {one.outcome for one in site_of(fleet, "alta").targets} == {Outcome.OK}
    for name in ("molde", "volda"):
        found = site_of(fleet, name)
        assert found.targets == ()
        assert any("other sites have the instance same:1, too" in one for one in found.notes)


async def test_words_of_a_later_version_are_left_out(port: int) -> None:
    """A party that this version does not know is not blamed; the failure still is one."""
    targets = {one.host: one for one in site_of(await ask(port), 'evil</td>"\\').targets}
    assert targets["b.example"].fails
    assert targets["b.example"].blame is None


def promtool_takes(config: Path) -> None:
    """Assert that promtool reads the same keys where its own configuration has them."""
    reading = {"remote_read": [{"url": "http://localhost"} | yaml.safe_load(config.read_text())]}
    (config.parent / "check.yml").write_text(yaml.safe_dump(reading))
    subprocess.run(
        ["promtool", "check", "config", config.parent / "check.yml"],
        check=True,
        capture_output=True,
        timeout=60,
    )


async def test_a_login_over_tls(tmp_path: Path) -> None:
    """The file that promtool takes by --http.config.file works here too, and only with the right CA."""
    ca = trustme.CA()
    issued = ca.issue_cert("prometheus.example")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    hashed = bcrypt.hashpw(b"a password", bcrypt.gensalt(4)).decode()
    web = {
        "tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem"},
        "basic_auth_users": {"me": hashed},
    }
    (tmp_path / "web.yml").write_text(yaml.safe_dump(web))
    (tmp_path / "secret").write_text("a password\n")
    tls = {"ca_file": "ca.pem", "server_name": "prometheus.example"}
    login = {"basic_auth": {"username": "me", "password_file": "secret"}, "tls_config": tls}
    (tmp_path / "http.yml").write_text(yaml.safe_dump(login))
    promtool_takes(tmp_path / "http.yml")
    with prometheus_of(page(PLACES[:1]), tmp_path, web_config=tmp_path / "web.yml") as port:
        async with open_client(
            f"https://127.0.0.1:{port}", read_http_config(tmp_path / "http.yml")
        ) as client:
            at = datetime.fromtimestamp(NOW, UTC)
            fleet = await ask_fleet(client, at=at, catalog_hosts=frozenset())
    assert [one.site for one in fleet.sites] == ["bergen"]
