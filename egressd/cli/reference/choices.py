"""What was meant by a value that an option does not have, and mistakes shown without control characters."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from egressd.cli.log import printable
from egressd.wording import either_of

Process = Callable[[Any, Any], Any]
"""Converts a value of a parameter, in a context."""
NOT_ONE_OF = re.compile(r"(?:Value error, )?'(?P<given>.*)' is not one of (?P<known>'.*')\.?", re.DOTALL)


def suggest_choices(command: TyperCommand | TyperGroup) -> None:
    """Let errors about values of a command say what may have been meant, and no error move the cursor."""
    for one in command.params:
        process = _of_given(one, _suggesting(one.process_value))
        setattr(one, "process_value", process)  # noqa: B010 - of this parameter
    for name in ("make_context", "resolve_command"):
        if hasattr(command, name):
            setattr(command, name, _printing(getattr(command, name)))


def _printing(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Show what a script passes on from others as text: click repeats it as it is."""

    @wraps(parse)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return parse(*args, **kwargs)
        except Exception as error:
            message = getattr(error, "message", None)
            if isinstance(message, str):
                setattr(error, "message", printable(message))  # noqa: B010 - typer exports few of its errors
            raise

    return run


def _of_given(parameter: Any, process: Process) -> Process:
    """Convert only a value that was given: a converter takes 1 ms to make, and there are thirty options."""
    absent = () if parameter.multiple or parameter.nargs == -1 else None

    def run(context: Any, value: Any) -> Any:
        return absent if value is None and not parameter.required else process(context, value)

    return run


def _suggesting(process: Process) -> Process:
    def run(context: Any, value: Any) -> Any:
        try:
            return process(context, value)
        except typer.BadParameter as error:
            error.message = choice_message(error.message)
            raise

    return run


def choice_message(message: str) -> str:
    """Return typer's message about a value, with the closest choices at its end."""
    found = NOT_ONE_OF.fullmatch(message)
    if found is None:
        return message
    given, known = found["given"], re.findall(r"'([^']*)'", found["known"])
    asked = given.lower()[:80]
    near = [one for one in known if len(asked) > 2 and (one in asked or asked in one)]
    near = near or difflib.get_close_matches(asked, known, n=2)
    hint = f"; did you mean {either_of(near[:2])}?" if near else ""
    return f"{given!r} is not one of {', '.join(known)}{hint}"
