"""Environment variables for options: they mean what the options mean, and nothing is set by them unseen."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer
from typer.core import TyperGroup, TyperOption
from typer.testing import CliRunner, Result

from egressd.cli.app import app
from egressd.cli.reference.exitcodes import EXIT_CODES, exit_codes
from egressd.cli.reference.variables import (
    WITHOUT,
    all_commands,
    known_variables,
    long_name,
    unknown_variables,
)
from egressd.config import Flags
from egressd.errors import ExitCode


def run(*words: str, obj: object = None, **environment: str) -> Result:
    """Run a command with these variables and no other of ours."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("EGRESSD_")}
    with patch.dict(os.environ, {**ours, "COLUMNS": "80", **environment}, clear=True):
        return CliRunner().invoke(app, words, obj=obj)


def root() -> TyperGroup:
    """The command line."""
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


def same(text: str) -> str:
    """Return a plan without random labels and without the note about variables."""
    text = re.sub(r"egressd-probe-[0-9a-f]+|  - set by environment variables.*\n", "", text)
    return text.removesuffix("\nNotes\n")


def options_of(command: Any) -> list[TyperOption]:
    """The options of a command that can be given."""
    found = [one for one in command.params if isinstance(one, TyperOption)]
    return [one for one in found if long_name(one) not in WITHOUT]


def test_every_option_has_a_variable_and_none_has_two_meanings() -> None:
    """A variable is shared only by options with one name and one help text."""
    meanings: dict[str, set[tuple[str, str]]] = {}
    for _, command in all_commands(root()):
        for one in options_of(command):
            assert isinstance(one.envvar, str), one.opts
            meanings.setdefault(one.envvar, set()).add((long_name(one), one.help or ""))
    assert [name for name, some in meanings.items() if len(some) > 1] == []
    assert {"EGRESSD_CONFIG_FILE", "EGRESSD_LOG_LEVEL", "EGRESSD_HISTORY_SOURCE", "EGRESSD_SOURCE"} <= set(
        meanings
    )
    assert {"EGRESSD_HEALTHCHECK_URL", "EGRESSD_WEB_LISTEN_ADDRESS", "EGRESSD_ONCE"} <= set(meanings)
    assert not {"EGRESSD_HELP", "EGRESSD_VERSION"} & set(meanings)


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (("-r", "northeurope"), {"EGRESSD_REGION": "northeurope"}),
        (("-p", "wsus", "-p", "aks-arc"), {"EGRESSD_PROFILE": "wsus,aks-arc"}),
        (("-p", "wsus", "-p", "aks-arc"), {"EGRESSD_PROFILE": " wsus, aks-arc "}),
        (("--only", "mcr*", "--only", "*.azure.com"), {"EGRESSD_ONLY": "mcr* *.azure.com"}),
        (("-s", "a=127.0.0.1", "-s", "b=::1"), {"EGRESSD_SOURCE": "a=127.0.0.1,b=::1"}),
        (("--no-private-link",), {"EGRESSD_PRIVATE_LINK": "no"}),
        (("--private-link",), {"EGRESSD_PRIVATE_LINK": "true"}),
        (("--cloud", "usgov"), {"EGRESSD_CLOUD": "usgov"}),
        (("--feature", "sql"), {"EGRESSD_FEATURE": "sql"}),
        (("-x", "http://127.0.0.1:3128"), {"EGRESSD_PROXY": "http://127.0.0.1:3128"}),
    ],
    ids=str,
)
def test_a_variable_means_what_the_option_means(words: tuple[str, ...], environment: dict[str, str]) -> None:
    """The plan is the same either way, and says which variable was used; so does stderr."""
    by_option, by_variable = run("plan", *words), run("plan", **environment)
    (name,) = environment
    assert (by_option.exit_code, by_variable.exit_code) == (0, 0), by_option.stderr + by_variable.stderr
    assert same(by_option.stdout) == same(by_variable.stdout)
    assert name not in by_option.stdout
    assert f"  - set by environment variables: {name}\n" in by_variable.stdout
    assert by_variable.stderr == f"egressd: using {name} of the environment\n"


def test_the_command_line_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    """One that did not count is not named."""
    path = tmp_path / "egressd.yml"
    path.write_text("region: eastus\n", encoding="utf-8")
    asked = run("plan", "-r", "uksouth", EGRESSD_REGION="northeurope")
    assert "region uksouth" in asked.stdout
    assert "EGRESSD_REGION" not in asked.stdout + asked.stderr
    filed = run("plan", EGRESSD_CONFIG_FILE=str(path), EGRESSD_REGION="northeurope")
    assert "region northeurope" in filed.stdout
    assert "region eastus" in run("plan", EGRESSD_CONFIG_FILE=str(path)).stdout
    assert "region eastus" in run("plan", EGRESSD_CONFIG_FILE=str(path), EGRESSD_REGION="").stdout


