"""The page of the commands: the help of each, as the program prints it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from typer.testing import CliRunner

from egressd.cli.app import app

HEAD = """\
# Commands

Made by `make docs`: what `--help` prints, command by command.
"""


def render_commands_page() -> str:
    """Render the help of every command, those of a group below it."""
    return "\n".join([HEAD, *_parts(())])


def _parts(path: tuple[str, ...]) -> Iterator[str]:
    text = help_of(*path)
    yield f"## egressd {' '.join(path)}".rstrip() + "\n"
    yield f"```\n{text}```\n"
    for name in commands_in(text):
        yield from _parts((*path, name))


def help_of(*path: str, columns: int = 100) -> str:
    """Return what a command prints for `--help`."""
    plain = {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"}
    done = CliRunner().invoke(app, [*path, "--help"], env=plain)
    if done.exit_code != 0:
        raise ValueError(f"no help for {' '.join(path)}: {done.output}")
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").split("\n")) + "\n"


def commands_in(text: str) -> tuple[str, ...]:
    """Return the commands that a help lists."""
    _, _, rest = text.partition("\nCommands:\n")
    return tuple(re.findall(r"^  ([a-z][a-z-]*)", rest.partition("\n\n")[0], re.MULTILINE))
