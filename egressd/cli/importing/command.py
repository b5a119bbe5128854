"""`egressd catalog import FILE`: read, check by the schema of the configuration, write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from egressd.cli import options
from egressd.cli.guard import guarded, print_stderr
from egressd.cli.input import read_input
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.errors import ConfigError, ExitCode, UsageError
from egressd.wording import count

if TYPE_CHECKING:
    from egressd.cli.importing.rows import ImportedEndpoint


@guarded
def catalog_import(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A list as CSV, JSON or YAML; - is stdin.", readable=False)
    ],
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows that can't be used, and say which.")
    ] = False,
    output: options.Output = None,
) -> ExitCode:
    """Turn a list of endpoints into `endpoints:` for the configuration; every bad row is named at once.

    The list is a vendor's, your own, or one that `catalog export` wrote. It needs a column for the host
    (or URL, or wildcard with `samples`); port, protocol, need, roles, service, purpose are used where there.
    """
    from egressd.cli.importing.rows import import_rows
    from egressd.cli.importing.table import read_table

    check_output(output)
    name = "stdin" if str(file) == "-" else str(file)
    table = read_table(_text(file), name)
    found = import_rows(table.rows)
    problems = _problems(found, name)
    if problems and not skip_bad:
        raise ConfigError(tuple(line for lines in problems.values() for line in lines))
    if problems:
        print_stderr("\n".join(f"left out: {line}" for lines in problems.values() for line in lines))
    if table.unused:
        print_stderr(f"columns that were not used: {', '.join(table.unused)}")
    good = tuple(one for index, one in enumerate(found) if index not in problems)
    if not good:
        raise UsageError(f"cannot import {name}: no row of it can be used")
    write(_render(good, name), output)
    return ExitCode.OK


def _text(file: Path) -> str:
    from egressd.yamlfile import MAX_CHARACTERS

    try:
        text = read_input(file, limit=4 * MAX_CHARACTERS)
    except UsageError as error:
        raise UsageError(f"cannot import {file}: {error}") from None
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"cannot import {file}: more than {MAX_CHARACTERS} characters")
    return text


def _problems(found: tuple[ImportedEndpoint, ...], name: str) -> dict[int, list[str]]:
    """Return what is wrong with each endpoint, by its index: as `config check` reports it."""
    from egressd.catalog import load_catalog
    from egressd.config.load import problems_in
    from egressd.yamlfile import Document

    data = {"profiles": [], "endpoints": [one.row for one in found]}
    lines: dict[tuple[str | int, ...], int] = {
        ("endpoints", index): one.line for index, one in enumerate(found)
    }
    document = Document(data=data, name=name, lines=lines)
    problems: dict[int, list[str]] = {}
    for line in problems_in(document, load_catalog(), folder=Path()):
        place = re.search(r": endpoints\[(\d+)\]\.?", line)
        index = int(place[1]) if place else 0
        # The index in our list means nothing to the author of the file: the line and the host do.
        row = found[index].row
        named = f": {row.get('host') or row.get('pattern') or 'no host'}: "
        problems.setdefault(index, []).append(line.replace(place[0], named, 1) if place else line)
    return dict(sorted(problems.items()))


def _render(good: tuple[ImportedEndpoint, ...], name: str) -> str:
    import yaml

    from egressd.report.text import clean

    origin = f"{count(len(good), 'endpoint')} from {clean(Path(name).name)}"
    head = f"# {origin}; check by: egressd config check --config.file FILE\n"
    rows = [{key: value for key, value in one.row.items() if value not in ("", [])} for one in good]

    def dump(*, allow_unicode: bool) -> str:
        return str(
            yaml.safe_dump(
                {"endpoints": rows},
                sort_keys=False,
                allow_unicode=allow_unicode,
                width=100,
                default_flow_style=False,
            )
        )

    text = dump(allow_unicode=True)
    # YAML lets characters pass that change the direction of writing: with those, everything is escaped.
    return head + (text if text.replace("\n", "").isprintable() else dump(allow_unicode=False))
