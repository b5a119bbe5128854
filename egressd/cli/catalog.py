"""`egressd catalog`: what is known of the endpoints, and the rules to ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from egressd.cli import options
from egressd.cli.display import width
from egressd.cli.guard import guarded
from egressd.cli.importing.command import catalog_import
from egressd.cli.importing.drift import catalog_drift
from egressd.cli.output import write, write_rules
from egressd.cli.outputfile import check_output
from egressd.cli.reference.values import complete_endpoints
from egressd.cli.settings import read_settings
from egressd.config import Flags
from egressd.errors import ExitCode
from egressd.model.endpoint import Cloud, Need, Role

catalog_app = typer.Typer(
    help="Look at the endpoints, export the rules to ask for, import a list.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


catalog_app.command("import")(catalog_import)
catalog_app.command("drift")(catalog_drift)


@catalog_app.callback()
def catalog_main() -> None:
    """Look at the endpoints, export the rules to ask for, import a list."""


@catalog_app.command("profiles")
@guarded
def catalog_profiles(
    *,
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the profiles are written as.")
    ] = options.ListFormat.TEXT,
    output: options.Output = None,
) -> ExitCode:
    """List the products that can be checked: for whom, in which clouds and regions, with how many rows."""
    from egressd.catalog import load_catalog
    from egressd.catalog.profiles import render_profiles, render_profiles_json
    from egressd.config.load import read_this_host
    from egressd.model.settings import Settings

    check_output(output)
    catalog = load_catalog()
    found = read_this_host(Settings()).host.endpoints
    catalog = replace(catalog, endpoints=(*catalog.endpoints, *found))
    as_json = fmt is options.ListFormat.JSON
    write(render_profiles_json(catalog) if as_json else render_profiles(catalog, width=width(output)), output)
    return ExitCode.OK


@catalog_app.command("list")
@guarded
@options.takes_flags("region", "allow_unknown_region", "cloud", "profiles", "features", "only")
def catalog_list(
    *,
    config_file: options.ConfigFile = None,
    flags: Flags,
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the list is written as.")
    ] = options.ListFormat.TEXT,
    output: options.Output = None,
) -> ExitCode:
    """List the endpoints of the selected products."""
    from egressd.catalog.document import render_endpoints_json
    from egressd.catalog.table import render_list

    check_output(output)
    settings, catalog = read_settings(config_file, flags)
    as_json = fmt is options.ListFormat.JSON
    text = (
        render_endpoints_json(catalog, settings)
        if as_json
        else render_list(catalog, settings, width=width(output))
    )
    write(text, output)
    return ExitCode.OK


@catalog_app.command("features")
@guarded
def catalog_features(
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the list is written as.")
    ] = options.ListFormat.TEXT,
) -> ExitCode:
    """List what `features` in the configuration and `--feature` can name, and which profiles have it."""
    from egressd.catalog import load_catalog
    from egressd.catalog.table import feature_document, render_features

    catalog = load_catalog()
    if fmt is options.ListFormat.JSON:
        write(json.dumps(feature_document(catalog), indent=2) + "\n", None)
    else:
        write(render_features(catalog, width=width()), None)
    return ExitCode.OK


@catalog_app.command("show")
@guarded
@options.takes_flags("region", "allow_unknown_region", "cloud", "profiles", "features", "arc_gateway")
def catalog_show(
    match: Annotated[
        str,
        typer.Argument(
            metavar="ENDPOINT",
            help="An id or pattern; `*` stands for anything.",
            autocompletion=complete_endpoints,
        ),
    ],
    *,
    config_file: options.ConfigFile = None,
    flags: Flags,
) -> ExitCode:
    """Show everything known of an endpoint, and what the plan makes of it."""
    from egressd.catalog.table import render_show
    from egressd.engine.plan import plan_sweep

    settings, catalog = read_settings(config_file, flags)
    plan = plan_sweep(settings, catalog)
    write(render_show(catalog, settings, plan, match=match, width=width()), None)
    return ExitCode.OK


@catalog_app.command("regions")
@guarded
def catalog_regions(
    *,
    cloud: Annotated[Cloud | None, typer.Option("--cloud", help="Only regions of this Azure cloud.")] = None,
) -> ExitCode:
    """List the regions, and which products' documents name them."""
    from egressd.catalog import load_catalog
    from egressd.catalog.table import render_regions

    write(render_regions(load_catalog(), cloud, width=width()), None)
    return ExitCode.OK


@catalog_app.command("export")
@guarded
@options.takes_flags(
    "region",
    "allow_unknown_region",
    "cloud",
    "profiles",
    "features",
    "sources",
    "proxy",
    "arc_gateway",
    "only",
)
def catalog_export(
    *,
    config_file: options.ConfigFile = None,
    flags: Flags,
    role: Annotated[
        list[Role] | None,
        typer.Option("--role", metavar="ROLE", help="Only what machines of this role need; repeatable."),
    ] = None,
    need: Annotated[
        list[Need] | None, typer.Option("--need", help="Only rules of this need; repeatable.")
    ] = None,
    fmt: options.RuleLanguage = options.RuleFormat.CSV,
    output: options.Output = None,
) -> ExitCode:
    """Export the firewall rules to ask for: from the host, and from the proxy where there is one."""
    from egressd.catalog.export import RuleFilter, planned_rules

    check_output(output)
    settings, catalog = read_settings(config_file, flags)
    wanted = RuleFilter(roles=tuple(role or ()), needs=tuple(need or ()))
    write_rules(planned_rules(catalog, settings, wanted), fmt, output)
    return ExitCode.OK


@catalog_app.command("diff")
@guarded
def catalog_diff(
    before: Annotated[
        Path,
        typer.Argument(
            metavar="OLD", help="A folder of catalog files, or one profile's file.", readable=False
        ),
    ],
    after: Annotated[
        Path | None,
        typer.Argument(metavar="NEW", help="The same; without it, the catalog built in.", readable=False),
    ] = None,
    *,
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the changes are written as.")
    ] = options.ListFormat.TEXT,
    output: options.Output = None,
) -> ExitCode:
    """Show which rows were added, removed and changed from one catalog to another."""
    from egressd.catalog.diff import compare_catalogs, render_catalog_diff_json, render_catalog_diff_text
    from egressd.catalog.read import load_pair

    check_output(output)
    changes = compare_catalogs(*load_pair(before, after))
    text = (
        render_catalog_diff_json(changes)
        if fmt is options.ListFormat.JSON
        else render_catalog_diff_text(changes, width=width(output))
    )
    write(text, output)
    return ExitCode.OK
