"""Fixtures: the real servers, started once, and runs of egressd against them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.certificates import write_certificates
from tests.servers.namespace import CompletedRun, ServerNamespace
from tests.servers.servers import PROGRAMS, start_faulty_servers


@pytest.fixture(scope="session")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerNamespace]:
    """Return the namespace with all servers running; skipped where a program is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=SBIN_PATH) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    namespace = ServerNamespace.make(tmp_path_factory.mktemp("servers"))
    try:
        write_certificates(namespace.folder)
        for start in PROGRAMS.values():
            start(namespace)
        start_faulty_servers(namespace)
        yield namespace
    finally:
        namespace.close()


SBIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Servers are in sbin, which may not be in PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of egressd: its result, and the report it printed."""

    completed: CompletedRun
    report: dict[str, Any]

    def target(self, host: str) -> dict[str, Any]:
        """Return the report of one host's target."""
        return next(one for one in self.report["targets"] if one["host"] == host)


@pytest.fixture
def sweep(namespace: ServerNamespace, tmp_path: Path) -> Callable[..., Run]:
    """Return a function that runs `egressd --once` with a configuration and parses its report."""

    def run(settings: dict[str, Any], **options: Any) -> Run:
        config = tmp_path / "egressd.yml"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        completed = namespace.egressd("--once", f"--config.file={config}", "--format", "json", **options)
        assert completed.stdout, completed.stderr
        return Run(completed=completed, report=json.loads(completed.stdout))

    return run


@pytest.fixture
def settings(namespace: ServerNamespace) -> Callable[..., dict[str, Any]]:
    """Return a function that builds a configuration from endpoints and the ports to connect to."""

    def build(*endpoints: dict[str, Any], dial: dict[str, str], resolver: str = "unbound") -> dict[str, Any]:
        return {
            "profiles": [],
            "resolvers": [f"127.0.0.1:{namespace.port(resolver)}"],
            "trust": {
                "store": str(namespace.folder / "public.pem"),
                "public_roots": str(namespace.folder / "public.pem"),
            },
            "probe": {"families": ["ipv4"], "connect_timeout": "2s", "deadline": "6s"},
            "endpoints": list(endpoints),
            "connect_to": [
                {"match": match, "address": "127.0.0.1", "port": namespace.port(name)}
                for match, name in dial.items()
            ],
        }

    return build
