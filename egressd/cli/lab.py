"""`egressd lab`: a simulated Azure with faults on loopback, to rehearse on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from egressd.cli import options
from egressd.cli.guard import guarded
from egressd.cli.log import Form, Level, configure_logging
from egressd.cli.output import print_line, width, write, write_report
from egressd.cli.outputfile import check_output
from egressd.errors import ExitCode, UsageError
from egressd.model.endpoint import Cloud
from egressd.model.settings import Settings

if TYPE_CHECKING:
    from egressd.lab import Lab
    from egressd.model.verdict import Sweep


USUAL_REGIONS = {Cloud.PUBLIC: "westeurope", Cloud.USGOV: "usgovvirginia", Cloud.CHINA: "chinaeast2"}
"""The region of each cloud that is simulated if none is given."""


@guarded
def lab(
    *,
    once: Annotated[bool, typer.Option("--once", help="Sweep the lab once, report, and exit.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="FAULT=HOST", help="Switch a fault on; repeat for more."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Switch a handful of faults on.")] = False,
    list_faults: Annotated[bool, typer.Option("--list", help="List every fault, and exit.")] = False,
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="NAME", help="Azure region to simulate, if not a usual one."),
    ] = None,
    cloud: Annotated[Cloud, typer.Option("--cloud", help="Azure cloud to simulate.")] = Cloud.PUBLIC,
    profile: options.Profiles = None,
    port_base: Annotated[
        int, typer.Option("--port.base", min=0, max=65000, help="First port to listen on; 0 takes free ones.")
    ] = 0,
    config_write: Annotated[
        Path | None,
        typer.Option(
            "--config.write", metavar="FILE", help="Write a configuration for the lab there.", readable=False
        ),
    ] = None,
    fmt: options.ReportFormat = options.Format.TABLE,
    output: options.Output = None,
    log_level: options.LogLevel = Level.WARN,
    log_format: options.LogFormat = Form.HUMAN,
) -> ExitCode:
    """Simulate Azure with faults on loopback.

    Without --once it stays open until Ctrl-C and takes commands on stdin; `help` lists them.
    """
    from egressd.lab import DEMO, Lab
    from egressd.lab.faults.console import list_faults as render_faults

    if list_faults:
        write(render_faults(width=width()) + "\n", None)
        return ExitCode.OK
    if not once and (output is not None or fmt is not options.Format.TABLE):
        raise UsageError("--format and --output need --once: without it the lab makes no report")
    if once and config_write is not None:
        raise UsageError("--config.write needs a lab that stays open; leave --once out")
    check_output(output)
    configure_logging(log_level, log_format)
    profiles = tuple(profile or ())
    made = Lab(
        faults=[*(DEMO if demo else ()), *(fault or ())],
        region=_simulated_region(region, cloud, profiles),
        cloud=cloud,
        port_base=port_base,
    )
    if not once:
        asyncio.run(_serve(made, profiles, config_write))
        return ExitCode.OK
    from egressd.report.summary import exit_code

    sweep = asyncio.run(_sweep(made, profiles))
    write_report(sweep, fmt, output)
    return exit_code(sweep)


def _simulated_region(region: str | None, cloud: Cloud, profiles: tuple[str, ...]) -> str:
    """Return the region to simulate. Raises UsageError where it, or a product in it, does not exist."""
    from egressd.catalog import load_catalog
    from egressd.planning.region import normalize_region, place_problem

    try:
        name = USUAL_REGIONS[cloud] if region is None else normalize_region(region)
    except ValueError as error:
        raise UsageError(f"--region {error}") from None
    if problem := place_problem(load_catalog(), Settings(region=name, cloud=cloud, profiles=profiles)):
        raise UsageError(problem)
    return name


async def _sweep(lab: Lab, profiles: tuple[str, ...]) -> Sweep:
    from egressd.cli.once import sweep_until_stopped

    async with lab:
        return await sweep_until_stopped(lab.settings(*profiles, values=lab.values), lab.catalog)


async def _serve(lab: Lab, profiles: tuple[str, ...], config_write: Path | None) -> None:
    """Keep the lab open until a signal comes; carry out commands from stdin."""
    from egressd.cli.once import stopped_by_signals

    stop = asyncio.Event()
    async with lab:
        if config_write is not None:
            lab.write_config(config_write, *profiles, values=lab.values)
            print_line(f"probe it from another terminal: egressd --once --config.file {config_write}")
        with stopped_by_signals(stop):
            print_line("the lab is open on 127.0.0.1; Ctrl-C closes it; `help` lists its commands")
            with _commands(lab):
                await stop.wait()


@contextmanager
def _commands(lab: Lab) -> Iterator[None]:
    """Carry out every line of stdin as it comes."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
    take = _line_taker(lab, lambda: loop.remove_reader(stdin))
    try:
        loop.add_reader(stdin, take)
    except PermissionError:  # a file can't be waited for, nor need it be
        while take():
            pass
    try:
        yield
    finally:
        loop.remove_reader(stdin)


def _line_taker(lab: Lab, at_end: Callable[[], object]) -> Callable[[], bool]:
    """Return what reads what is there, obeys whole lines, and says whether more may come."""
    rest = b""

    def take() -> bool:
        nonlocal rest
        data = os.read(sys.stdin.fileno(), 4096)
        *lines, rest = (rest + (data or b"\n")).split(b"\n")
        for line in lines:
            if line.strip():
                print_line(lab.apply(line.decode(errors="replace")))
        if not data:
            at_end()
        return bool(data)

    return take
