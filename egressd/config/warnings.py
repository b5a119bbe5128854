"""Warnings of settings that work here and fail on the appliance: what the bridge's own checks refuse.

None is a mistake of the file. Each is one sentence: what, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from egressd.config.addresses import concerns_appliance, places_of, reserved_addresses
from egressd.errors import UnreadableFileError
from egressd.inputfile import read_file
from egressd.model.endpoint import Role
from egressd.model.settings import Proxy, Settings, Source
from egressd.planning.path.bypass import bypass_entry

AGENT_PROFILE = "connected-machine"
API_PORT = 6443
LARGEST_BUNDLE = 16 << 20
ON_APPLIANCE = frozenset({Role.APPLIANCE, Role.CONTROL_PLANE})


def appliance_warnings(settings: Settings) -> tuple[str, ...]:
    """Return warnings of settings that would not work where the products run."""
    found: list[str] = []
    proxies = [one for one in (settings.proxy, settings.plain_proxy) if one is not None]
    if concerns_appliance(settings):
        found += reserved_addresses(places_of(settings))
        for proxy in proxies:
            found += [
                *_proxy_names(proxy),
                *_bypass_entries(proxy),
                *_unbypassed_appliances(settings.sources, proxy),
                *_ca_bundles(proxy),
            ]
    if AGENT_PROFILE in settings.profiles:
        found += [text for proxy in proxies for text in _agent_warnings(proxy)]
    return tuple(dict.fromkeys(found))


def _proxy_names(proxy: Proxy) -> Iterator[str]:
    host = urlsplit(proxy.url).hostname or ""
    if host.endswith(".local"):
        yield f"proxy {proxy.url}: az arcappliance refuses a proxy with a name in .local; use another name"


def _bypass_entries(proxy: Proxy) -> Iterator[str]:
    """Find entries that the appliance's noProxy does not accept."""
    for entry in proxy.bypass:
        if entry == "*":
            yield "proxy.bypass: * bypasses the proxy for everything; the appliance's noProxy rejects it"
        elif "*" in entry:
            yield (
                f"proxy.bypass: {entry}: the appliance's noProxy takes no *; write {entry.removeprefix('*')}"
            )


def _unbypassed_appliances(sources: Iterable[Source], proxy: Proxy) -> Iterator[str]:
    """Find addresses of the appliance that the management machine would reach through the proxy."""
    missing = [
        one.address
        for one in sources
        if one.address
        and ON_APPLIANCE & set(one.roles)
        and Role.MANAGEMENT not in one.roles
        and not bypass_entry(one.address, API_PORT, proxy.bypass)
    ]
    if missing:
        yield (
            f"proxy.bypass should name {', '.join(missing)}: the management machine must reach the appliance "
            f"without the proxy (ports 22 and {API_PORT})"
        )


def _ca_bundles(proxy: Proxy) -> Iterator[str]:
    """Find a CA file with several certificates: the appliance accepts one."""
    if proxy.ca_file is None:
        return
    try:
        count = read_file(Path(proxy.ca_file), limit=LARGEST_BUNDLE).count(b"BEGIN CERTIFICATE")
    except UnreadableFileError:
        return  # reported where the file is read
    if count > 1:
        yield f"proxy.ca_file: {proxy.ca_file} holds {count} certificates; az arcappliance accepts only one"


def _agent_warnings(proxy: Proxy) -> Iterator[str]:
    if proxy.username is not None:
        yield (
            f"proxy {proxy.url}: the Connected Machine agent can't log in at a proxy; "
            "exempt its addresses from authentication"
        )
    if proxy.url.startswith("https:"):
        yield f"proxy {proxy.url}: the Connected Machine agent speaks plain HTTP to its proxy, not TLS"
