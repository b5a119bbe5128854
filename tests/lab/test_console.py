"""The console commands change the faults they name and nothing else."""

from __future__ import annotations

import pytest

from egressd.lab.faults import FAULTS, parse_switch
from egressd.lab.faults.console import HELP, list_faults, run_command

RESET = parse_switch("tls_reset=mcr.microsoft.com")
REFUSED = parse_switch("tcp_refused=*")


@pytest.mark.parametrize("prefix", ["", "fault "])
def test_on_and_off(prefix: str) -> None:
    """By the whole switch, by name, or all at once; a leading `fault` is allowed."""
    on, said = run_command(f"{prefix}on {RESET} {REFUSED}", ())
    assert on == (RESET, REFUSED)
    assert said == f"{RESET}\n{REFUSED}"
    assert run_command(f"{prefix}off {RESET}", on)[0] == (REFUSED,)
    assert run_command(f"{prefix}off tcp_refused", on)[0] == (RESET,)
    assert run_command(f"{prefix}off", on) == ((), "no fault is on")


def test_on_again() -> None:
    """The same switch is kept once; it becomes the last, which wins."""
    assert run_command(f"on {RESET}", (RESET, REFUSED))[0] == (REFUSED, RESET)


@pytest.mark.parametrize("command", ["on nonsense=*", "on tls_reset", "off tls_fin", "off x=y"])
def test_errors_change_nothing(command: str) -> None:
    """The output is the error."""
    on, said = run_command(command, (RESET,))
    assert on == (RESET,)
    assert said.startswith("cannot ")


@pytest.mark.parametrize("command", ["", "help", "on", "fault", "show me", "reboot"])
def test_unknown_commands_print_help(command: str) -> None:
    """So does an empty line."""
    assert run_command(command, (RESET,)) == ((RESET,), HELP)


def test_list_is_complete() -> None:
    """It has every fault."""
    assert run_command("list", ())[1] == list_faults()
    for name in FAULTS:
        assert f"{name} " in list_faults() + " "
    assert run_command("show", (RESET,))[1] == str(RESET)
