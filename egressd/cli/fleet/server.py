"""The fleet of a Prometheus, as its flags say."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from egressd.cli.guard import print_stderr
from egressd.cli.log import register_secrets
from egressd.errors import UsageError
from egressd.fields.parse import is_exposed, parse_base_url
from egressd.fleet.values import Fleet
from egressd.prometheus.client import open_client
from egressd.prometheus.fleet import ask_fleet
from egressd.prometheus.httpconfig import HttpConfig, read_http_config


def read_prometheus(url: str, config_file: Path | None, *, at: datetime) -> Fleet:
    """Return the fleet as the Prometheus at a URL saw it at a time.

    Raises:
        UsageError: the URL is wrong.
        ConfigError: the file has mistakes.
        PrometheusError: it can't be asked.
    """
    base = check_prometheus_url(url)
    config = read_http_config(config_file) if config_file is not None else HttpConfig()
    register_secrets(config.secrets)
    if config.secrets and is_exposed(base):
        print_stderr(f"the credentials of {config_file} are sent without TLS: {base} begins with http://")
    return asyncio.run(_read(base, config, at=at))


def check_prometheus_url(url: str) -> str:
    """Return a base URL without the slash at its end. Raises UsageError, which shows no password."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError(
            "--prometheus must hold no user name or password; give them by --http.config.file, basic_auth"
        )
    try:
        return parse_base_url(url)
    except ValueError as error:
        raise UsageError(f"--prometheus {error}") from None


async def _read(url: str, config: HttpConfig, *, at: datetime) -> Fleet:
    from egressd.catalog import load_catalog
    from egressd.planning.pattern import CatalogHosts

    async with open_client(url, config) as client:
        hosts = CatalogHosts(load_catalog().endpoints)
        return await ask_fleet(client, at=at, catalog_hosts=hosts)
