"""The lab's commands change what they say and nothing else."""

from __future__ import annotations

import pytest

from egressd.lab.faults import FAULTS, parse_switch
from egressd.lab.faults.console import HELP, list_faults, run_command

RESET = parse_switch("tls_reset=mcr.microsoft.com")
REFUSED = parse_switch("tcp_refused=*")


@pytest.mark.parametrize("prefix", ["", "fault "])
def test_faults_go_on_and_off(prefix: str) -> None:
    """By the whole switch, by name, or all at once; `fault` in front is welcome."""
    on, said = run_command(f"{prefix}on {RESET} {REFUSED}", ())
    assert on == (RESET, REFUSED)
    assert said == f"{RESET}\n{REFUSED}"
    assert run_command(f"{prefix}off {RESET}", on)[0] == (REFUSED,)
    assert run_command(f"{prefix}off tcp_refused", on)[0] == (RESET,)
    assert run_command(f"{prefix}off", on) == ((), "no fault is on")


def test_on_again_moves_to_the_front() -> None:
    """The same switch is not kept twice; it becomes the last, which wins."""
    assert run_command(f"on {RESET}", (RESET, REFUSED))[0] == (REFUSED, RESET)


@pytest.mark.parametrize("command", ["on nonsense=*", "on tls_reset", "off tls_fin", "off x=y"])
def test_a_mistake_changes_nothing(command: str) -> None:
    """It is answered in words."""
    on, said = run_command(command, (RESET,))
    assert on == (RESET,)
    assert said.startswith("cannot ")


@pytest.mark.parametrize("command", ["", "help", "on", "fault", "show me", "reboot"])
def test_anything_else_is_answered_with_help(command: str) -> None:
    """Nobody is left without an answer."""
    assert run_command(command, (RESET,)) == ((RESET,), HELP)


def test_the_list_names_every_fault() -> None:
    """The list for a terminal is complete."""
    assert run_command("list", ())[1] == list_faults()
    for name in FAULTS:
        assert f"{name} " in list_faults() + " "
    assert run_command("show", (RESET,))[1] == str(RESET)
