"""The console of the lab: its commands, and the list of faults."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from egressd.errors import UsageError
from egressd.lab.faults.active import FAULTS, Switch, parse_switch

HELP = """\
on FAULT=HOST[:PORT] ...   switch faults on; HOST may contain `*`
off [FAULT[=HOST] ...]     switch them off; without a name, all of them
show                       print the faults that are on
list                       list all faults"""

Result = tuple[tuple[Switch, ...], str]
"""The switches from now on, and the output."""


def run_command(command: str, switches: tuple[Switch, ...]) -> Result:
    """Run one command; a wrong one changes nothing and returns the error."""
    verb, *words = command.split()[0 if not command.startswith("fault ") else 1 :] or ["help"]
    try:
        match verb, words:
            case "on", [_, *_]:
                return _switch_on(words, switches)
            case "off", _:
                return _switch_off(words, switches)
            case "show", []:
                return switches, show_active(switches)
            case "list", []:
                return switches, list_faults()
    except UsageError as error:
        return switches, str(error)
    return switches, HELP


def _switch_on(words: Sequence[str], switches: tuple[Switch, ...]) -> Result:
    fresh = tuple(parse_switch(word) for word in words)
    now = (*(one for one in switches if one not in fresh), *fresh)
    return now, show_active(now)


def _switch_off(words: Sequence[str], switches: tuple[Switch, ...]) -> Result:
    """Switch off by `FAULT=HOST` or by the name of the fault."""
    unknown = [word for word in words if not any(word in _spellings(one) for one in switches)]
    if unknown:
        raise UsageError(f"cannot switch off {unknown[0]!r}: it is not on; `show` prints the faults that are")
    now = tuple(one for one in switches if words and not any(word in _spellings(one) for word in words))
    return now, show_active(now)


def _spellings(switch: Switch) -> tuple[str, str]:
    return str(switch), switch.fault.name


def show_active(switches: Sequence[Switch]) -> str:
    """Return the switches that are on, one per line."""
    return "\n".join(str(one) for one in switches) if switches else "no fault is on"


def list_faults(*, width: int = 100) -> str:
    """Return all faults with their summary and reason code."""
    column = max(len(name) for name in FAULTS)
    lines = []
    for one in FAULTS.values():
        reason = one.reasons[0] if one.reasons else "ok"
        text, margin = f"{one.summary} -> {reason}", " " * (column + 2)
        lines += textwrap.wrap(
            text,
            width,
            initial_indent=f"{one.name:{column}}  ",
            subsequent_indent=margin,
            break_long_words=False,
        )
    return "\n".join(lines)
