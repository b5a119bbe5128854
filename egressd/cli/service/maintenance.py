"""`egressd maintenance`: open, end and list silences."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer

from egressd import clock
from egressd.cli import options
from egressd.cli.guard import guarded, print_stderr
from egressd.cli.output import print_line
from egressd.cli.service.history import directory_in
from egressd.cli.settings import read_settings
from egressd.config import Flags
from egressd.config.alerts.parse import parse_glob, parse_line
from egressd.errors import ExitCode, UsageError
from egressd.fields.parse import config_duration, parse_duration
from egressd.model.alert import Silence
from egressd.model.catalog import Catalog
from egressd.model.notification import Scope, TimeInterval
from egressd.model.settings import Settings
from egressd.wording import span

SHORTEST, LONGEST = 60.0, 7 * 86400.0
"""Seconds; a longer silence would be forgotten."""
LONGEST_USER = 64
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

maintenance_app = typer.Typer(
    help="Silence notifications for a while; probing goes on.", rich_markup_mode=None, no_args_is_help=True
)


@maintenance_app.callback()
def maintenance_main() -> None:
    """Silence notifications for a while; probing goes on."""


@maintenance_app.command("start")
@guarded
def maintenance_start(
    *,
    lasting: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long, such as 2h; up to 7d.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of the silence.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", "-s", metavar="PATTERN", help="Only probes from these sources; repeatable."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            metavar="PATTERN",
            help="Only targets whose id, endpoint or host matches; repeatable.",
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for people.")] = None,
    config_file: options.ConfigFile = None,
) -> ExitCode:
    """Open a silence now."""
    from egressd.state.silences import locked, open_of, read_silences, write_silences

    seconds = _seconds(lasting)
    sources, targets = (
        _patterns(flag, given) for flag, given in (("--source", source), ("--target", target))
    )
    why = _line(reason)
    settings, catalog = read_settings(config_file, Flags())
    directory = directory_in(settings)
    with locked(directory):
        now = clock.now()
        existing = open_of(read_silences(directory), now)
        silence = Silence(
            name=_name(name, existing, settings.alerting.maintenance),
            began=clock.timestamp(now),
            ends=clock.timestamp(now + timedelta(seconds=seconds)),
            reason=why,
            by=_user(),
            scope=Scope(sources=sources, targets=targets),
        )
        write_silences(directory, (*existing, silence), now=now)
    for line in _opened(silence, settings, catalog):
        print_line(line)
    return ExitCode.OK


@maintenance_app.command("end")
@guarded
def maintenance_end(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The silence; not needed where only one is open.")
    ] = None,
    config_file: options.ConfigFile = None,
) -> ExitCode:
    """End a silence that was opened by hand."""
    from egressd.state.silences import locked, open_of, read_silences, write_silences

    settings, _ = read_settings(config_file, Flags())
    directory = directory_in(settings)
    with locked(directory):
        now = clock.now()
        existing = open_of(read_silences(directory), now)
        ended = _chosen(name, existing, settings.alerting.maintenance)
        write_silences(directory, (one for one in existing if one is not ended), now=now)
    left = datetime.fromisoformat(ended.ends) - now
    print_line(
        f"silence {ended.name}: ended, {_roughly(left)} before its time; what still fails is notified now"
    )
    return ExitCode.OK


@maintenance_app.command("list")
@guarded
def maintenance_list(config_file: options.ConfigFile = None) -> ExitCode:
    """List the active silences, and when planned ones begin next."""
    from egressd.alerting.silences import active_silences, next_start
    from egressd.state.silences import read_silences

    settings, _ = read_settings(config_file, Flags())
    now = clock.now()
    intervals = settings.alerting.maintenance
    active = active_silences(intervals, read_silences(directory_in(settings)), now)
    for one in active:
        print_line(f"active    {one.name}: {_until(one)}; {_described(one.scope, one.reason, one.by)}")
    for interval in sorted(intervals, key=lambda one: next_start(one, now)):
        length = config_duration(interval.seconds)
        described = _described(interval.scope, interval.reason)
        print_line(
            f"planned   {interval.name}: from {_moment(next_start(interval, now))} for {length}; {described}"
        )
    if not active and not intervals:
        print_line("no silences: none is active, and none is planned in alerts.maintenance")
    return ExitCode.OK


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--for {error}") from None
    if not SHORTEST <= seconds <= LONGEST:
        raise UsageError(
            f"--for must be from {config_duration(SHORTEST)} to {config_duration(LONGEST)}, not {text}; "
            "plan what comes again in alerts.maintenance, and leave out what is not needed with overrides"
        )
    return seconds


def _patterns(flag: str, given: list[str] | None) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(parse_glob(one) for one in given or ()))
    except ValueError as error:
        raise UsageError(f"{flag} {error}") from None


def _line(reason: str | None) -> str:
    try:
        return parse_line(reason) if reason is not None else ""
    except ValueError as error:
        raise UsageError(f"--reason {error}") from None


def _name(given: str | None, existing: tuple[Silence, ...], intervals: tuple[TimeInterval, ...]) -> str:
    """Return the name of a new silence: one that no other has."""
    taken = {one.name: f"is open {_until(one)}; end it first" for one in existing}
    taken |= {one.name: "is planned in alerts.maintenance; take another name" for one in intervals}
    if given is None:
        return next(name for number in range(1, len(taken) + 2) if (name := f"manual-{number}") not in taken)
    if not NAME.fullmatch(given):
        raise UsageError("--name must be 1 to 64 of a-z, 0-9, dot, _ and -, starting with a letter or digit")
    if given in taken:
        raise UsageError(f"--name {given} {taken[given]}")
    return given


def _chosen(name: str | None, existing: tuple[Silence, ...], intervals: tuple[TimeInterval, ...]) -> Silence:
    """Return the silence to end. Raises UsageError."""
    names = ", ".join(one.name for one in existing)
    if name in {one.name for one in intervals}:
        raise UsageError(f"{name} is planned: change alerts.maintenance in the configuration, and reload")
    if not existing:
        raise UsageError("no silence was opened by hand")
    if name is None and len(existing) > 1:
        raise UsageError(f"name the silence to end: {names}")
    found = next((one for one in existing if name in (None, one.name)), None)
    if found is None:
        raise UsageError(f"no silence is called {name!r}; open are {names}")
    return found


def _user() -> str:
    """Return the name of the user, as far as the environment has it."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return ""
    return user if user.isprintable() and len(user) <= LONGEST_USER else ""


