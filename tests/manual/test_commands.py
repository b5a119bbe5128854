"""Every egressd command that the manual tells people to type exists, with its options and their values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from egressd.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/runbooks").glob("*.md")])
PAGES += sorted((ROOT / "config").rglob("*.md"))
PROMPT = re.compile(r"^(?:\$|#) (?:\.venv/bin/)?(egressd .*)$", re.MULTILINE)
INLINE = re.compile(r"`(egressd [a-z-][^`\n]*)`")


def commands(text: str) -> Iterator[str]:
    """Yield the commands of a page: at a prompt, and between backquotes."""
    joined = text.replace("\\\n", "")
    fence = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    for block in fence.findall(joined):
        yield from (without_rest(line) for line in PROMPT.findall(block))
    prose = fence.sub("", joined)
    yield from (without_rest(line) for line in INLINE.findall(prose))


def without_rest(line: str) -> str:
    """Return a command line without a comment, a pipe and a redirection."""
    return re.sub(r"\s+(?:[#|>]|&>|2>).*$", "", line).strip()


@cache
def help_of(*words: str) -> str:
    """Return the help of a command, unwrapped."""
    done = CliRunner().invoke(
        app, [*words, "--help"], env={"COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def options_of(text: str) -> Mapping[str, str]:
    """Return the options of a command by name, each with what its help says of its value."""
    rows = re.findall(r"^  (-[^ ].*?)(?:  +.*)?$", text, re.MULTILINE)
    found = {}
    for row in rows:
        for name in re.findall(r"(?<![\w-])--?[a-z][\w.-]*", row):
            found[name] = " ".join(re.findall(r"<(?:list\[)?([a-z|-]+\|[a-z|-]+)\]?>", row))
    return found


def mistake(line: str) -> str:
    """Return what is wrong with a command line; empty: nothing."""
    words = shlex.split(line)[1:]
    path: list[str] = []
    while words and re.search(rf"^  {re.escape(words[0])}(?: |$)", commands_in(help_of(*path)), re.MULTILINE):
        path.append(words.pop(0))
    if words and commands_in(help_of(*path)) and not words[0].startswith("-"):
        return f"no command {words[0]}"
    known = options_of(help_of(*path))
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if not name.startswith("-") or name == "-":
            continue
        if name not in known:
            return f"no option {name}"
        choices = known[name].split("|") if known[name] else []
        shown = value if equals else following
        if choices and shown not in choices and not shown.isupper():  # NAME stands for one of them
            return f"{name} takes {known[name]}"
    return ""


def commands_in(text: str) -> str:
    """Return the part of a help that lists commands."""
    return text.partition("\nCommands:\n")[2]


def lines() -> Iterator[tuple[str, str]]:
    """Yield each command of the manual with its page."""
    for page in PAGES:
        if page.name != "CHANGELOG.md":
            found = dict.fromkeys(commands(page.read_text(encoding="utf-8")))
            yield from ((str(page.relative_to(ROOT)), line) for line in found if "..." not in line)


@pytest.mark.parametrize(("page", "line"), list(lines()))
def test_a_command_of_the_manual_exists(page: str, line: str) -> None:
    """Command, options and closed lists of values are those of the program."""
    assert mistake(line) == "", f"{page}: {line}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("egressd plan --region westeurope", ""),
        ("egressd plam", "no command plam"),
        ("egressd plan --regoin x", "no option --regoin"),
        ("egressd --once --format tabel", "--format takes"),
        ("egressd rules report.json --team=firewal", "--team takes"),
    ],
)
def test_a_wrong_command_is_seen(line: str, said: str) -> None:
    """The test itself tells a right line from a wrong command, option and value."""
    found = mistake(line)
    assert found == "" if said == "" else said in found
