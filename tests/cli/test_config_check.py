"""`egressd config check`: mistakes of the file and of this host in one list, or those of the file alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from egressd.cli.app import app
from egressd.net.sockets.descriptors import RESERVED
from tests.ordinary_user import run_as_ordinary_user

ENDPOINT = {"id": "a", "host": "a.example", "port": 443, "protocol": "https"}


def check(folder: Path, *words: str, **document: object) -> Result:
    """Check a configuration."""
    file = folder / "egressd.yml"
    file.write_text(yaml.safe_dump({"profiles": [], "endpoints": [ENDPOINT], **document}), encoding="utf-8")
    return CliRunner().invoke(app, ["config", "check", "--config.file", str(file), *words])


def keys_of(result: Result) -> list[str]:
    """Return the keys that mistakes are about."""
    lines = (line.removeprefix("egressd: ") for line in result.stderr.splitlines())
    return sorted(line.split(": ")[1] for line in lines)


ELSEWHERE: dict[str, object] = {
    "sources": [
        {"name": "a", "address": "203.0.113.7"},
        {"name": "b", "interface": "nope0"},
        {"name": "c", "address": "127.0.0.1"},
    ],
    "trust": {"store": "/nope/roots.pem"},
    "proxy": {"url": "http://p.example:1", "username": "u", "password_file": "/nope/password"},
    "web": {"listen": "203.0.113.9:10980", "config_file": "/nope/web.yml"},
    "state": {"directory": "/dev/null/nope"},
    "notify": {
        "receivers": [
            {"name": "a", "type": "slack", "url_file": "/nope/url"},
            {"name": "b", "type": "webhook", "url": "https://a.example/", "bearer_token_file": "/nope/token"},
            {"name": "c", "type": "webhook", "url": "http://a.example/", "ca_file": "/nope/ca"},
        ]
    },
}
"""A configuration that is right on another host."""


def test_what_this_host_lacks_is_listed_with_the_other_mistakes(tmp_path: Path) -> None:
    """Mistakes of the file and of this host are one list, in the order of lines."""
    done = check(tmp_path, **ELSEWHERE, interval="1ms", regoin="x")
    assert (done.exit_code, done.stdout) == (78, "")
    assert keys_of(done) == sorted(
        (
            "interval", "notify.receivers[0].url_file", "notify.receivers[1].bearer_token_file",
            "notify.receivers[2].ca_file", "proxy.password_file", "regoin", "sources[0].address",
            "sources[1].interface", "state.directory", "trust.store", "web.config_file", "web.listen",
        )
    )  # fmt: skip
    numbers = [int(line.split(":")[1]) for line in done.stderr.splitlines()]
    assert numbers == sorted(numbers)


def test_what_this_host_lacks_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --no-host only mistakes of the file are listed, and a file for another host is right."""
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://")
    done = check(tmp_path, "--no-host", **ELSEWHERE)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("ok: profiles none; ")
    assert "receivers 3" in done.stdout
    assert "; site not set, so the name of the host; " in done.stdout
    assert keys_of(check(tmp_path, "--no-host", **ELSEWHERE, interval="1ms", regoin="x")) == [
        "interval",
        "regoin",
    ]
    other = check(tmp_path, "--no-host", proxy={"from_environment": True})
    assert (other.exit_code, other.stderr) == (0, "")


def test_a_mistake_of_the_web_configuration_is_listed_with_the_others(tmp_path: Path) -> None:
    """What is wrong in the file that web.config_file names is in the same list."""
    (tmp_path / "web.yml").write_text("rate_limit: {interval: 1s}\n", encoding="utf-8")
    done = check(tmp_path, web={"config_file": "web.yml"}, interval="1ms", regoin="x")
    assert done.exit_code == 78
    assert "web.yml:1: rate_limit: is not supported" in done.stderr
    assert ": interval: " in done.stderr
    assert check(tmp_path, "--no-host", web={"config_file": "web.yml"}).exit_code == 0