def _opened(one: Silence, settings: Settings, catalog: Catalog) -> Iterator[str]:
    yield f"silence {one.name}: {_until(one)}"
    yield f"  covers {_covered(one, settings, catalog)}"
    yield "  no notifications are sent for what it covers; probing, metrics and history go on"
    yield f"  end it sooner with: egressd maintenance end {one.name}"


def _covered(one: Silence, settings: Settings, catalog: Catalog) -> str:
    """Describe what is covered, and how many targets of the plan that are."""
    if one.covers_all:
        return "everything"
    from egressd.alerting.silences import silenced_pairs
    from egressd.engine.plan import plan_sweep

    plan = plan_sweep(settings, catalog)
    count = len({target for target, _ in silenced_pairs(plan, (one,))})
    if count == 0:
        print_stderr(f"silence {one.name} covers no target that is planned now; `egressd plan` lists them")
    return f"{_scope(one.scope)}: {count} of {len(plan.targets)} targets"


def _described(scope: Scope, reason: str, by: str = "") -> str:
    parts = (f"covers {_scope(scope)}", reason, f"opened by {by}" if by else "")
    return "; ".join(part for part in parts if part)


def _until(one: Silence) -> str:
    return f"until {_moment(datetime.fromisoformat(one.ends))}"


def _scope(scope: Scope) -> str:
    if scope == Scope():
        return "everything"
    parts = (("sources", scope.sources), ("targets", scope.targets), ("profiles", scope.profiles))
    return ", ".join(f"{what} {' '.join(patterns)}" for what, patterns in parts if patterns)


def _moment(at: datetime) -> str:
    """Write a time in UTC, and in this host's time zone if that is another."""
    utc, local = at.strftime("%Y-%m-%d %H:%M UTC"), at.astimezone()
    same = local.utcoffset() == timedelta(0)
    return utc if same else f"{utc} ({local.strftime('%Y-%m-%d %H:%M %Z')})"


def _roughly(left: timedelta) -> str:
    return span(max(60, round(left.total_seconds() / 60) * 60))
