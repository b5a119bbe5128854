"""The program. `--version` is answered before anything else is loaded; Ctrl-C never shows a traceback."""

from __future__ import annotations

import gc
import os
import sys

from egressd.errors import ExitCode

TYPE_CHECKING = False  # importing `typing` would cost more than `--version` does
if TYPE_CHECKING:
    from egressd.cli.app import DaemonCommand

LOADING = 250_000
"""New objects between two collections of garbage. Loading modules makes 130,000, and next to no garbage; what
runs for long sets a number of its own once it is loaded."""


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    gc.set_threshold(LOADING)
    try:
        if sys.argv[1:] in (["--version"], ["-V"]) and _wrote_version():
            return
        from egressd.cli.app import run_cli  # noqa: PLC0415 - loaded late, see the module's docstring

        run_cli(load_daemon)
    except KeyboardInterrupt:  # while modules are loaded: no command has begun
        sys.exit(ExitCode.INTERRUPTED)


def load_daemon() -> DaemonCommand:
    """Import and return the daemon command."""
    from egressd.service import run_daemon  # noqa: PLC0415 - only the daemon needs it

    return run_daemon


def _wrote_version() -> bool:
    """Write to stdout, unbuffered; where that fails, the command line reports why."""
    from egressd.cli.reference.version import version_text  # noqa: PLC0415 - see the module's docstring

    text = version_text().encode()
    try:
        return os.write(1, text) == len(text)
    except OSError:
        return False


if __name__ == "__main__":
    main()
