"""The program. `--version` is answered before anything else is loaded."""

from __future__ import annotations

import sys

from egressd import __version__


def main() -> None:
    """Run the command line; the process ends with its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"egressd {__version__}\n")
        return
    from egressd.cli.app import run  # noqa: PLC0415 - see the module's law

    run()


if __name__ == "__main__":
    main()