def test_a_state_directory_needs_permission(open_folder: Path) -> None:
    """A folder that this user can't write to, or make, is a mistake; one that can be made is none."""
    folder = open_folder
    (folder / "mine").mkdir(mode=0o755)
    rows = {
        "no": folder / "mine" / "state",
        "file": folder / "no.yml" / "state",
        "yes": Path("/tmp/nope/state"),
    }
    if os.geteuid() != 0:
        (folder / "mine").chmod(0o555)
    for name, directory in rows.items():
        document = {"profiles": [], "endpoints": [ENDPOINT], "state": {"directory": str(directory)}}
        (folder / f"{name}.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    commands = [("config", "check", "--config.file", str(folder / f"{name}.yml")) for name in rows]
    no, file, yes = run_as_ordinary_user(commands)
    assert (no.code, file.code, yes.code) == (78, 78, 0), (no, file, yes)
    assert f"this user can't write to {folder / 'mine'}" in no.stderr
    assert "Not a directory" in file.stderr


@pytest.mark.parametrize(
    ("mode", "folder_mode", "said"),
    [
        (0o644, 0o755, "every user of this host can read this secret"),
        (0o604, 0o755, "every user of this host can read this secret"),
        (0o620, 0o755, "others than its owner can change this secret"),
        (0o640, 0o755, None),
        (0o600, 0o755, None),
        (0o644, 0o750, None),
    ],
)
def test_a_secret_that_everybody_reads_is_a_warning(
    open_folder: Path, mode: int, folder_mode: int, said: str | None
) -> None:
    """A secret of every kind is named where others read or change it; a closed folder above protects it."""
    folder = open_folder / "secrets"
    folder.mkdir()
    for name, text in (("password", "hunter2"), ("url", "https://a.example/x"), ("token", "t0ken")):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(mode)
    folder.chmod(folder_mode)
    done = check(
        open_folder,
        proxy={"url": "http://p.example:1", "username": "u", "password_file": "secrets/password"},
        notify={
            "receivers": [
                {"name": "a", "type": "slack", "url_file": "secrets/url"},
                {
                    "name": "b",
                    "type": "webhook",
                    "url": "https://a.example/",
                    "bearer_token_file": "secrets/token",
                },
            ]
        },
    )
    assert done.exit_code == 0, done.stderr
    found = [line for line in done.stdout.splitlines() if "this secret" in line]
    assert len(found) == (3 if said else 0)
    assert all(said in one for one in found if said)


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"interval": "1ms"}, "interval"),
        ({"interval": "99ms"}, "interval"),
        ({"interval": "365d"}, "interval"),
        ({"probe": {"connect_timeout": "1ms"}}, "probe.connect_timeout"),
        ({"probe": {"deadline": "9ms"}}, "probe.deadline"),
        ({"probe": {"tls_timeout": "2d"}}, "probe.tls_timeout"),
        ({"probe": {"sweep_deadline": "1ms"}}, "probe.sweep_deadline"),
        ({"state": {"retention": "1s"}}, "state.retention"),
    ],
)
def test_times_that_can_t_work_are_mistakes(tmp_path: Path, document: dict[str, object], key: str) -> None:
    """A time with which nothing can be seen, or never, is refused."""
    done = check(tmp_path, **document)
    assert (done.exit_code, keys_of(done)) == (78, [key])
    assert "must be from " in done.stderr


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"interval": "1s"}, "interval: 1s is shorter than probe.deadline (20s)"),
        ({"interval": "20s"}, None),
        ({"probe": {"deadline": "3s"}}, None),
        ({"interval": "1d"}, "interval: 1d is how long a fault may go unseen"),
        ({"probe": {"connect_timeout": "500ms"}}, "probe.connect_timeout: 500ms is less than a second"),
        ({"probe": {"connect_timeout": "30s"}}, "probe.connect_timeout: 30s is never reached"),
        (
            {"probe": {"deadline": "10m"}, "interval": "10m"},
            "probe.deadline: 10m is how long one silent target",
        ),
        (
            {"probe": {"sweep_deadline": "5s"}},
            "probe.sweep_deadline: 5s is shorter than probe.deadline (20s)",
        ),
        ({}, None),
    ],
)
def test_times_that_are_unwise_are_warnings(
    tmp_path: Path, document: dict[str, object], said: str | None
) -> None:
    """A time that works and is probably not meant is a warning that says why; the usual ones are none."""
    done = check(tmp_path, **document)
    assert done.exit_code == 0, done.stderr
    warnings = done.stdout.splitlines()[1:]
    assert [one.startswith(f"warning: {said}") for one in warnings] == ([True] if said else [])


def test_more_probes_than_descriptors_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this user may open is compared with what probes need."""
    monkeypatch.setattr("egressd.config.host.resource.getrlimit", lambda _what: (300, 300))
    done = check(tmp_path, probe={"concurrency": 200})
    assert done.exit_code == 0
    assert f"200 probes at once may need {400 + RESERVED} file descriptors" in done.stdout
    assert "concurrency" not in check(tmp_path, probe={"concurrency": 2}).stdout


def test_of_thousands_of_mistakes_the_first_are_shown(tmp_path: Path) -> None:
    """A terminal shows the first 200 and how many more there are; JSON has all of them."""
    rows = [{**ENDPOINT, "id": f"row-{number}", "port": 0} for number in range(700)]
    done = check(tmp_path, "--no-host", endpoints=rows)
    *shown, last = done.stderr.splitlines()
    assert (done.exit_code, len(shown)) == (78, 200)
    assert "endpoints[199].port" in shown[-1]
    assert last == "... and 500 more; config check --format json lists all of them"
    found = json.loads(check(tmp_path, "--no-host", "--format", "json", endpoints=rows).stdout)
    assert len(found["mistakes"]) == 700
