"""Files that flags and the configuration name, as an ordinary user: mistakes are mistakes, never bugs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from tests.ordinary_user import run_as_ordinary_user

KEYS = (
    "trust.store",
    "trust.public_roots",
    "proxy.ca_file",
    "proxy.password_file",
    "notify.receivers[0].url_file",
    "notify.receivers[1].bearer_token_file",
    "notify.receivers[1].ca_file",
    "notify.receivers[2].password_file",
    "web.config_file",
)
KINDS = ("closed", "secret", "long", "through", "loop", "folder", "pipe", "device", "null", "missing")


@pytest.fixture
def folder(open_folder: Path) -> Path:
    """A folder that an ordinary user can enter, with all that is no readable file in it."""
    (open_folder / "closed").mkdir(mode=0o700)
    (open_folder / "closed" / "file").write_text("hunter2", encoding="ascii")
    (open_folder / "secret").write_text("hunter2", encoding="ascii")
    (open_folder / "secret").chmod(0)
    (open_folder / "plain").write_text("x", encoding="ascii")
    (open_folder / "loop").symlink_to(open_folder / "loop")
    (open_folder / "folder").mkdir()
    os.mkfifo(open_folder / "pipe", 0o666)
    (open_folder / "pipe").chmod(0o666)
    if os.geteuid() != 0:
        (open_folder / "closed").chmod(0)
    return open_folder


def path_of(kind: str, folder: Path) -> str:
    """Return the path of one kind."""
    names = {"closed": "closed/file", "long": "x" * 300, "through": "plain/file", "null": "a\0b"}
    return "/dev/zero" if kind == "device" else str(folder / names.get(kind, kind))


def configuration(path: str, file: Path) -> str:
    """Write a configuration with this path under every key that names a file; return its path."""
    document = {
        "profiles": [],
        "interval": "1 fortnight",
        "endpoints": [{"id": "a", "host": "a.example", "port": 443, "protocol": "https"}],
        "trust": {"store": path, "public_roots": path},
        "proxy": {"url": "http://p.example:1", "username": "u", "password_file": path, "ca_file": path},
        "notify": {
            "receivers": [
                {"name": "a", "type": "slack", "url_file": path},
                {
                    "name": "b",
                    "type": "webhook",
                    "url": "https://a.example/x",
                    "bearer_token_file": path,
                    "ca_file": path,
                },
                {
                    "name": "c",
                    "type": "email",
                    "host": "m.example",
                    "from": "a@a.example",
                    "to": ["b@a.example"],
                    "username": "u",
                    "password_file": path,
                },
            ]
        },
        "web": {"config_file": path},
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(file)


def test_every_unreadable_file_of_a_configuration_is_listed(folder: Path) -> None:
    """All keys that name an unreadable file are listed at once with the other mistakes, with exit code 78."""
    files = [configuration(path_of(kind, folder), folder / f"{kind}.yml") for kind in KINDS]
    for done in run_as_ordinary_user(("config", "check", "--config.file", one) for one in files):
        assert done.code == 78, done
        for key in (*KEYS, "interval"):
            assert f": {key}: " in done.stderr
        assert "Traceback" not in done.stderr
        assert "hunter2" not in done.stderr


def test_flags_that_name_an_unreadable_file_are_wrong_usage(folder: Path) -> None:
    """The same paths as a flag are exit code 2, or 78 where they are the configuration."""
    paths = [path_of(kind, folder) for kind in KINDS if kind not in ("null", "device", "missing")]
    commands = {words: code for path in paths for words, code in commands_with(path).items()}
    commands |= {(flag, paths[0]): 78 for flag in ("--config.file", "--web.config.file")}
    for done in run_as_ordinary_user(commands):
        assert (done.words, done.code) == (done.words, commands[done.words]), done
        assert "cannot " in done.stderr.splitlines()[-1], done
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def commands_with(path: str) -> dict[tuple[str, ...], int]:
    """Return commands that read this path, and their exit codes where it can't be read."""
    return {
        ("replay", path): 2,
        ("--once", "--profile", "scvmm", "--baseline", path): 2,
        ("catalog", "import", path): 2,
        ("catalog", "diff", path): 78,
        ("healthcheck", "--ca.file", path): 2,
        ("healthcheck", "--username", "u", "--password.file", path): 2,
        ("config", "check", "--config.file", path): 78,
    }
