"""The commands, each made when it is asked for: a sweep needs none of their modules and options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

PLACES = MappingProxyType(
    {
        "watch": "egressd.cli.watch.command:watch",
        "lab": "egressd.cli.lab:lab",
        "replay": "egressd.cli.saved:replay",
        "rules": "egressd.cli.saved:rules",
        "diff": "egressd.cli.saved:diff",
        "fleet": "egressd.cli.fleet.command:fleet",
        "history": "egressd.cli.service.history:history",
        "healthcheck": "egressd.cli.service.healthcheck:healthcheck",
        "plan": "egressd.cli.sweep.plan:plan",
        "explain": "egressd.cli.reference.explain:explain",
        "completion": "egressd.cli.reference.completion:completion",
        "catalog": "egressd.cli.catalog:catalog_app",
        "config": "egressd.cli.config.check:config_app",
        "notify": "egressd.cli.service.notify:notify_app",
        "maintenance": "egressd.cli.service.maintenance:maintenance_app",
    }
)
"""Every command or group of commands, in the order of `--help`: its module, and its name there."""

Command = TyperCommand | TyperGroup
Prepare = Callable[[str, Command], None]
"""Is given each command with its name, when it has been made."""


class LateCommands(MutableMapping[str, Any]):
    """The commands by name; `prepare` completes what typer made."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        """Return a command, made at the first time."""
        if name not in self._made:
            made = _make(name, PLACES[name])
            self._made[name] = made
            self._prepare(name, made)
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        """Put a command in the place of the one that would be made."""
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        """Forget a command that was made."""
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Yield every name."""
        return iter(PLACES)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(PLACES)


def _make(name: str, place: str) -> Command:
    one = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    found = resolve_name(place)
    if isinstance(found, typer.Typer):
        one.add_typer(found, name=name)
    else:
        one.command(name)(found)
    return cast("Command", get_group(one).commands[name])
