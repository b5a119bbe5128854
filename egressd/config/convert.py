"""Convert a validated file to settings.

Most sections have the fields of the value they become (`build`); only what differs is written out.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import TypeVar

from msgspec.structs import replace

from egressd.config.environment import EnvironmentProxies, read_environment
from egressd.config.gateway import with_gateway
from egressd.config.schema import DAEMON_SECTIONS, EndpointPart, OverridePart, ProxyPart, SweepFile
from egressd.errors import ConfigError
from egressd.fields.files import read_secret
from egressd.fields.parse import parse_resolver
from egressd.fields.service_tags import read_service_tags
from egressd.model.endpoint import Cloud, Endpoint, Expect, Samples
from egressd.model.settings import (
    ArcGateway,
    ConnectTo,
    Limits,
    Override,
    Proxy,
    ServiceTags,
    Settings,
    Source,
    Trust,
)
from egressd.yamlschema import build

Value = TypeVar("Value")


def convert(file: SweepFile, endpoints: tuple[Endpoint, ...], *, host: bool = True) -> Settings:
    """Convert a file without mistakes to settings; without `host`, nothing of the environment is read.

    Its endpoints come apart, as `convert_endpoint` makes them.

    Raises:
        ConfigError: a secret or the proxy variables of the environment can't be used.
    """
    proxies = _proxies(file.proxy, host=host) if file.proxy else EnvironmentProxies()
    controls = file.probe.controls
    settings = Settings(
        site=file.site,
        region=file.region,
        cloud=file.cloud,
        allow_unknown_region=file.allow_unknown_region,
        profiles=tuple(dict.fromkeys(file.profiles)),
        profiles_chosen="profiles" in file.model_fields_set,
        features=None if file.features is None else tuple(dict.fromkeys(file.features)),
        private_link=file.private_link,
        interval=file.interval,
        sources=tuple(build(Source, one) for one in file.sources),
        resolvers=tuple(parse_resolver(one) for one in dict.fromkeys(file.resolvers)),
        trust=build(Trust, file.trust),
        proxy=proxies.proxy,
        plain_proxy=proxies.plain_proxy,
        environment=proxies.warnings,
        service_tags=_service_tags(file.service_tags) if host and file.service_tags else None,
        limits=build(Limits, file.probe, without=("controls",), **vars(controls)),
        endpoints=endpoints,
        overrides=tuple(_override(one) for one in file.overrides),
        connect_to=tuple(build(ConnectTo, one) for one in file.connect_to),
        values=tuple(_values(file.values)),
    )
    if not DAEMON_SECTIONS.isdisjoint(file.model_fields_set):
        settings = _with_daemon(settings, file, host=host)
    if file.arc_gateway is None:
        return settings
    return with_gateway(settings, ArcGateway(prefix=file.arc_gateway, proxy=file.arc_proxy))


def _with_daemon(settings: Settings, file: SweepFile, *, host: bool) -> Settings:
    from egressd.config.daemon import File, with_daemon  # noqa: PLC0415 - see DAEMON_SECTIONS

    return with_daemon(settings, file, host=host) if isinstance(file, File) else settings


def _proxies(part: ProxyPart, *, host: bool) -> EnvironmentProxies:
    """Return the proxy of the file, or those of the environment; the file's credentials and CA win."""
    if not part.from_environment:
        return EnvironmentProxies(
            proxy=_completed(Proxy(url=part.url or "", bypass=tuple(part.bypass)), part, host=host)
        )
    if not host:
        return EnvironmentProxies()
    found = read_environment(os.environ)
    return replace(
        found,
        proxy=_completed(found.proxy, part, host=host),
        plain_proxy=_completed(found.plain_proxy, part, host=host),
    )


def _completed(proxy: Proxy | None, part: ProxyPart, *, host: bool) -> Proxy | None:
    if proxy is None:
        return None
    proxy = replace(proxy, ca_file=part.ca_file)
    if part.username is None or part.password_file is None:
        return proxy
    password = _password(part.password_file) if host else None
    return replace(proxy, username=part.username, password=password)


def _service_tags(path: str) -> ServiceTags:
    try:
        return read_service_tags(Path(path))
    except ValueError as error:  # it could be read a moment ago
        raise ConfigError((f"service_tags: {error}",)) from None


def _password(path: str) -> str:
    try:
        return read_secret(Path(path))
    except ValueError as error:  # it could be read a moment ago
        raise ConfigError((f"proxy.password_file: {error}",)) from None


def convert_endpoint(part: EndpointPart) -> Endpoint:
    """Convert an endpoint of the operator's own: it has no profile, and every cloud unless it names some."""
    return build(
        Endpoint,
        part,
        without=("host", "path"),
        profile="",
        port=part.port[0] if part.port else None,
        last_port=part.port[1] if part.port else None,
        paths=_shared(tuple(part.paths) or (part.path or "/",)),
        service=intern(part.service or part.id),
        pattern=part.host or part.pattern or "",
        purpose=part.purpose or "",
        expect=_shared(build(Expect, part.expect)),
        samples=_shared(build(Samples, part.samples)),
        clouds=_shared(tuple(part.clouds) or tuple(Cloud)),
    )


@lru_cache(maxsize=256)
def _shared(value: Value) -> Value:
    """Return the first of equal values: thousands of endpoints say the same."""
    return value


def _override(part: OverridePart) -> Override:
    return build(Override, part, expect=build(Expect, part.expect) if part.expect else None)


def _values(given: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Flatten to one pair for each value."""
    return [(key, one.lower()) for key, values in given.items() for one in dict.fromkeys(values)]
