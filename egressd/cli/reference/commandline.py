"""The command line as a whole: options get their variables, and commands their exit codes in `--help`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from egressd.cli.reference.choices import suggest_choices
from egressd.cli.reference.exitcodes import EXIT_CODES, exit_code_line
from egressd.cli.reference.latecommands import Command, LateCommands
from egressd.cli.reference.variables import (
    all_commands,
    announce_variables,
    help_by_option,
    name_variables,
)

VARIABLES_LINE = (
    "Every option has an environment variable, which the command line wins over: EGRESSD_CONFIG_FILE is that "
    "of --config.file, EGRESSD_HISTORY_SINCE that of a command's own option. Commas separate several values."
)
SILENT = {("healthcheck",)}
"""Commands that don't say which variables they use: an image's health command is set by nothing else."""


class CommandLine(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._shared = help_by_option(self)
        self._complete((), self)
        self.epilog = f"{self.epilog}\n\n{VARIABLES_LINE}"
        self.commands = LateCommands(lambda name, command: self._complete((name,), command))

    def _complete(self, words: tuple[str, ...], group: Command) -> None:
        """Complete a command, and those below it."""
        for path, command in all_commands(group, words):
            name_variables(path, command, os.environ, shared=self._shared)
            suggest_choices(command)
            name = " ".join(path)
            if name in EXIT_CODES:
                command.epilog = exit_code_line(name)
            if path and path not in SILENT and not isinstance(command, TyperGroup):
                setattr(command, "invoke", _announced(command.invoke))  # noqa: B010 - of this one command


def _announced(invoke: Callable[[typer.Context], Any]) -> Callable[[typer.Context], Any]:
    def run(context: typer.Context) -> Any:
        announce_variables(context)
        return invoke(context)

    return run
