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
from msgspec.structs import replace

from egressd.cli import options
from egressd.cli.display import width
from egressd.cli.guard import guarded
from egressd.cli.log import Form, Level, configure_logging
from egressd.cli.output import print_line, write, write_report
from egressd.cli.outputfile import check_output
from egressd.cli.reference.values import complete_faults, complete_regions
from egressd.config import Flags, load_settings
from egressd.errors import ExitCode, UsageError
from egressd.model.endpoint import Cloud

if TYPE_CHECKING:
    from egressd.lab import Lab
    from egressd.model.catalog import Catalog
    from egressd.model.settings import Settings
    from egressd.model.verdict import Sweep

Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="FAULT=HOST",
        help="Switch a fault on; repeat for more.",
        autocompletion=complete_faults,
    ),
]
SimulatedRegion = Annotated[
    str | None,
    typer.Option(
        "--region",
        "-r",
        metavar="NAME",
        help="Azure region to simulate; else a usual one.",
        autocompletion=complete_regions,
    ),
]


@guarded
@options.takes_display("colour", "quiet", "verbose")
def lab(
    *,
    once: Annotated[bool, typer.Option("--once", help="Sweep the lab once, report, and exit.")] = False,
    fault: Faults = None,
    demo: Annotated[bool, typer.Option("--demo", help="Switch a handful of faults on.")] = False,
    list_faults: Annotated[bool, typer.Option("--list", help="List every fault, and exit.")] = False,
    region: SimulatedRegion = None,
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
    fmt: options.ReportFormat = None,
    output: options.Output = None,
    log_level: options.LogLevel = Level.WARN,
    log_format: options.LogFormat = Form.HUMAN,
) -> ExitCode:
    """Simulate Azure with faults on loopback.

    Without --once it stays open until Ctrl-C and takes commands on stdin; `help` lists them.
    """
    from egressd.catalog import load_catalog
    from egressd.lab import DEMO, Lab
    from egressd.lab.faults.console import list_faults as render_faults

    if list_faults:
        write(render_faults(width=width()) + "\n", None)
        return ExitCode.OK
    _refuse_unfit(once=once, report=output is not None or fmt is not None, config=config_write)
    check_output(output)
    configure_logging(log_level, log_format)
    catalog = load_catalog()
    place = _place(catalog, region, cloud, tuple(profile or ()))
    made = Lab(
        faults=[*(DEMO if demo else ()), *(fault or ())],
        catalog=_with_host_rows(catalog, place),
        region=place.region or "",
        cloud=place.cloud,
        port_base=port_base,
    )
    if once:
        return _report(asyncio.run(_sweep(made, place.profiles)), fmt, output)
    asyncio.run(_serve(made, place.profiles, config_write))
    return ExitCode.OK


def _report(sweep: Sweep, fmt: options.Format | None, output: Path | None) -> ExitCode:
    from egressd.report.summary import exit_code

    write_report(sweep, fmt, output)
    return exit_code(sweep)


def _refuse_unfit(*, once: bool, report: bool, config: Path | None) -> None:
    """Refuse options that have no effect together. Raises UsageError."""
    if report and not once:
        raise UsageError("--format and --output need --once: without it the lab makes no report")
    if once and config is not None:
        raise UsageError("--config.write needs a lab that stays open; leave --once out")


def _place(catalog: Catalog, region: str | None, cloud: Cloud, profiles: tuple[str, ...]) -> Settings:
    """Return the region, cloud and profiles to simulate.

    Raises:
        UsageError: there is no such region, or a chosen product does not exist there.
    """
    from egressd.lab.zone import usual_region

    flags = Flags(region=region or usual_region(catalog, cloud, profiles), cloud=cloud, profiles=profiles)
    return load_settings(None, flags, catalog=catalog)


def _with_host_rows(catalog: Catalog, place: Settings) -> Catalog:
    """Add this host's repositories, if that profile was chosen; nothing in a lab is behind their proxies."""
    rows = (replace(one, route=None) for one in place.host.endpoints)
    return replace(catalog, endpoints=(*catalog.endpoints, *rows))


async def _sweep(lab: Lab, profiles: tuple[str, ...]) -> Sweep:
    from egressd.cli.sweep.once import sweep_until_stopped

    async with lab:
        return await sweep_until_stopped(lab.settings(*profiles, values=lab.values), lab.catalog)


async def _serve(lab: Lab, profiles: tuple[str, ...], config_write: Path | None) -> None:
    """Keep the lab open until a signal comes; carry out commands from stdin."""
    from egressd.cli.sweep.once import stopped_by_signals

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
