"""Logins of proxies in auth.conf (apt_auth.conf(5)); those of repositories are never asked for."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from egressd.repositories.apt.configuration import AptConfiguration
from egressd.repositories.apt.filename import is_part
from egressd.repositories.files import HostFiles
from egressd.repositories.proxy import Credentials


def find_login(proxy: str, configuration: AptConfiguration, files: HostFiles) -> Credentials | None:
    """Return the login that apt sends to a proxy whose URL has none."""
    try:
        url = urlsplit(proxy)
        host, port = url.hostname or "", url.port
    except ValueError:
        return None
    if url.username is not None:
        return None
    paths = (
        configuration.path("Dir::Etc::netrc"),
        *files.names(configuration.path("Dir::Etc::netrcparts"), lambda name: is_part(name, "conf")),
    )
    for path in paths:
        for machine, user, password in _entries(files.lines(path) or ()):
            if _matches(machine, url.scheme, host, port):
                return user, password
    return None


def _entries(lines: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield machine, login and password."""
    words = iter([word for line in lines for word in line.split()])
    entry: dict[str, str] = {}
    for word in words:
        if word == "machine" and entry:
            yield entry["machine"], entry.get("login", ""), entry.get("password", "")
            entry = {}
        if word == "machine" or (word in ("login", "password") and entry):
            entry[word] = next(words, "")
    if entry:
        yield entry["machine"], entry.get("login", ""), entry.get("password", "")


def _matches(machine: str, scheme: str, host: str, port: int | None) -> bool:
    """Return whether an entry is for a proxy; one without a scheme is for https alone."""
    named, separator, rest = machine.partition("://")
    if (named if separator else "https") != scheme:
        return False
    place = (rest if separator else machine).rstrip("/")
    return place in (host, f"{host}:{port}") if port is not None else place == host
