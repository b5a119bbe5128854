"""`egressd plan`: what a sweep would probe."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from egressd.cli import options
from egressd.cli.display import width
from egressd.cli.guard import guarded
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.cli.saved import only_failed
from egressd.cli.settings import read_settings
from egressd.config import Flags
from egressd.errors import ExitCode


@guarded
@options.takes_display("quiet")
@options.takes_flags(*options.PLAN_FLAGS)
def plan(
    *,
    config_file: options.ConfigFile = None,
    flags: Flags,
    only_failed_in: options.OnlyFailed = None,
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the plan is written as.")
    ] = options.ListFormat.TEXT,
    output: options.Output = None,
) -> ExitCode:
    """Print what would be probed, from where, and why; touch nothing."""
    from egressd.engine.plan import plan_sweep
    from egressd.planning.document import plan_document
    from egressd.planning.render import render_plan

    check_output(output)
    settings, catalog = read_settings(config_file, flags)
    settings = only_failed(settings, only_failed_in)
    made = plan_sweep(settings, catalog)
    if fmt is options.ListFormat.JSON:
        write(json.dumps(plan_document(made), indent=2, ensure_ascii=False) + "\n", output)
    else:
        write(render_plan(made, width=width(output)), output)
    return ExitCode.OK
