"""The command line itself: the daemon, and `egressd --once`. The commands are in `reference.latecommands`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Protocol

import typer
from msgspec.structs import replace
from typer.core import TyperGroup

from egressd.cli import options
from egressd.cli.guard import discard_stdout, guarded, print_stderr
from egressd.cli.log import Form, Level, configure_logging_late
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.cli.reference.commandline import CommandLine
from egressd.cli.reference.completion import ASKED
from egressd.cli.reference.variables import announce_variables, unknown_variables
from egressd.cli.reference.version import version_text
from egressd.cli.saved import only_failed, read_baseline
from egressd.cli.settings import (
    WebFlags,
    read_settings,
    refuse_sources,
    settings_secrets,
)
from egressd.cli.ticket import TicketFlags, takes_ticket
from egressd.config import Flags
from egressd.errors import ExitCode, UsageError

app = typer.Typer(
    name="egressd",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Say which phase of network egress failed, who is to blame, and what to ask for.",
    cls=CommandLine,
)


class DaemonCommand(Protocol):
    """Runs the daemon; the command line does not know it otherwise."""

    def __call__(
        self, config_file: Path | None, flags: Flags, web: WebFlags, *, level: Level | None, form: Form | None
    ) -> ExitCode:
        """Run until SIGTERM."""
        ...


def run_cli(load_daemon: Callable[[], DaemonCommand]) -> None:
    """Run the command line; ends the process. The daemon is loaded where it is started."""
    for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, stream) is None:  # closed by the caller
            setattr(sys, stream, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - stays open
    if ASKED in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined] # by its own module

        completion_init()
    try:
        app(prog_name="egressd", obj=load_daemon)
    except OSError as error:  # from typer's own output, such as --help: commands are guarded
        discard_stdout()
        print_stderr(f"cannot write to stdout: {error.strerror}")
        sys.exit(ExitCode.OUTPUT)


@app.callback(invoke_without_command=True)
@guarded
@options.takes_display("colour", "quiet", "verbose")
@options.takes_flags(*options.PLAN_FLAGS, "deadline", "strict")
@takes_ticket
def root_command(
    ctx: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Sweep once, report, and exit.")] = False,
    config_file: options.ConfigFile = None,
    flags: Flags,
    fmt: options.ReportFormat = None,
    output: options.Output = None,
    ticket: TicketFlags,
    baseline: options.BaselineFile = None,
    only_failed_in: options.OnlyFailed = None,
    web_listen: options.WebListen = None,
    web_config: options.WebConfig = None,
    log_level: options.MaybeLogLevel = None,
    log_format: options.MaybeLogFormat = None,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
) -> ExitCode | None:
    """Run as a daemon; sweep once (`--once`); or run a command."""
    if version:
        write(version_text(), None)
        return ExitCode.OK
    unknown = _unknown_variables(ctx)
    daemon = ctx.invoked_subcommand is None and not once
    if unknown and not daemon:
        print_stderr("\n".join(unknown))
    if ctx.invoked_subcommand is not None:
        _refuse_flags_before(ctx)
        return None
    announce_variables(ctx)
    if daemon:
        made = ("fmt", "output", "team", "split", "every_target")
        _refuse_flags(ctx, *made, why="needs --once: the daemon makes no report")
        _refuse_flags(ctx, "baseline", why="needs --once: the daemon keeps a history of its own")
        _refuse_flags(ctx, "only_failed_in", why="needs --once: the daemon probes everything")
        _refuse_flags(ctx, "strict", why="needs --once: it changes the exit code")
        _refuse_flags(ctx, "compare_paths", why="needs --once: the daemon follows one path")
        # By the environment they are for sweeps beside the daemon, which goes on without.
        flags = replace(flags, strict=False, compare_paths=False, warnings=unknown)
        load_daemon: Callable[[], DaemonCommand] = ctx.obj
        web = WebFlags(listen=web_listen, config_file=web_config)
        return load_daemon()(config_file, flags, web, level=log_level, form=log_format)
    _refuse_flags(ctx, "web_listen", "web_config", why="is for the daemon; leave --once out")
    from egressd.cli.sweep.once import sweep_once

    check_output(output)
    ticket.check(fmt, output)
    settings, catalog = read_settings(config_file, flags)
    refuse_sources(settings, flags)
    settings = only_failed(settings, only_failed_in, baseline=baseline)
    configure_logging_late(
        log_level or Level.WARN, log_format or Form.HUMAN, secrets=settings_secrets(settings)
    )
    before = read_baseline(baseline)
    return sweep_once(settings, catalog, fmt=fmt, output=output, baseline=before, ticket=ticket)


def _unknown_variables(ctx: typer.Context) -> tuple[str, ...]:
    return unknown_variables(ctx.command, os.environ) if isinstance(ctx.command, TyperGroup) else ()


def _refuse_flags(ctx: typer.Context, *names: str, why: str) -> None:
    """Refuse flags that would have no effect."""
    for parameter in ctx.command.params:
        if parameter.name in names and _is_given(ctx, parameter.name):
            raise UsageError(f"{parameter.opts[0]} {why}")


def _is_given(ctx: typer.Context, name: str) -> bool:
    origin = ctx.get_parameter_source(name)
    return origin is not None and origin.name == "COMMANDLINE"


def _refuse_flags_before(ctx: typer.Context) -> None:
    """Refuse flags before a command: they belong after it, and would have no effect here."""
    for parameter in ctx.command.params:
        if _is_given(ctx, parameter.name or ""):
            raise UsageError(_misplaced(ctx, parameter.opts[0]))


def _misplaced(ctx: typer.Context, flag: str) -> str:
    """Return what to do about a flag before a command: put it after, if the command has it."""
    name, group = ctx.invoked_subcommand or "", ctx.command
    command = group.commands[name] if isinstance(group, TyperGroup) else group
    inner = command.commands.values() if isinstance(command, TyperGroup) else (command,)
    if not any(flag in parameter.opts for one in inner for parameter in one.params):
        return f"cannot use {flag} with egressd {name}: leave one of them out"
    words = f"{name} COMMAND" if isinstance(command, TyperGroup) else name
    return f"cannot use {flag} before a command; write egressd {words} {flag} ..."
