"""Proxies of package managers: their URLs, and the variables that libcurl reads for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from egressd.model.settings import Proxy
from egressd.planning.placeholder import is_address, is_host
from egressd.repositories.repository import DIRECT_BY_DEFAULT, RepositoryPath
from egressd.repositories.url import RepositoryUrl
from egressd.wording import host_port

CURL_PORTS: Mapping[str, int] = {"http": 1080, "https": 443}
"""Ports of proxies that libcurl takes if none is given."""
Credentials = tuple[str, str]
"""A user name and a password."""


def proxy_way(
    text: str, *, origin: str, ports: Mapping[str, int] = CURL_PORTS, login: Credentials | None = None
) -> RepositoryPath:
    """Return the way through the proxy of a URL; a login in the URL wins over `login`.

    The URL is never repeated as it stands: it may hold a password.
    """
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        host, port = (url.hostname or "").lower().removesuffix("."), url.port
    except ValueError:
        return unusable_proxy(origin, "is no URL that can be read")
    if url.scheme.startswith("socks"):
        return unusable_proxy(origin, "speaks SOCKS, which egressd does not")
    if url.scheme not in ports or not is_host(host) or port == 0:
        return unusable_proxy(origin, "is no http or https URL with a host")
    user, password = _login(url) or login or (None, None)
    shown = f"{url.scheme}://{host_port(host, port or ports[url.scheme])}"
    proxy = Proxy(url=shown, username=user, password=password, origin=origin)
    return RepositoryPath(proxy=proxy, origin=origin)


def unusable_proxy(origin: str, why: str) -> RepositoryPath:
    """Return a way that can't be taken."""
    return RepositoryPath(origin=origin, unknown=f"its proxy ({origin}) {why}")


def environment_way(url: RepositoryUrl, environ: Mapping[str, str]) -> RepositoryPath:
    """Return the way that libcurl takes by the variables of the environment.

    `HTTP_PROXY` in capitals is not read: a web server sets it from a request header.
    """
    own = ("http_proxy",) if url.scheme == "http" else ("https_proxy", "HTTPS_PROXY")
    for name in (*own, "all_proxy", "ALL_PROXY"):
        if environ.get(name):
            return bypassed(proxy_way(environ[name], origin=name), url, environ)
    return DIRECT_BY_DEFAULT


def bypassed(way: RepositoryPath, url: RepositoryUrl, environ: Mapping[str, str]) -> RepositoryPath:
    """Return the direct way if libcurl bypasses a proxy for the host: `no_proxy` counts for every proxy."""
    name = "no_proxy" if "no_proxy" in environ else "NO_PROXY"
    entries = environ.get(name, "").replace(",", " ").split()
    return RepositoryPath(origin=name) if _curl_bypasses(url, entries) else way


def _curl_bypasses(url: RepositoryUrl, entries: Iterable[str]) -> bool:
    entries = tuple(entries)
    if entries == ("*",):
        return True
    if is_address(url.host):
        return any(_in_network(url.host, entry) for entry in entries)
    return any(in_domain(url.host, entry.removesuffix(".")) for entry in entries)


def in_domain(host: str, entry: str) -> bool:
    """Return whether a host is an entry's name or below it; a dot at the start changes nothing."""
    name = entry.lower().removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _in_network(host: str, entry: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _login(url: SplitResult) -> Credentials | None:
    return None if url.username is None else (unquote(url.username), unquote(url.password or ""))
