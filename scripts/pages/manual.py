"""The manual pages of commands and configuration, made from what `--help` and the schema say: `share/man`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from egressd import __version__
from egressd.cli.app import app
from egressd.cli.reference.completion import SCRIPTS, Shell
from egressd.cli.reference.exitcodes import exit_codes
from egressd.cli.reference.variables import all_commands
from scripts.pages.configuration import render_reference

Command = TyperCommand | TyperGroup

FILES = {
    "/etc/egressd/egressd.yml": "The configuration where --config.file names no other; see egressd.yml(5).",
    "/var/lib/egressd": "What the daemon keeps: state, history and the notifications that wait.",
}
OTHER_VARIABLES = {
    "COLUMNS": "How wide text for people shall be; in a pipe or a file it is not wrapped otherwise.",
    "NO_COLOR": "Set to anything: no colours, unless --color asks for them (no-color.org).",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY": "Read only if --proxy env or the configuration says so.",
    "STATE_DIRECTORY": "Where the daemon keeps its state, if the configuration names no directory.",
}


def manual_pages() -> Mapping[str, Callable[[], str]]:
    """Return the path of each page and completion script, and what makes it."""
    names = {_page_name(path): path for path in _commands()}
    return {
        **{f"share/man/man1/{name}.1": partial(_command_page, path) for name, path in names.items()},
        "share/man/man5/egressd.yml.5": _configuration_page,
        "share/bash-completion/completions/egressd": lambda: SCRIPTS[Shell.BASH],
        "share/zsh/site-functions/_egressd": lambda: SCRIPTS[Shell.ZSH],
        "share/fish/vendor_completions.d/egressd.fish": lambda: SCRIPTS[Shell.FISH],
    }


@cache
def _commands() -> Mapping[tuple[str, ...], Command]:
    """Return the program and its commands, without the groups between."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)  # noqa: S101 - typer makes a group where there are commands
    return {path: one for path, one in all_commands(root) if not path or not isinstance(one, TyperGroup)}


def _page_name(path: tuple[str, ...]) -> str:
    return "-".join(("egressd", *path))


def _command_page(path: tuple[str, ...]) -> str:
    """Write the page of a command; that of the program names all others."""
    command = _commands()[path]
    context = typer.Context(command, info_name=" ".join(("egressd", *path)))
    summary, *paragraphs = [" ".join(one.split()) for one in (command.help or "").split("\n\n")]
    lines = [*_head(_page_name(path), 1, summary)]
    lines += [".SH SYNOPSIS", f".B {_plain(context.info_name or '')}"]
    lines += [_plain(" ".join(command.collect_usage_pieces(context)))]
    lines += [".SH DESCRIPTION", roff_text(summary)]
    lines += [line for one in paragraphs for line in (".PP", roff_text(one))]
    lines += _parameters("ARGUMENTS", context, options=False)
    lines += _parameters("OPTIONS", context, options=True)
    lines += [] if path else _list_of_commands()
    lines += [".SH EXIT STATUS"]
    codes = exit_codes(" ".join(path))
    lines += [line for code, means in codes.items() for line in (".TP", f".B {code.value}", roff_text(means))]
    lines += [] if path else [*_environment(), *_definitions("FILES", FILES)]
    others = "egressd.yml(5)" if not path else "egressd(1), egressd.yml(5)"
    return "\n".join([*lines, ".SH SEE ALSO", others]) + "\n"


def _head(name: str, section: int, summary: str) -> list[str]:
    return [
        '.\\" Made by `make docs` from the program itself.',
        f'.TH {_plain(name).upper()} {section} "" "egressd {__version__}" "egressd"',
        ".SH NAME",
        f"{_plain(name)} \\- {roff_text(summary[:1].lower() + summary[1:].rstrip('.'))}",
    ]


def _parameters(title: str, context: typer.Context, *, options: bool) -> Iterator[str]:
    """Describe arguments or options as `--help` does, with the variable of each option."""
    found = [one for one in context.command.params if isinstance(one, TyperOption) is options]
    records = [(one, record) for one in found if (record := one.get_help_record(context)) is not None]
    if not records:
        return
    yield f".SH {title}"
    for one, (spelling, about) in records:
        yield from (".TP", f".B {_plain(spelling)}", roff_text(about))
        if isinstance(one, TyperOption) and isinstance(one.envvar, str):
            yield from (".br", f"Environment variable: {_plain(one.envvar)}")
    if options:
        yield from (".TP", ".B \\-h, \\-\\-help", "Show what this page says in short.")


def _list_of_commands() -> Iterator[str]:
    yield ".SH COMMANDS"
    for path, command in _commands().items():
        if path:
            summary = " ".join((command.help or "").split("\n\n")[0].split())
            yield from (".TP", f".BR {_plain(_page_name(path))} (1)", roff_text(summary))


def _environment() -> Iterator[str]:
    yield ".SH ENVIRONMENT"
    yield roff_text(
        "Every option has a variable, named with it on the page of its command; the command line wins over "
        "it. Several values are separated by commas or blanks; a switch is set by 1, true, yes or on, and "
        "unset by 0, false, no or off. A plan and a report name the variables that were used; so does stderr."
    )
    yield from _terms(OTHER_VARIABLES)


def _definitions(title: str, terms: Mapping[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from _terms(terms)


def _terms(terms: Mapping[str, str]) -> Iterator[str]:
    for term, about in terms.items():
        yield from (".TP", f".B {_plain(term)}", roff_text(about))


def _configuration_page() -> str:
    """Write the reference of the configuration: its tables become lists of terms."""
    lines = _head("egressd.yml", 5, "The configuration of egressd")
    _, origin, *blocks = render_reference().split("\n\n")
    lines += [".SH DESCRIPTION", *_block(origin.partition(". ")[2])]
    for block in blocks:
        lines += _block(block)
    return "\n".join([*lines, ".SH SEE ALSO", "egressd(1), egressd\\-config\\-check(1)"]) + "\n"


def _block(block: str) -> Iterator[str]:
    """Write a heading, a table or a paragraph of Markdown."""
    if block.startswith("## "):
        title = block[3:].strip()
        yield f".SH {roff_text(title if '`' in title else title.upper())}"
    elif block.startswith("| key "):
        for row in block.strip().split("\n")[2:]:
            key, kind, default, meaning = (one.strip() for one in re.split(r"(?<!\\)\|", row)[1:-1])
            presence = {"-": "", "required": "; required"}.get(default, f"; default {default}")
            yield from (".TP", f".B {roff_text(key)}", roff_text(f"{kind}{presence}. {meaning}"))
    elif block.strip():
        yield from (".PP", roff_text(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", block)))


def roff_text(text: str) -> str:
    """Write prose for roff: one line, words in backticks bold, nothing taken for a request."""
    text = re.sub(r"(?<!\S)\*(\w+)\*", r"`\1`", text.replace("\\|", "|"))
    parts = re.split(r"`([^`]*)`", " ".join(text.split()))
    made = "".join(
        f"\\fB{_plain(one)}\\fR" if index % 2 else _escaped(one) for index, one in enumerate(parts)
    )
    return f"\\&{made}" if made.startswith((".", "'")) else made


def _plain(text: str) -> str:
    """Write what is typed, where a dash is a minus and not a hyphen."""
    return _escaped(text).replace("-", "\\-")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace('"', "\\(dq").replace("'", "\\(aq")
