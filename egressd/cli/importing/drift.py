"""`egressd catalog drift --against FILE`: what a document says today, and the catalog does not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from egressd.cli import options
from egressd.cli.display import width
from egressd.cli.guard import guarded
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.cli.settings import read_settings
from egressd.config import Flags
from egressd.errors import ExitCode, UnreadableFileError, UsageError


@guarded
@options.takes_flags("region", "cloud", "profiles")
def catalog_drift(
    *,
    against: Annotated[
        Path,
        typer.Option(
            "--against",
            metavar="FILE",
            help="A document as others wrote it, or a folder of them.",
            readable=False,
        ),
    ],
    config_file: options.ConfigFile = None,
    flags: Flags,
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the drift is written as.")
    ] = options.ListFormat.TEXT,
    output: options.Output = None,
) -> ExitCode:
    """Compare a document with the catalog: which rows came, went and changed; exit 1 if any did.

    It reads what `catalog import` reads. Which document of the catalog a file stands for is told by its path
    or its rows, or by --profile; what was assumed is said.
    """
    from egressd.catalog.drift import Against, compare_documents, render_drift_json, render_drift_text
    from egressd.documents.named import read_named

    check_output(output)
    settings, catalog = read_settings(config_file, flags)
    try:
        read = read_named(against)
    except UnreadableFileError as error:
        raise UsageError(str(error)) from None
    drift = compare_documents(
        catalog,
        read,
        Against(
            profiles=flags.profiles,
            cloud=flags.cloud,
            region=settings.region if flags.region is not None else None,
            own=settings.endpoints,
            place=str(against),
        ),
    )
    text = (
        render_drift_json(drift)
        if fmt is options.ListFormat.JSON
        else render_drift_text(drift, width=width(output))
    )
    write(text, output)
    return ExitCode.FAILED if drift.drifted else ExitCode.OK
