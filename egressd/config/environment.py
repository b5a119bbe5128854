"""The proxy variables of the environment, read as Go programs read them: the agents are such programs.

Law of the file: what a variable holds is never repeated in a message; URLs with passwords stand there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, unquote, urlsplit

from egressd.errors import ConfigError
from egressd.fields.parse import parse_bypass, parse_proxy_url
from egressd.model.settings import Proxy, Traffic

TUNNELS, PLAIN, BYPASS = "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"
NEVER_PROXIED = ("localhost", "127.0.0.0/8", "::1")
"""What Go programs reach directly, whatever NO_PROXY says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentProxies:
    """What the environment says."""

    proxy: Proxy | None = None
    plain_proxy: Proxy | None = None
    """The proxy of plain HTTP, where it is another one."""
    warnings: tuple[str, ...] = ()


def read_environment(environ: Mapping[str, str]) -> EnvironmentProxies:
    """Read HTTPS_PROXY, HTTP_PROXY and NO_PROXY; where one is not set, the same in lower case.

    Raises:
        ConfigError: a URL that can't be a proxy's.
    """
    text = _value(environ, BYPASS)
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    bypass = (*entries, *NEVER_PROXIED)
    tunnels, problems = _proxy(environ, TUNNELS, bypass)
    plain, more = _proxy(environ, PLAIN, bypass)
    if problems or more:
        raise ConfigError((*problems, *more))
    warnings = (*_doubled(environ), *_pitfalls(text))
    if tunnels is None and plain is None:
        nothing = (
            "the environment is to name the proxy, and neither HTTPS_PROXY nor HTTP_PROXY is set: "
            "everything is reached directly"
        )
        return EnvironmentProxies(warnings=(nothing, *warnings))
    if tunnels is None or plain is None:
        one = tunnels or plain
        return EnvironmentProxies(proxy=one, warnings=warnings)
    if _alike(tunnels, plain):
        both = replace(tunnels, carries=tuple(Traffic), origin=f"{tunnels.origin}, {plain.origin}")
        return EnvironmentProxies(proxy=both, warnings=warnings)
    return EnvironmentProxies(proxy=tunnels, plain_proxy=plain, warnings=warnings)


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.lower()) or ""


def _alike(one: Proxy, other: Proxy) -> bool:
    return (one.url, one.username, one.password) == (other.url, other.username, other.password)


def _proxy(
    environ: Mapping[str, str], name: str, bypass: tuple[str, ...]
) -> tuple[Proxy | None, tuple[str, ...]]:
    """Return the proxy a variable names, or why it can't be one."""
    text = _value(environ, name).strip()
    if not text:
        return None, ()
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        shown = parse_proxy_url(url._replace(netloc=url.netloc.rpartition("@")[2]).geturl())
        username, password = _credentials(url)
    except ValueError as error:
        return None, (f"{name} (proxy.from_environment): {_sentence(error)}",)
    found = Proxy(
        url=shown,
        bypass=bypass,
        username=username,
        password=password,
        carries=(Traffic.TUNNELS if name == TUNNELS else Traffic.PLAIN,),
        origin=name if environ.get(name) else name.lower(),
    )
    return found, ()


def _sentence(error: ValueError) -> str:
    """Return our own sentence; the words of others may repeat the URL."""
    text = str(error)
    return text if text.startswith("must ") else "must be a URL such as http://proxy.corp.example:3128"


def _credentials(url: SplitResult) -> tuple[str | None, str | None]:
    if url.username is None:
        return None, None
    return unquote(url.username), unquote(url.password or "")


def _doubled(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Say where a variable and its lower-case twin differ: programs do not agree on which counts."""
    names = (TUNNELS, PLAIN, BYPASS)
    return tuple(
        f"{name} and {name.lower()} differ: Go programs read the first, curl and others the second"
        for name in names
        if environ.get(name) and environ.get(name.lower()) and environ[name] != environ[name.lower()]
    )


def _pitfalls(text: str) -> tuple[str, ...]:
    """Say what in NO_PROXY does not mean what it seems to."""
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
    """Say whether a network is only written with host bits, as in 10.1.2.3/8."""
    try:
        parse_bypass(text.partition("/")[0])
    except ValueError:
        return False
    return text.partition("/")[2].isdecimal()