def test_a_sweep_by_variables_says_so_in_its_report(tmp_path: Path) -> None:
    """`--once` and all it needs come from the environment; the saved report names what made the plan."""
    path, report = tmp_path / "egressd.yml", tmp_path / "report.json"
    path.write_text(
        "profiles: []\nresolvers: ['127.0.0.1:9']\n"
        "endpoints: [{id: x, host: 127.0.0.1, port: 1, protocol: tcp}]\n",
        encoding="utf-8",
    )
    done = run(
        EGRESSD_ONCE="1",
        EGRESSD_CONFIG_FILE=str(path),
        EGRESSD_FORMAT="json",
        EGRESSD_OUTPUT=str(report),
        EGRESSD_DEADLINE="30s",
        EGRESSD_STRICT="yes",
    )
    assert done.exit_code == 1, done.stderr
    assert (
        "using EGRESSD_ONCE, EGRESSD_CONFIG_FILE, EGRESSD_DEADLINE, EGRESSD_STRICT, EGRESSD_FORMAT"
        in done.stderr
    )
    notes = json.loads(report.read_text(encoding="utf-8"))["plan"]["notes"]
    assert "set by environment variables: EGRESSD_DEADLINE, EGRESSD_STRICT" in notes


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"EGRESSD_CLOUD": "moon"}, "'--cloud' (env var: 'EGRESSD_CLOUD')"),
        ({"EGRESSD_PRIVATE_LINK": "perhaps"}, "(env var: 'EGRESSD_PRIVATE_LINK')"),
        ({"EGRESSD_REGION": "westeuorpe"}, "did you mean westeurope"),
        ({"EGRESSD_PROFILE": "wsuss"}, "did you mean wsus?"),
    ],
)
def test_a_variable_that_can_t_be_right_is_wrong_usage(environment: dict[str, str], message: str) -> None:
    """It is refused as the option is, and the message or the note before it names the variable."""
    done = run("plan", **environment)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert next(iter(environment)) in done.stderr


def test_a_password_in_a_variable_is_not_repeated() -> None:
    """What `--proxy` refuses is refused without showing it."""
    done = run("plan", EGRESSD_PROXY="http://user:hunter2@proxy.example:3128")
    assert done.exit_code == 2
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("EGRESSD_REGOIN", "EGRESSD_REGION"),
        ("EGRESSD_PROFILES", "EGRESSD_PROFILE"),
        ("EGRESSD_CONFIGFILE", "EGRESSD_CONFIG_FILE"),
        ("EGRESSD_HISTORY_SINSE", "EGRESSD_HISTORY_SINCE"),
    ],
)
def test_a_misspelt_variable_is_named_with_what_was_meant(name: str, meant: str) -> None:
    """Every command warns of it and goes on."""
    done = run("catalog", "regions", **{name: "x"})
    assert done.exit_code == 0
    assert done.stderr == (
        f"egressd: the environment variable {name} means nothing to egressd: did you mean {meant}?\n"
    )


def test_variables_of_kubernetes_are_no_mistakes() -> None:
    """Services whose name begins with ours put these into every container."""
    theirs = (
        "EGRESSD_SERVICE_HOST", "EGRESSD_SERVICE_PORT", "EGRESSD_SERVICE_PORT_METRICS", "EGRESSD_PORT",
        "EGRESSD_PORT_10980_TCP", "EGRESSD_PORT_10980_TCP_ADDR", "EGRESSD_WEB_PORT_80_TCP_PROTO",
    )  # fmt: skip
    assert unknown_variables(root(), theirs) == ()
    assert not set(theirs) & set(known_variables(root()))
    assert len(unknown_variables(root(), ("EGRESSD_PORTS", "OTHER_REGION", "EGRESSD_\x1b[2J"))) == 2


def test_the_daemon_is_told_what_is_unknown_and_spared_what_is_for_sweeps() -> None:
    """A warning for its log; `--strict` and `--compare-paths` of the environment don't reach it."""
    seen: list[Flags] = []

    def load() -> Callable[..., ExitCode]:
        def daemon(_file: object, flags: Flags, _web: object, **_options: object) -> ExitCode:
            seen.append(flags)
            return ExitCode.OK

        return daemon

    done = run(
        obj=load, EGRESSD_STRICT="1", EGRESSD_COMPARE_PATHS="1", EGRESSD_FORMAT="json", EGRESSD_REGOIN="x"
    )
    assert done.exit_code == 0, done.stderr
    (flags,) = seen
    assert (flags.strict, flags.compare_paths) == (False, False)
    assert flags.warnings == (
        "the environment variable EGRESSD_REGOIN means nothing to egressd: did you mean EGRESSD_REGION?",
    )


def test_options_of_display_may_be_variables() -> None:
    """Quiet by the environment leaves out the note; `-v` of the command line wins over it."""
    quiet = run("plan", EGRESSD_QUIET="1", EGRESSD_REGION="westeurope")
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert "set by environment variables: EGRESSD_REGION" in quiet.stdout
    loud = run("replay", "-v", "/nope", EGRESSD_QUIET="1")
    assert "exclude each other" not in loud.stderr


def test_a_variable_that_is_set_is_shown_by_help() -> None:
    """`--help` shows which options are not at their defaults."""
    shown = run("plan", "--help", EGRESSD_REGION="uksouth").stdout
    assert "[env var: EGRESSD_REGION]" in " ".join(shown.split())
    assert "env var:" not in run("plan", "--help").stdout


def test_every_command_says_its_exit_codes() -> None:
    """In `--help`, and no command is forgotten or made up."""
    commands = {
        " ".join(path): one
        for path, one in all_commands(root())
        if not path or not isinstance(one, TyperGroup)
    }
    assert set(commands) == set(EXIT_CODES)
    for words in commands:
        text = " ".join(run(*words.split(), "--help").stdout.split())
        for code, means in exit_codes(words).items():
            assert f"{code.value} {means}" in text, words
