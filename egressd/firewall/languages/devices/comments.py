"""What stands above the rules of a device: where they come from, what is not exact, what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import Entry, Omitted
from egressd.firewall.languages.language import Language
from egressd.firewall.rule import FirewallRule

_WIDTH = 110
_READ_ON = "\"'`\\?"


def introduce(asked: RuleSet, language: Language, found: Iterable[Entry | Omitted]) -> tuple[str, ...]:
    """Return the lines to begin with, without the sign of a comment; long sentences take several."""
    return tuple(part for line in _sentences(asked, language, tuple(found)) for part in _wrapped(line))


def as_comments(sign: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines as comments: no text of a rule can end one and become a command."""
    return tuple(f"{sign} {plain_line(line)}".rstrip() for line in lines)


def printable_line(text: str) -> str:
    """Return a text on one line, in ASCII; for where a language has quotes of its own."""
    return " ".join("".join(one if " " <= one <= "~" else " " for one in text).split())


def plain_line(text: str) -> str:
    """Return a text on one line, in ASCII and without quotes, backslashes and question marks.

    A console may read on behind an open quote or a backslash; a question mark asks it for help.
    """
    spelled = text.replace("can't", "cannot")
    return printable_line("".join(" " if one in _READ_ON else one for one in spelled))


def _wrapped(text: str) -> list[str]:
    return wrap(plain_line(text), width=_WIDTH, break_long_words=False, break_on_hyphens=False)


def _sentences(asked: RuleSet, language: Language, found: tuple[Entry | Omitted, ...]) -> Iterator[str]:
    given = [one for one in found if isinstance(one, Entry)]
    yield from asked.heading
    tried = f"Tried with {language.tried}." if language.tried else "Not tried on a device: review it first."
    yield f"For {language.title}; its forms are from {language.document}. {tried}"
    if not given:
        yield "None of them can be written for it." if found else "No rule for it."
    else:
        yield from (f"{line}." for line in language.remarks)
    yield from dict.fromkeys(f"{line}." for one in given for line in one.notes)
    yield from _by_reason((one.rule, why) for one in given for why in one.remarks)
    yield from _by_reason((one.rule, f"left out ({one.why})") for one in found if isinstance(one, Omitted))


def _by_reason(some: Iterable[tuple[FirewallRule, str]]) -> Iterator[str]:
    """Yield a sentence for each rule, or one for all that share a reason."""
    groups: dict[str, list[str]] = {}
    for rule, why in some:
        groups.setdefault(why, []).append(_about(rule))
    for why, places in groups.items():
        if len(set(places)) == 1:
            yield f"{places[0]}: {why}."
            continue
        yield f"{why[0].upper()}{why[1:]}: {', '.join(dict.fromkeys(places))}."


def _about(rule: FirewallRule) -> str:
    place = "/".join(part for part in (rule.transport.lower(), rule.ports) if part)
    return f"{rule.destination} {place}"
