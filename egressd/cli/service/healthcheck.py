"""`egressd healthcheck`: whether a running daemon is healthy. Container images have no curl.

The health command of an image is fixed at build time, so it is set by environment variables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from egressd.cli.guard import guarded, print_stderr
from egressd.cli.output import write
from egressd.errors import ExitCode, UsageError
from egressd.model.settings import Web

OWN_ANSWERS = ("egressd is healthy\n", "egressd is ready\n")
"""What `/-/healthy` and `/-/ready` answer: a block page, or another program on that port, does not."""
DEFAULT_URL = f"http://{Web().listen}/-/healthy"


@guarded
def healthcheck(
    *,
    url: Annotated[
        str,
        typer.Option("--url", metavar="URL", help="What to ask; /-/ready is another choice."),
    ] = DEFAULT_URL,
    username: Annotated[
        str | None,
        typer.Option(
            "--username",
            metavar="NAME",
            help="User, where the daemon wants one.",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password.file",
            metavar="FILE",
            help="A file with the user's password.",
            readable=False,
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca.file",
            metavar="FILE",
            help="The roots its certificate must lead to; without it, those of the system.",
            readable=False,
        ),
    ] = None,
) -> ExitCode:
    """Ask a running daemon whether it is well; exit code 0 if so, else 1."""
    from egressd.cli.service.fetch import DaemonResponseError, fetch_page, load_roots
    from egressd.net.scrub import scrub

    _check(url)
    login, roots = _login(username, password_file), load_roots(ca_file)
    try:
        text = fetch_page(url, login=login, roots=roots)
    except DaemonResponseError as answer:
        print_stderr(str(answer))
        return ExitCode.FAILED
    if text not in OWN_ANSWERS:
        said = scrub(text, 60) or "an empty page"
        print_stderr(f"{scrub(url, 200)} answers 200, but it is not egressd: {said}")
        return ExitCode.FAILED
    write(text, None)
    return ExitCode.OK


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"--url: cannot ask {url!r}; it must look like {DEFAULT_URL}")
    if "@" in parts.netloc:
        raise UsageError("--url: name the user by --username and --password.file")


def _login(username: str | None, password_file: Path | None) -> tuple[str, str] | None:
    if username is None and password_file is None:
        return None
    if username is None or password_file is None:
        raise UsageError("--username and --password.file go together")
    from egressd.fields.files import read_secret

    try:
        return username, read_secret(password_file)
    except ValueError as problem:
        raise UsageError(f"--password.file: {problem}") from None
