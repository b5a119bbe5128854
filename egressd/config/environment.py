"""The proxy variables of the environment, read as Go programs read them: the agents are written in Go.

The value of a variable is never repeated in a message: it may be a URL with a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from egressd.errors import ConfigError
from egressd.fields.parse import parse_bypass, parse_proxy_url
from egressd.model.settings import Proxy, Traffic

TUNNELS, PLAIN, BYPASS = "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"
NEVER_PROXIED = ("localhost", "127.0.0.0/8", "::1")
"""What Go programs never proxy, whatever NO_PROXY says."""


class EnvironmentProxies(Struct, frozen=True, kw_only=True):
    """The proxies and warnings read from the environment."""

    proxy: Proxy | None = None
    plain_proxy: Proxy | None = None
    """The proxy of plain HTTP, if it is another one."""
    warnings: tuple[str, ...] = ()


def read_environment(environ: Mapping[str, str]) -> EnvironmentProxies:
    """Read HTTPS_PROXY, HTTP_PROXY and NO_PROXY; if one is not set, the same in lower case.

    Raises:
        ConfigError: a URL that is not valid for a proxy.
    """
    text = _value(environ, BYPASS)
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    bypass = (*entries, *NEVER_PROXIED)
    tunnels, problems = _proxy(environ, TUNNELS, bypass)
    plain, more = _proxy(environ, PLAIN, bypass)
    if problems or more:
        raise ConfigError((*problems, *more))
    warnings = (*_case_conflicts(environ), *_no_proxy_warnings(text))
    if tunnels is None and plain is None:
        nothing = (
            "the environment is to name the proxy, and neither HTTPS_PROXY nor HTTP_PROXY is set: "
            "everything is reached directly"
        )
        return EnvironmentProxies(warnings=(nothing, *warnings))
    if tunnels is None or plain is None:
        one = tunnels or plain
        return EnvironmentProxies(proxy=one, warnings=warnings)
    if _same_proxy(tunnels, plain):
        both = replace(tunnels, carries=tuple(Traffic), origin=f"{tunnels.origin}, {plain.origin}")
        return EnvironmentProxies(proxy=both, warnings=warnings)
    return EnvironmentProxies(proxy=tunnels, plain_proxy=plain, warnings=warnings)


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.lower()) or ""


def _same_proxy(one: Proxy, other: Proxy) -> bool:
    return (one.url, one.username, one.password) == (other.url, other.username, other.password)


def _proxy(
    environ: Mapping[str, str], name: str, bypass: tuple[str, ...]
) -> tuple[Proxy | None, tuple[str, ...]]:
    """Return the proxy of a variable, or why it is not valid."""
    text = _value(environ, name).strip()
    if not text:
        return None, ()
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        shown = parse_proxy_url(url._replace(netloc=url.netloc.rpartition("@")[2]).geturl())
        username, password = _credentials(url)
    except ValueError as error:
        return None, (f"{name} (proxy.from_environment): {_own_message(error)}",)
    found = Proxy(
        url=shown,
        bypass=bypass,
        username=username,
        password=password,
        carries=(Traffic.TUNNELS if name == TUNNELS else Traffic.PLAIN,),
        origin=name if environ.get(name) else name.lower(),
    )
    return found, ()


def _own_message(error: ValueError) -> str:
    """Return our own messages only; those of the standard library may repeat the URL."""
    text = str(error)
    return text if text.startswith("must ") else "must be a URL such as http://proxy.corp.example:3128"


def _credentials(url: SplitResult) -> tuple[str | None, str | None]:
    if url.username is None:
        return None, None
    return unquote(url.username), unquote(url.password or "")


def _case_conflicts(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Warn of a variable that differs from its lower-case form: programs do not agree on which counts."""
    names = (TUNNELS, PLAIN, BYPASS)
    return tuple(
        f"{name} and {name.lower()} differ: Go programs read the first, curl and others the second"
        for name in names
        if environ.get(name) and environ.get(name.lower()) and environ[name] != environ[name.lower()]
    )


def _no_proxy_warnings(text: str) -> tuple[str, ...]:
    """Warn of entries of NO_PROXY that do not do what they seem to."""
    found = []
    entries = text.split(",")
    if any(not entry.strip() for entry in entries) and text.strip():
        found.append(f"{BYPASS} has two commas in a row, or one at an end: az arcappliance rejects it")
    if any(entry != entry.strip() for entry in entries if entry.strip()):
        found.append(f"{BYPASS} has spaces beside its commas: some programs take them for part of a name")
    if unread := [entry.strip() for entry in entries if entry.strip() and not _is_entry(entry.strip())]:
        found.append(f"{BYPASS}: {', '.join(one[:60] for one in unread)} matches nothing")
    return tuple(found)


def _is_entry(text: str) -> bool:
    try:
        parse_bypass(text)
    except ValueError:
        return _is_loose_network(text)
    return True


def _is_loose_network(text: str) -> bool:
    """Return whether this is a network with host bits set, as in 10.1.2.3/8."""
    try:
        parse_bypass(text.partition("/")[0])
    except ValueError:
        return False
    return text.partition("/")[2].isdecimal()
