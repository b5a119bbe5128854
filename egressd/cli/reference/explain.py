"""`egressd explain`: what reason codes and blame words mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from egressd.cli import options
from egressd.cli.display import width
from egressd.cli.guard import guarded
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.cli.reference.values import complete_explained
from egressd.errors import ExitCode
from egressd.wording import count

if TYPE_CHECKING:
    from egressd.report.explain import Explained

MOST_IN_FULL = 8
"""Explanations that are shown in full; of more, the titles."""


@guarded
def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REASON",
            help="Reason codes, such as tls_sni_reset; 'tls_*' for several; or blame words: firewall_l7.",
            autocompletion=complete_explained,
        ),
    ] = None,
    *,
    fmt: Annotated[
        options.ListFormat, typer.Option("--format", "-f", help="What the explanations are written as.")
    ] = options.ListFormat.TEXT,
    output: options.Output = None,
) -> ExitCode:
    """Explain reason codes and blame words; without any, list every code."""
    from egressd.report.explain import choose_explained, render_explained_json, render_reason_list

    check_output(output)
    found = choose_explained(words or ())
    if fmt is options.ListFormat.JSON:
        write(render_explained_json(found), output)
        return ExitCode.OK
    columns = width(output, most=100)
    write(_text(found, columns) if words else render_reason_list(width=columns), output)
    return ExitCode.OK


def _text(found: Explained, columns: int) -> str:
    from egressd.report.explain import render_blame, render_explanation, render_titles

    blames = [render_blame(one, width=columns) for one in found.blames]
    if len(found.reasons) > MOST_IN_FULL:
        number = count(len(found.reasons), "reason code")
        head = f"{number}; name one for what it means, or take all with --format json\n\n"
        return "\n\n".join([head + render_titles(found.reasons, width=columns), *blames])
    return "\n\n".join([*(render_explanation(one, width=columns) for one in found.reasons), *blames])
