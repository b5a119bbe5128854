"""What the exit code of each command says; `--help` and the manual show it."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.errors import ExitCode

Codes = Mapping[ExitCode, str]

SWEEP: Codes = {
    ExitCode.OK: "every required target is ok or degraded",
    ExitCode.FAILED: "some are blocked or down",
    ExitCode.UNKNOWN: "some are unknown, or lack a region or value",
    ExitCode.INTERRUPTED: "interrupted",
}
ALWAYS: Codes = {
    ExitCode.USAGE: "wrong usage",
    ExitCode.BUG: "a bug",
    ExitCode.OUTPUT: "the output can't be written",
}
CONFIGURED: Codes = {ExitCode.CONFIG: "bad configuration"}
DONE: Codes = {ExitCode.OK: "done"}
COMPARED: Codes = {ExitCode.OK: "nothing differs", ExitCode.FAILED: "something does"}

EXIT_CODES: Mapping[str, Codes] = {
    "": {**SWEEP, ExitCode.UNAVAILABLE: "the daemon can't listen now", **CONFIGURED},
    "watch": {**SWEEP, **CONFIGURED},
    "lab": {**SWEEP, ExitCode.OK: "every required target is ok or degraded, or the lab was closed"},
    "replay": SWEEP,
    "rules": {ExitCode.OK: "the rules are written, also where none is needed"},
    "diff": {ExitCode.OK: "nothing fails that did not before", ExitCode.FAILED: "something does"},
    "fleet": {
        ExitCode.OK: "no required place fails at any site",
        ExitCode.FAILED: "some fail at a site",
        ExitCode.UNKNOWN: "none is proved to fail, and a site is silent, unknown or unreadable",
        ExitCode.CONFIG: "mistakes in --http.config.file",
    },
    "history": {**DONE, **CONFIGURED},
    "healthcheck": {ExitCode.OK: "the daemon is well", ExitCode.FAILED: "it is not, or does not answer"},
    "plan": {**DONE, **CONFIGURED},
    "explain": DONE,
    "completion": DONE,
    "catalog profiles": {**DONE, **CONFIGURED},
    "catalog list": {**DONE, **CONFIGURED},
    "catalog features": DONE,
    "catalog show": {**DONE, **CONFIGURED},
    "catalog regions": DONE,
    "catalog export": {**DONE, **CONFIGURED},
    "catalog diff": {**DONE, ExitCode.CONFIG: "a catalog has mistakes"},
    "catalog import": {**DONE, ExitCode.CONFIG: "rows can't be used, and --skip-bad is not given"},
    "catalog drift": {**COMPARED, **CONFIGURED},
    "config check": {
        ExitCode.OK: "no mistake; there may be warnings",
        ExitCode.CONFIG: "mistakes, all listed",
    },
    "notify list": {**DONE, **CONFIGURED},
    "notify test": {
        ExitCode.OK: "every receiver got it",
        ExitCode.FAILED: "some did not",
        **CONFIGURED,
    },
    "maintenance start": {**DONE, **CONFIGURED},
    "maintenance end": {**DONE, **CONFIGURED},
    "maintenance list": {**DONE, **CONFIGURED},
}
"""By the words of a command: its exit codes besides those that every command has."""


def exit_codes(command: str) -> Codes:
    """Return all exit codes of a command, in their order."""
    return dict(sorted({**ALWAYS, **EXIT_CODES[command]}.items()))


def exit_code_line(command: str) -> str:
    """Say in one sentence what the exit codes of a command mean."""
    return (
        "Exit codes: "
        + "; ".join(f"{code.value} {means}" for code, means in exit_codes(command).items())
        + "."
    )
