"""Read what every package manager of this host is configured to use, and put it into settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from egressd.model.settings import HostRepositories, Settings
from egressd.repositories.apt.read import read_apt
from egressd.repositories.files import HostFiles
from egressd.repositories.repository import PackageHost, Repository
from egressd.repositories.row import HostRows
from egressd.repositories.rpm.dnf import read_dnf
from egressd.repositories.rpm.zypper import read_zypper

READERS: tuple[Callable[[PackageHost], Iterator[Repository]], ...] = (read_apt, read_dnf, read_zypper)
MOST_NOTES = 60
NOTHING = (
    "no repository is configured on this host: apt, dnf, yum and zypper have none in their files, "
    "or this user can't read them"
)


def with_this_host(settings: Settings, *, root: Path, environ: Mapping[str, str], machine: str) -> Settings:
    """Return settings with the rows of this host.

    `root` is the folder that stands for `/`, `machine` the architecture as the kernel names it.
    """
    host = PackageHost(files=HostFiles(root=root), environ=environ, machine=machine)
    rows = HostRows(settings=settings, root=root)
    for read in READERS:
        rows.add(read(host))
    notes = (*rows.notes(), *dict.fromkeys(host.files.notes))
    if not rows.endpoints:
        notes = (NOTHING, *notes)
    if len(notes) > MOST_NOTES:
        notes = (*notes[:MOST_NOTES], f"{len(notes) - MOST_NOTES} more notes on this host's files")
    found = HostRepositories(
        endpoints=tuple(rows.endpoints.values()), authorities=tuple(rows.authorities), notes=notes
    )
    return replace(settings, host=found, routes=(*settings.routes, *rows.routes.values()))
