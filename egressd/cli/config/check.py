"""`egressd config check`: every mistake at once, with those that depend on this host or without."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from egressd.cli import options
from egressd.cli.config.document import render_check_json
from egressd.cli.display import DISPLAY, note
from egressd.cli.guard import guarded
from egressd.cli.output import print_line, write
from egressd.cli.settings import reserved_address_warnings
from egressd.config.load import NO_FLAGS, find_file, load_settings
from egressd.errors import ConfigError, ExitCode, UsageError
from egressd.model.catalog import Catalog
from egressd.model.settings import Settings

NoHost = Annotated[
    bool,
    typer.Option(
        "--no-host",
        help="Leave out what depends on this host: files, addresses, names, the environment. For CI.",
    ),
]


config_app = typer.Typer(help="Look at the configuration.", rich_markup_mode=None, no_args_is_help=True)


@config_app.callback()
def config_main() -> None:
    """Look at the configuration."""


@config_app.command("check")
@guarded
@options.takes_display("quiet")
def config_check(
    *,
    config_file: options.ConfigFile = None,
    no_host: NoHost = False,
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the answer is written as.")
    ] = options.ListFormat.TEXT,
) -> ExitCode:
    """List every mistake of the configuration at once; look up the names of your own hosts."""
    from egressd.catalog import load_catalog

    path = find_file(config_file)
    if path is not None and config_file is None:
        note(f"using {path}")
    catalog = load_catalog()
    try:
        settings = _checked(path, catalog) if no_host else _checked_here(path, catalog)
    except (ConfigError, UsageError) as error:
        if fmt is options.ListFormat.TEXT:
            raise
        mistakes = error.problems if isinstance(error, ConfigError) else str(error).split("\n")
        write(render_check_json(path, settings=None, mistakes=mistakes, warnings=()), None)
        return error.exit_code
    found = settings.warnings if no_host else (*settings.warnings, *reserved_address_warnings(settings))
    warnings = tuple(dict.fromkeys(found))
    if fmt is options.ListFormat.JSON:
        write(render_check_json(path, settings=settings, mistakes=(), warnings=warnings), None)
        return ExitCode.OK
    if not DISPLAY.quiet:
        print_line(_summary(settings))
    for warning in warnings:
        print_line(f"warning: {warning}")
    return ExitCode.OK


def _checked(path: Path | None, catalog: Catalog) -> Settings:
    """Check what is the same on every host. Raises ConfigError."""
    return load_settings(path, NO_FLAGS, catalog=catalog, host=False)


def _checked_here(path: Path | None, catalog: Catalog) -> Settings:
    """Check everything. Raises ConfigError with the mistakes of both kinds."""
    from egressd.config.host import host_problems, host_warnings, web_config_of

    problems: list[str] = []
    settings = Settings()
    try:
        settings = load_settings(path, NO_FLAGS, catalog=catalog, more=host_problems)
    except ConfigError as error:
        problems += error.problems
    web, warnings = _web_mistakes(web_config_of(path))
    if problems or web:
        raise ConfigError(tuple(dict.fromkeys((*problems, *web))))
    return replace(settings, warnings=(*settings.warnings, *warnings, *host_warnings(settings)))


def _web_mistakes(web_config: Path | None) -> tuple[Iterable[str], tuple[str, ...]]:
    """Return the mistakes of the web configuration, and warnings about the files that it names."""
    from egressd.fields.files import exposed_secrets
    from egressd.web.access import check_file
    from egressd.web.webconfig import read_web_config

    if web_config is None:
        return (), ()
    try:
        check_file(str(web_config))
        tls = read_web_config(web_config).tls
    except ConfigError as error:
        return error.problems, ()
    return (), exposed_secrets((tls.key_file,) if tls else ())


def _summary(settings: Settings) -> str:
    proxies = [one for one in (settings.proxy, settings.plain_proxy) if one is not None]
    return (
        f"ok: profiles {', '.join(settings.profiles) or 'none'}; cloud {settings.cloud}; "
        f"region {settings.region or 'not set'}; "
        f"site {settings.chosen_site or 'not set, so the name of the host'}; "
        f"sources {len(settings.sources)}; "
        f"resolvers {', '.join(one.name for one in settings.resolvers)}; "
        f"proxy {', '.join(one.url for one in proxies) or 'none'}; "
        f"{f'Arc gateway {settings.arc_gateway.host}; ' if settings.arc_gateway else ''}"
        f"own endpoints {len(settings.endpoints)}; receivers {len(settings.notify.receivers)}; "
        f"digest {settings.digest[:12]}"
    )
