"""Environment variables for options: each option has one, and a plan says which of them were used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from egressd.cli.display import DISPLAY, note

PREFIX = "EGRESSD_"
SHARED = frozenset(
    {
        "--config.file",
        "--site",
        "--region",
        "--allow-unknown-region",
        "--cloud",
        "--profile",
        "--feature",
        "--private-link",
        "--source",
        "--proxy",
        "--arc-gateway",
        "--service-tags",
        "--compare-paths",
        "--only",
        "--deadline",
        "--log.level",
        "--log.format",
        "--color",
        "--quiet",
        "--verbose",
    }
)
"""Options whose variable is the same in every command where they mean the same."""
WITHOUT = frozenset({"--help", "--version"})
"""Options that ask for something else than what the command does: a variable for them would disable it."""
OTHERS = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes sets in every container for a service whose name begins with `egressd`."""


def help_by_option(root: TyperGroup) -> Mapping[str, str | None]:
    """Return the help of each option of the command line itself: one with the same is the same option."""
    return {long_name(one): one.help for one in _options(root)}


def name_variables(
    path: tuple[str, ...],
    command: TyperCommand | TyperGroup,
    environ: Mapping[str, str],
    *,
    shared: Mapping[str, str | None],
) -> None:
    """Give each option of a command its variable; one that is set is shown in help and errors."""
    for one in _options(command):
        name = long_name(one)
        if name in WITHOUT:
            continue
        own = path and not (name in SHARED and shared.get(name) == one.help)
        one.envvar = _variable((*path, name) if own else (name,))
        one.show_envvar = one.envvar in environ
        # click takes only blanks for separators.
        setattr(one, "split_envvar_value", _split)  # noqa: B010 - the method of this one option


def all_commands(
    root: TyperCommand | TyperGroup, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    """Yield a command and every one below it, each with its words on a command line."""
    yield path, root
    if isinstance(root, TyperGroup):
        for name, command in root.commands.items():
            if isinstance(command, TyperCommand | TyperGroup):
                yield from all_commands(command, (*path, name))


def long_name(option: TyperOption) -> str:
    """Return the first spelling of an option that begins with two dashes."""
    return next((one for one in option.opts if one.startswith("--")), option.opts[0])


def known_variables(root: TyperGroup) -> tuple[str, ...]:
    """Return every variable, each once."""
    named = (one.envvar for _, command in all_commands(root) for one in _options(command))
    return tuple(dict.fromkeys(one for one in named if isinstance(one, str)))


def unknown_variables(root: TyperGroup, environ: Iterable[str]) -> tuple[str, ...]:
    """Name the variables that look like ours and mean nothing, with what may have been meant."""
    own = {one.envvar for one in _options(root)}  # of the commands are few, and none is made for these
    odd = [one for one in sorted(environ) if one.startswith(PREFIX) and one not in own]
    odd = [one for one in odd if not OTHERS.fullmatch(one)]
    known = known_variables(root) if odd else ()
    found = []
    for name in odd:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "`man egressd` lists those that do"
            found.append(f"the environment variable {name[:100]} means nothing to egressd: {hint}")
    return tuple(found)


def used_variables(context: typer.Context, parameters: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return the variables that set parameters of a command; None for all of them."""
    wanted = None if parameters is None else frozenset(parameters)
    return tuple(
        str(one.envvar)
        for one in _options(context.command)
        if (wanted is None or one.name in wanted) and is_from_environment(context, one.name)
    )


def is_from_environment(context: typer.Context, parameter: str) -> bool:
    """Say whether a variable set a parameter; the command line would have won over it."""
    origin = context.get_parameter_source(parameter)
    return origin is not None and origin.name == "ENVIRONMENT"


def announce_variables(context: typer.Context) -> None:
    """Note which variables set options of a command, as they are seen nowhere on its command line."""
    used = used_variables(context)
    if used and not (DISPLAY.quiet or context.params.get("quiet")):
        note(f"using {', '.join(used)} of the environment")


def _options(command: object) -> Iterator[TyperOption]:
    for one in getattr(command, "params", ()):
        if isinstance(one, TyperOption):
            yield one


def _variable(words: Iterable[str]) -> str:
    return PREFIX + "_".join(re.sub(r"[.-]", "_", one.strip("-")) for one in words).upper()


def _split(text: str) -> list[str]:
    return [one for one in re.split(r"[,\s]+", text) if one]
