"""The Dockerfile keeps its promises: a digest, hashes, no registry's name, a numeric user."""

from __future__ import annotations

import re

from egressd import __version__
from tests.systemd.debian import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WORDS = dict(re.findall(r"^([A-Z]+) (.*)$", TEXT, re.MULTILINE))


def test_base_is_named_by_digest() -> None:
    """Both phases stand on one base, which is pinned and can be replaced."""
    assert re.search(r"^ARG BASE=\S+:\S+@sha256:[0-9a-f]{64}$", TEXT, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE) == ["${BASE}", "${BASE}"]


def test_runs_as_a_number() -> None:
    """An orchestrator can tell that the user is not root without reading /etc/passwd."""
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", WORDS["USER"])


def test_starts_the_program_itself() -> None:
    """No shell stands between the orchestrator's signals and the daemon."""
    assert WORDS["ENTRYPOINT"].startswith("[")
    assert WORDS["CMD"].startswith("[")


def test_label_says_the_version() -> None:
    """The image carries the version of what is in it."""
    assert f'org.opencontainers.image.version="{__version__}"' in TEXT
