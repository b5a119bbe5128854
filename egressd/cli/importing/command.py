"""`egressd catalog import FILE`: read, check by the schema of the configuration, write."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from egressd.cli import options
from egressd.cli.guard import guarded, print_stderr
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.errors import ConfigError, ExitCode, UnreadableFileError, UsageError
from egressd.wording import count

if TYPE_CHECKING:
    from egressd.cli.importing.rows import ImportedEndpoint
    from egressd.documents.folder import FolderListings


@guarded
def catalog_import(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A document or a list, or a folder of them; - is stdin.", readable=False
        ),
    ],
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows that can't be used, and say which.")
    ] = False,
    output: options.Output = None,
) -> ExitCode:
    """Turn a list of endpoints into `endpoints:` for the configuration; every bad row is named at once.

    The list is one of Microsoft's documents (Markdown, or saved from a browser), targets or results of the
    Environment Checker, a vendor's or your own table, hosts line by line, or what `catalog export` wrote.
    Rows that can't be probed are kept as rules, and named.
    """
    from egressd.cli.importing.rows import import_rows

    check_output(output)
    name = "stdin" if str(file) == "-" else str(file)
    read = _read(file)
    found = import_rows(row for one in read.listings for row in one.rows)
    problems = _problems(found, name)
    if problems and not skip_bad:
        raise ConfigError(tuple(line for lines in problems.values() for line in lines))
    good = tuple(one for index, one in enumerate(found) if index not in problems)
    said = [f"left out: {line}" for lines in problems.values() for line in lines]
    said += [line for one in read.listings for line in one.notes]
    said += read.notes
    unused = dict.fromkeys(column for one in read.listings for column in one.unused)
    said += [f"columns that were not used: {', '.join(unused)}"] if unused else []
    if said:
        print_stderr("\n".join(said))
    if not good:
        raise UsageError(f"cannot import {name}: no row of it can be used")
    if kept := _kept(good):
        print_stderr("\n".join(kept))
    write(_render(good, name), output)
    return ExitCode.OK


def _read(file: Path) -> FolderListings:
    from egressd.documents.named import read_named
    from egressd.documents.read import MOST_BYTES

    try:
        stdin = sys.stdin.buffer.read(MOST_BYTES + 1) if str(file) == "-" else None
        return read_named(file, stdin)
    except UnreadableFileError as error:
        why = str(error).removeprefix(f"cannot read {file}: ")
        raise UsageError(f"cannot import {file}: {why}") from None
    except UsageError as error:
        raise UsageError(str(error).replace("cannot read", "cannot import", 1)) from None
    except OSError as error:  # of stdin
        raise UsageError(f"cannot import stdin: {error.strerror or error}") from None


def _problems(found: tuple[ImportedEndpoint, ...], name: str) -> dict[int, list[str]]:
    """Return what is wrong with each endpoint, by its index: as `config check` reports it."""
    from egressd.catalog import load_catalog
    from egressd.config.load import problems_in
    from egressd.yamlfile import Document

    problems: dict[int, list[str]] = {
        index: [f"{one.origin}:{one.line}: {one.text[:80]}: {why}" for why in one.problems]
        for index, one in enumerate(found)
        if one.problems
    }
    data = {"profiles": [], "endpoints": [one.row for one in found]}
    lines: dict[tuple[str | int, ...], int] = {
        ("endpoints", index): one.line for index, one in enumerate(found)
    }
    document = Document(data=data, name=name, lines=lines)
    for line in problems_in(document, load_catalog(), folder=Path()):
        place = re.search(r"^(.*): endpoints\[(\d+)\]\.?", line)
        index = int(place[2]) if place else 0
        if index in problems and found[index].problems:
            continue  # what could not be read says more than what became of it
        # The index in our list means nothing to the author of the file: the line and the host do.
        one = found[index]
        named = f"{one.origin}:{one.line}: {one.row.get('host') or one.row.get('pattern') or 'no host'}: "
        problems.setdefault(index, []).append(line.replace(place[0], named, 1) if place else line)
    return dict(sorted(problems.items()))


def _kept(good: tuple[ImportedEndpoint, ...]) -> list[str]:
    """Name the rows that are rules only, and what was taken for granted."""
    kept = [
        f"{one.origin}:{one.line}: {one.text[:80]}: kept as a rule that is not probed: {one.why_not_probed}"
        for one in good
        if one.why_not_probed is not None
    ]
    if implied := sum(one.port_implied for one in good):
        kept.append(f"{count(implied, 'row')} without a port: taken as 443")
    return kept


def _render(good: tuple[ImportedEndpoint, ...], name: str) -> str:
    import yaml

    from egressd.report.text import clean

    kept = sum(one.why_not_probed is not None for one in good)
    rules = f", {kept} of them rules that are not probed" if kept else ""
    origin = f"{count(len(good), 'endpoint')} from {clean(Path(name).name)}{rules}"
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
