"""Fixtures: the servers, started once, and one run of egressd against them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.papers import write_papers
from tests.servers.place import Ended, Place
from tests.servers.servers import PROGRAMS, start_misbehaviour


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return the host with every server running; skipped, saying so, where a program is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    place = Place.make(tmp_path_factory.mktemp("servers"))
    try:
        write_papers(place.folder)
        for start in PROGRAMS.values():
            start(place)
        start_misbehaviour(place)
        yield place
    finally:
        place.close()


SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Servers live in sbin, which is not on everybody's PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the program: how it ended, and the report it printed."""

    ended: Ended
    report: dict[str, Any]

    def target(self, host: str) -> dict[str, Any]:
        """Return the report of one host's target."""
        return next(one for one in self.report["targets"] if one["host"] == host)


@pytest.fixture
def sweep(world: Place, tmp_path: Path) -> Callable[..., Run]:
    """Return a function that runs `egressd --once` with a configuration and parses its report."""

    def run(settings: dict[str, Any], **options: Any) -> Run:
        config = tmp_path / "egressd.yml"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        ended = world.egressd("--once", f"--config.file={config}", "--format", "json", **options)
        assert ended.stdout, ended.stderr
        return Run(ended=ended, report=json.loads(ended.stdout))

    return run


@pytest.fixture
def settings(world: Place) -> Callable[..., dict[str, Any]]:
    """Return a function that builds a configuration around endpoints and where to dial for them."""

    def build(*endpoints: dict[str, Any], dial: dict[str, str], resolver: str = "unbound") -> dict[str, Any]:
        return {
            "profiles": [],
            "resolvers": [f"127.0.0.1:{world.port(resolver)}"],
            "trust": {
                "store": str(world.folder / "public.pem"),
                "public_roots": str(world.folder / "public.pem"),
            },
            "probe": {"families": ["ipv4"], "connect_timeout": "2s", "deadline": "6s"},
            "endpoints": list(endpoints),
            "connect_to": [
                {"match": match, "address": "127.0.0.1", "port": world.port(name)}
                for match, name in dial.items()
            ],
        }

    return build
