"""The flags of the command line; they win over the file."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from egressd.config.environment import EnvironmentProxies, read_environment
from egressd.config.gateway import gateway_from_flag
from egressd.errors import UsageError
from egressd.fields import parse
from egressd.fields.service_tags import read_service_tags
from egressd.model.endpoint import Cloud
from egressd.model.settings import Proxy, ServiceTags, Settings, Source
from egressd.planning.region import normalize_region


class Flags(Struct, frozen=True, kw_only=True):
    """Flags as given on the command line. None or empty if not given."""

    site: str | None = None
    """The host's place in a fleet."""
    region: str | None = None
    allow_unknown_region: bool = False
    """Whether a region that the catalog does not know is taken as written."""
    cloud: Cloud | None = None
    profiles: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """`ADDRESS`, `INTERFACE`, or either as `name=...`."""
    proxy: str | None = None
    """A URL, `env` for the proxy variables of the environment, or `none`."""
    arc_gateway: str | None = None
    """A URL, a prefix, or `none`."""
    service_tags: Path | None = None
    """Microsoft's file of address ranges."""
    compare_paths: bool = False
    only: tuple[str, ...] = ()
    strict: bool = False
    """Whether a degraded required target fails the sweep."""
    features: tuple[str, ...] = ()
    """What of the products is in use."""
    private_link: bool | None = None
    """Whether an Azure Arc private link scope is in use."""
    deadline: str | None = None
    """The most the sweep may take, as a duration."""
    variables: tuple[str, ...] = ()
    """The environment variables that gave some of these flags."""
    warnings: tuple[str, ...] = ()
    """Environment variables that look like flags, and mean nothing."""


def apply_flags(flags: Flags, settings: Settings) -> Settings:
    """Apply flags over settings. Raises UsageError, and ConfigError for the proxy variables."""
    limits = settings.limits
    if flags.deadline is not None:
        limits = replace(limits, sweep_deadline=_deadline(flags.deadline))
    settings = _with_proxy(flags, settings)
    settings = replace(
        settings,
        service_tags=_service_tags(flags.service_tags) or settings.service_tags,
        site=_site(flags.site) or settings.site,
        region=_region(flags.region) or settings.region,
        allow_unknown_region=flags.allow_unknown_region or settings.allow_unknown_region,
        cloud=flags.cloud or settings.cloud,
        profiles=flags.profiles or settings.profiles,
        profiles_chosen=bool(flags.profiles) or settings.profiles_chosen,
        sources=_sources(flags.sources) or settings.sources,
        only=flags.only or settings.only,
        limits=limits,
        strict=flags.strict,
        features=tuple(dict.fromkeys(flags.features)) or settings.features,
        variables=flags.variables,
        private_link=settings.private_link if flags.private_link is None else flags.private_link,
    )
    return gateway_from_flag(flags.arc_gateway, settings)


def _region(text: str | None) -> str | None:
    try:
        return None if text is None else normalize_region(text)
    except ValueError as error:
        raise UsageError(f"--region {error}") from None


def _site(text: str | None) -> str | None:
    try:
        return None if text is None else parse.parse_site(text)
    except ValueError as error:
        raise UsageError(f"--site {error}") from None


def _service_tags(path: Path | None) -> ServiceTags | None:
    try:
        return None if path is None else read_service_tags(path)
    except ValueError as error:
        raise UsageError(f"--service-tags {error}") from None


def _deadline(text: str) -> float:
    try:
        return parse.parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--deadline {error}") from None


def _sources(texts: tuple[str, ...]) -> tuple[Source, ...]:
    found = tuple(_source(text) for text in texts)
    if len({one.name for one in found}) < len(found):
        raise UsageError("--source: two sources have one name; write name=ADDRESS")
    return found


def _source(text: str) -> Source:
    name, equals, place = text.rpartition("=")
    if not place or (equals and not name):
        raise UsageError(f"--source must be ADDRESS, INTERFACE or name=either, not {text!r}")
    try:
        return Source(name=name or place, address=parse.normalize_address(place))
    except ValueError:
        pass
    try:
        return Source(name=name or place, interface=parse.parse_interface(place))
    except ValueError as error:
        raise UsageError(f"--source {text!r}: {error}, or an IP address") from None


def _with_proxy(flags: Flags, settings: Settings) -> Settings:
    """Apply the proxy of the flags; comparing paths needs one."""
    found = _proxies(flags.proxy, settings)
    if flags.compare_paths and found.proxy is None:
        raise UsageError("--compare-paths needs a proxy to compare with: --proxy, or proxy: in the file")
    return replace(
        settings,
        proxy=found.proxy,
        plain_proxy=found.plain_proxy,
        environment=found.warnings,
        compare_paths=flags.compare_paths,
    )


def _proxies(text: str | None, settings: Settings) -> EnvironmentProxies:
    """Return the proxy of a URL, with the configured bypass list; a password is kept for its own URL only."""
    configured = settings.proxy
    if text is None:
        return EnvironmentProxies(
            proxy=configured, plain_proxy=settings.plain_proxy, warnings=settings.environment
        )
    if text == "none":
        return EnvironmentProxies()
    if text == "env":
        return read_environment(os.environ)
    try:
        url = parse.parse_proxy_url(text)
    except ValueError as error:
        raise UsageError(f"--proxy {error}, or be env or none") from None
    if configured is not None and configured.url == url and not configured.origin:
        return EnvironmentProxies(proxy=configured)
    return EnvironmentProxies(proxy=Proxy(url=url, bypass=configured.bypass if configured else ()))
