"""The program. `--version` is answered before anything else is loaded; Ctrl-C never shows a traceback."""

from __future__ import annotations

import os
import sys

from egressd import __version__
from egressd.errors import ExitCode


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    try:
        if sys.argv[1:] == ["--version"] and _is_told(f"egressd {__version__}\n"):
            return
        from egressd.cli.app import run_cli  # noqa: PLC0415 - see the module's law

        run_cli()
    except KeyboardInterrupt:  # while modules are loaded: no command has begun
        sys.exit(ExitCode.INTERRUPTED)


def _is_told(text: str) -> bool:
    """Write to stdout, past all buffers; where that can't be, the command line says what is wrong."""
    try:
        return os.write(1, text.encode()) == len(text)
    except OSError:
        return False


if __name__ == "__main__":
    main()
