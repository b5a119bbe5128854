"""Configuration and catalog for a command."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from egressd.cli.display import note
from egressd.config import Flags, load_settings
from egressd.config.addresses import (
    concerns_appliance,
    names_of,
    places_of,
    reserved_addresses,
    resolver_places,
)
from egressd.config.load import find_file
from egressd.errors import ConfigError, UsageError
from egressd.fields.parse import parse_listen
from egressd.model.catalog import Catalog
from egressd.model.settings import Settings

LOOKUP_TIMEOUT = 3.0
"""Seconds for the names of a configuration, which are looked up side by side."""


class WebFlags(Struct, frozen=True, kw_only=True):
    """Options of the daemon's HTTP server; they win over the file."""

    listen: str | None = None
    config_file: Path | None = None

    def apply(self, settings: Settings) -> Settings:
        """Put the flags over settings. Raises UsageError."""
        web = settings.web
        if self.listen is not None:
            try:
                web = replace(web, listen=parse_listen(self.listen))
            except ValueError as error:
                raise UsageError(f"--web.listen-address {error}") from None
        if self.config_file is not None:
            web = replace(web, config_file=str(self.config_file))
        return replace(settings, web=web)


def read_settings(config_file: Path | None, flags: Flags) -> tuple[Settings, Catalog]:
    """Load the catalog and the settings; print which file is used if none was named.

    Raises:
        ConfigError: every mistake of the catalog or the file.
        UsageError: a flag that can't be right.
    """
    from egressd.catalog import load_catalog

    path = find_file(config_file)
    if path is not None and config_file is None:
        note(f"using {path}")
    catalog = load_catalog()
    return load_settings(path, flags, catalog=catalog), catalog


def reserved_address_warnings(settings: Settings) -> tuple[str, ...]:
    """Look up the names of the configuration, and warn of what the appliance can't reach from inside."""
    from egressd.net.resolve import addresses_of, system_nameservers

    if not concerns_appliance(settings):
        return ()
    places = places_of(settings)
    if any(one.is_system for one in settings.resolvers):
        places += resolver_places(system_nameservers())
    resolved = asyncio.run(addresses_of(names_of(places), timeout=LOOKUP_TIMEOUT))
    return tuple(dict.fromkeys(reserved_addresses(places, resolved)))


def refuse_sources(settings: Settings, flags: Flags) -> None:
    """Refuse sources that are not on this host.

    Raises:
        ConfigError: an address or interface of the file is not on this host.
        UsageError: one of the command line is not.
    """
    from egressd.engine.plan import refuse_absent_sources

    try:
        refuse_absent_sources(settings)
    except ConfigError as error:
        if not flags.sources:
            raise
        raise UsageError(
            "\n".join(one.replace("sources:", "--source:", 1) for one in error.problems)
        ) from None


def settings_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secrets of proxies and receivers, which no log line may show."""
    found: tuple[str, ...] = ()
    if settings.proxies:
        from egressd.net.tunnel import proxy_secrets

        found = proxy_secrets(*settings.proxies)
    return (*found, *settings.notify.secrets())
