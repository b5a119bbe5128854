"""`egressd catalog`: what is known of the endpoints, and the rules to ask for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from egressd.cli import options
from egressd.cli.guard import guarded
from egressd.cli.output import check_output, write
from egressd.cli.settings import read
from egressd.config import Flags
from egressd.errors import ExitCode

catalog_app = typer.Typer(
    help="Look at the endpoints, and export the rules to ask for.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


class RuleFormat(StrEnum):
    """What rules are written as."""

    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


@catalog_app.callback()
def catalog_main() -> None:
    """Look at the endpoints, and export the rules to ask for."""


@catalog_app.command("list")
@guarded
def catalog_list(
    *,
    config_file: options.ConfigFile = None,
    region: options.Region = None,
    cloud: options.CloudName = None,
    profile: options.Profiles = None,
    only: options.Only = None,
) -> ExitCode:
    """List the endpoints of the selected products."""
    from egressd.catalog.table import render_list

    flags = Flags(region=region, cloud=cloud, profiles=tuple(profile or ()), only=tuple(only or ()))
    settings, catalog = read(config_file, flags)
    write(render_list(catalog, settings), None)
    return ExitCode.OK


@catalog_app.command("show")
@guarded
def catalog_show(
    match: Annotated[
        str, typer.Argument(metavar="ENDPOINT", help="An id or pattern; `*` stands for anything.")
    ],
    *,
    config_file: options.ConfigFile = None,
    region: options.Region = None,
    cloud: options.CloudName = None,
    profile: options.Profiles = None,
) -> ExitCode:
    """Show everything known of an endpoint, and what the plan makes of it."""
    from egressd.catalog.table import render_show
    from egressd.drive import plan_sweep

    flags = Flags(region=region, cloud=cloud, profiles=tuple(profile or ()))
    settings, catalog = read(config_file, flags)
    write(render_show(catalog, settings, plan_sweep(settings, catalog), match=match), None)
    return ExitCode.OK


@catalog_app.command("export")
@guarded
def catalog_export(
    *,
    config_file: options.ConfigFile = None,
    region: options.Region = None,
    cloud: options.CloudName = None,
    profile: options.Profiles = None,
    source: options.Sources = None,
    only: options.Only = None,
    fmt: Annotated[
        RuleFormat, typer.Option("--format", help="What the rules are written as.")
    ] = RuleFormat.CSV,
    output: options.Output = None,
) -> ExitCode:
    """Export the firewall rules to ask for, per machine role."""
    from egressd.catalog.export import export_rules

    flags = Flags(
        region=region,
        cloud=cloud,
        profiles=tuple(profile or ()),
        sources=tuple(source or ()),
        only=tuple(only or ()),
    )
    check_output(output)
    settings, catalog = read(config_file, flags)
    write(export_rules(catalog, settings, fmt.value), output)
    return ExitCode.OK
