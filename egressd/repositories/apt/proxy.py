"""The way apt goes to a host, as its http method finds it."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.repositories.apt.configuration import AptConfiguration, AptValue
from egressd.repositories.apt.login import find_login
from egressd.repositories.apt.source import NO_WORDS
from egressd.repositories.files import HostFiles
from egressd.repositories.proxy import proxy_way, unusable_proxy
from egressd.repositories.repository import DIRECT_BY_DEFAULT, PackageHost, RepositoryPath, Verification
from egressd.repositories.url import RepositoryUrl

DIRECT = "DIRECT"


def apt_way(url: RepositoryUrl, configuration: AptConfiguration, host: PackageHost) -> RepositoryPath:
    """Return the way apt takes: a proxy of the host, else of the scheme, else of the environment."""
    own = _setting(f"Proxy::{url.host}", url, configuration)
    if own is None and (command := _detection(url, configuration)) is not None:
        why = f"apt runs a program to find its proxy ({command.place}), which egressd does not run"
        return RepositoryPath(origin=command.place, unknown=why)
    found = own or _setting("Proxy", url, configuration) or _from_environment(url, host)
    if found is None:
        return _way_by_unread_files(host.files)
    if (bypass := _bypassed_by_environment(url, host)) is not None:
        return bypass
    if found.text == DIRECT or ":" not in found.text:
        # Without a host, apt has no proxy: `false` and `none` are common.
        return RepositoryPath(origin=found.place)
    if "://" not in found.text:
        return unusable_proxy(found.place, "does not start with http://")
    ports = {"http": 443 if url.scheme == "https" else 80, "https": 443}
    if found.text not in configuration.logins:
        configuration.logins[found.text] = find_login(found.text, configuration, host.files)
    login = configuration.logins[found.text]
    return proxy_way(found.text, origin=found.place, ports=ports, login=login)


def verification(url: RepositoryUrl, configuration: AptConfiguration) -> Verification | None:
    """Return how apt verifies a certificate, where not by the system's rules."""
    if url.scheme != "https":
        return None
    for option in ("Verify-Peer", "Verify-Host", "CAPath"):
        found = _of_host(option, url, configuration)
        if found is not None and (option == "CAPath" or found.text.lower() in NO_WORDS):
            return Verification(place=found.place)
    found = _of_host("CaInfo", url, configuration)
    return Verification(place=found.place, authorities=found.text) if found else None


def shows_certificate(url: RepositoryUrl, configuration: AptConfiguration) -> bool:
    """Return whether apt has a client certificate for the host."""
    return url.scheme == "https" and _of_host("SslCert", url, configuration) is not None


def _of_host(option: str, url: RepositoryUrl, configuration: AptConfiguration) -> AptValue | None:
    """Return an option of the host, else of the scheme."""
    return _setting(f"{url.host}::{option}", url, configuration) or _setting(option, url, configuration)


def _setting(name: str, url: RepositoryUrl, configuration: AptConfiguration) -> AptValue | None:
    """Return `Acquire::<scheme>::<name>`; https has the settings of http where it has none of its own."""
    return next(filter(None, (configuration.find(f"Acquire::{one}::{name}") for one in _methods(url))), None)


def _methods(url: RepositoryUrl) -> tuple[str, ...]:
    return ("https", "http") if url.scheme == "https" else ("http",)


def _detection(url: RepositoryUrl, configuration: AptConfiguration) -> AptValue | None:
    names = (f"Acquire::{url.scheme}::{option}" for option in ("Proxy-Auto-Detect", "ProxyAutoDetect"))
    return next(filter(None, (configuration.find(name) for name in names)), None)


def _from_environment(url: RepositoryUrl, host: PackageHost) -> AptValue | None:
    """Return the value of a variable, which apt knows in lower case alone."""
    names = ("https_proxy", "http_proxy") if url.scheme == "https" else ("http_proxy",)
    return next((AptValue(text=host.environ[one], place=one) for one in names if host.environ.get(one)), None)


def _bypassed_by_environment(url: RepositoryUrl, host: PackageHost) -> RepositoryPath | None:
    """Return the direct way if `no_proxy` names the end of the host; it counts for every proxy of apt."""
    entries: Iterator[str] = (one.lower() for one in host.environ.get("no_proxy", "").split(",") if one)
    return RepositoryPath(origin="no_proxy") if any(url.host.endswith(one) for one in entries) else None


def _way_by_unread_files(files: HostFiles) -> RepositoryPath:
    """Return the direct way, unless a file that can't be read may name a proxy."""
    unread = [path for path in files.closed if "/apt.conf" in path]
    if unread:
        return RepositoryPath(unknown=f"its proxy may be in {', '.join(unread)}, which this user can't read")
    return DIRECT_BY_DEFAULT
