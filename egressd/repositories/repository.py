"""A repository of this host, and the way a package manager goes to it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from egressd.model.endpoint import Need
from egressd.model.settings import Proxy
from egressd.repositories.files import HostFiles
from egressd.repositories.url import RepositoryUrl


class PackageTool(StrEnum):
    """A package manager; `dnf` stands for yum as well."""

    APT = "apt"
    DNF = "dnf"
    ZYPPER = "zypper"


class RepositoryPath(Struct, frozen=True, kw_only=True):
    """How a package manager goes to a host: through a proxy, or directly, if that can be said."""

    proxy: Proxy | None = None
    origin: str | None = None
    """Where it is written: a file and line, or a variable; None: nowhere, so directly."""
    unknown: str | None = None
    """Why it is not known, or can't be taken; None: it is known."""


DIRECT_BY_DEFAULT = RepositoryPath()


class Verification(Struct, frozen=True, kw_only=True):
    """How a package manager verifies certificates, where not by the system's rules alone."""

    place: str
    """File and line."""
    authorities: str | None = None
    """A file of authorities; None: rules that egressd has not."""


class Repository(Struct, frozen=True, kw_only=True):
    """What a package manager fetches first of a repository, or of a mirror of it."""

    manager: PackageTool
    key: str
    """What it is called in the manager's own files, and in the id of its row."""
    name: str
    """For people."""
    url: RepositoryUrl
    place: str
    """File and line."""
    way: RepositoryPath
    purpose: str
    need: Need = Need.REQUIRED
    mirrors_of: str | None = None
    """The list it is a mirror of, one of which is enough; None: it is the only one."""
    verification: Verification | None = None
    """None: by the system's rules."""
    client_certificate: bool = False
    """Whether the manager has a certificate to show there."""


class PackageHost(Struct, frozen=True, kw_only=True):
    """What the readers read: files, variables, and the machine's architecture."""

    files: HostFiles
    environ: Mapping[str, str]
    machine: str
    """As the kernel names it: `x86_64`, `aarch64`, ..."""
