"""Hosts that exist as files below a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from egressd.model.endpoint import Endpoint
from egressd.model.settings import THIS_HOST, Proxy, Settings
from egressd.repositories import with_this_host
from egressd.repositories.files import HostFiles
from egressd.repositories.repository import PackageHost, Repository

Read = Callable[[PackageHost], Iterator[Repository]]


@dataclass(kw_only=True)
class FakeHost:
    """Files below a folder that stands for `/`."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    machine: str = "x86_64"
    notes: list[str] = field(default_factory=list)
    """Of the last reading."""

    def write(self, path: str, text: str | bytes) -> None:
        """Write a file; folders are made."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())

    def read(self, reader: Read) -> list[Repository]:
        """Return what one package manager is configured to use."""
        files = HostFiles(root=self.root)
        found = list(reader(PackageHost(files=files, environ=self.environ, machine=self.machine)))
        self.notes = files.notes
        return found

    def settings(self, proxy: Proxy | None = None) -> Settings:
        """Return settings with all rows of this host."""
        plain = Settings(profiles=(THIS_HOST,), proxy=proxy)
        return with_this_host(plain, root=self.root, environ=self.environ, machine=self.machine)

    def rows(self, proxy: Proxy | None = None) -> dict[str, Endpoint]:
        """Return the rows of this host by host name."""
        return {one.pattern: one for one in self.settings(proxy).host.endpoints}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """Return a host without any file."""
    return FakeHost(root=tmp_path / "root")
