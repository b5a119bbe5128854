"""The faults as text: the commands that switch them, and the list for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from egressd.errors import UsageError
from egressd.lab.faults.switch import FAULTS, Switch, parse_switch

HELP = """\
on FAULT=HOST[:PORT] ...   switch faults on; HOST may hold `*`
off [FAULT[=HOST] ...]     switch them off; without a name, all of them
show                       what is on
list                       every fault there is"""

Done = tuple[tuple[Switch, ...], str]
"""What is on from now on, and what to tell the person."""


def obey(command: str, switches: tuple[Switch, ...]) -> Done:
    """Carry out one command; a mistake changes nothing and is answered in words."""
    verb, *words = command.split()[0 if not command.startswith("fault ") else 1 :] or ["help"]
    try:
        match verb, words:
            case "on", [_, *_]:
                return _on(words, switches)
            case "off", _:
                return _off(words, switches)
            case "show", []:
                return switches, show(switches)
            case "list", []:
                return switches, list_faults()
    except UsageError as mistake:
        return switches, str(mistake)
    return switches, HELP


def _on(words: Sequence[str], switches: tuple[Switch, ...]) -> Done:
    fresh = tuple(parse_switch(word) for word in words)
    now = (*(one for one in switches if one not in fresh), *fresh)
    return now, show(now)


def _off(words: Sequence[str], switches: tuple[Switch, ...]) -> Done:
    """Switch off by the whole switch or by the fault's name."""
    unknown = [word for word in words if not any(word in _names(one) for one in switches)]
    if unknown:
        raise UsageError(f"cannot switch off {unknown[0]!r}: it is not on; `show` says what is")
    now = tuple(one for one in switches if words and not any(word in _names(one) for word in words))
    return now, show(now)


def _names(switch: Switch) -> tuple[str, str]:
    return str(switch), switch.fault.name


def show(switches: Sequence[Switch]) -> str:
    """Say what is on, one line each."""
    return "\n".join(str(one) for one in switches) if switches else "no fault is on"


def list_faults(*, width: int = 100) -> str:
    """Return every fault with its summary and the reason it shows, beside its name."""
    wide = max(len(name) for name in FAULTS)
    lines = []
    for one in FAULTS.values():
        reason = one.reasons[0] if one.reasons else "ok"
        text, margin = f"{one.summary} -> {reason}", " " * (wide + 2)
        lines += textwrap.wrap(
            text,
            width,
            initial_indent=f"{one.name:{wide}}  ",
            subsequent_indent=margin,
            break_long_words=False,
        )
    return "\n".join(lines)
