"""The Dockerfile: base image by digest, numeric user, exec form, version label."""

from __future__ import annotations

import re

from egressd import __version__
from tests.systemd.debian import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WORDS = dict(re.findall(r"^([A-Z]+) (.*)$", TEXT, re.MULTILINE))


def test_base_is_named_by_digest() -> None:
    """Both stages use one base image, pinned by digest and replaceable by an argument."""
    assert re.search(r"^ARG BASE=\S+:\S+@sha256:[0-9a-f]{64}$", TEXT, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE) == ["${BASE}", "${BASE}"]


def test_user_is_numeric() -> None:
    """The user is a number, so that runAsNonRoot can be checked without /etc/passwd."""
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", WORDS["USER"])


def test_entrypoint_is_the_program() -> None:
    """The entry point is in exec form: no shell intercepts signals to the daemon."""
    assert WORDS["ENTRYPOINT"].startswith("[")
    assert WORDS["CMD"].startswith("[")


def test_label_has_the_version() -> None:
    """The version label is the package's version."""
    assert f'org.opencontainers.image.version="{__version__}"' in TEXT
