"""Saved reports of many sites, reduced to the state of each site.

Every report is read twice: first for whose it is, then with those of its site. So only the reports of one
site are in memory at a time, and of those that an earlier time is known by only what they found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from egressd.cli.saved import judge_saved, read_saved_text
from egressd.errors import ReportFileError, UsageError
from egressd.fleet import site_state
from egressd.fleet.values import Fleet, SiteState
from egressd.inputfile import is_file, is_folder, why_unusable
from egressd.model.verdict import Sweep, TargetVerdict, Verdict
from egressd.wording import count, name_first

MOST_NAMED = 3
"""Files of a site that its origin names."""


class _Run(Struct, frozen=True):
    id: str
    finished: str


class _Vantage(Struct, frozen=True):
    host: str
    site: str | None = None


class _Head(Struct, frozen=True):
    """What a report says of whose it is; the rest is skipped."""

    run: _Run
    vantage: _Vantage


class _Saved(Struct, frozen=True, kw_only=True):
    """A report that can be read."""

    path: Path
    site: str
    text: str | None
    """All of it where it can be read only once, as of a pipe."""


class SkippedReport(Struct, frozen=True, kw_only=True):
    """A file that is no report, and why."""

    path: Path
    why: str


def read_reports(paths: Sequence[Path]) -> tuple[Fleet, tuple[SkippedReport, ...]]:
    """Return the fleet of reports and of folders of them, and what could not be read.

    Raises:
        UsageError: a path leads nowhere, or a folder has no report.
        ReportFileError: there is no readable report among them.
    """
    files = tuple(dict.fromkeys(_files(paths)))
    if [str(one) for one in files].count("-") < [str(one) for one in paths].count("-"):
        raise UsageError("only one of the reports can come from stdin")
    by_site: defaultdict[str, list[_Saved]] = defaultdict(list)
    skipped: list[SkippedReport] = []
    for path in files:
        try:
            one = _whose(path)
            by_site[one.site].append(one)
        except ReportFileError as error:
            skipped.append(SkippedReport(path=path, why=str(error)))
    sites = [state for _, some in sorted(by_site.items()) for state in _state(some, skipped)]
    if not sites:
        raise ReportFileError("\n".join((*(one.why for one in skipped), "no report is left to compare")))
    newest = max(one.seen for one in sites if one.seen is not None)
    return Fleet(at=newest, sites=tuple(sites)), tuple(skipped)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files, those of a folder by name. Raises UsageError."""
    for path in paths:
        if str(path) == "-" or not is_folder(path):
            yield path
            continue
        try:
            found = sorted(
                one for one in path.iterdir() if one.suffix.lower() == ".json" and not is_folder(one)
            )
        except OSError as error:
            raise UsageError(f"cannot read {path}: {why_unusable(path, error)}") from None
        if not found:
            raise UsageError(f"there is no *.json in the folder {path}; folders in it are not searched")
        yield from found


def _whose(path: Path) -> _Saved:
    """Return whose report a file is. Raises ReportFileError: it is no report."""
    text = read_saved_text(path)
    try:
        head = msgspec.json.decode(text, type=_Head)
    except (msgspec.DecodeError, RecursionError):
        judge_saved(path, text)  # which says what is wrong with it
        raise ReportFileError(f"cannot read {path} as a report: it does not say whose it is") from None
    again = is_file(path)
    site = head.vantage.site or head.vantage.host
    return _Saved(path=path, site=site, text=None if again else text)


def _state(some: Sequence[_Saved], skipped: list[SkippedReport]) -> Iterator[SiteState]:
    """Yield the state of one site, if one of its reports can be read; the others are noted as skipped."""
    newest: dict[str, Sweep] = {}
    earlier: list[Sweep] = []
    named: list[str] = []
    for one in some:
        try:
            sweep = judge_saved(one.path, one.text if one.text is not None else read_saved_text(one.path))
        except ReportFileError as error:
            skipped.append(SkippedReport(path=one.path, why=str(error)))
            continue
        named.append(one.path.name or str(one.path))
        host = sweep.recording.vantage.host
        before = newest.get(host)
        if before is None or _order(before) <= _order(sweep):
            newest[host], sweep = sweep, before  # type: ignore[assignment]  # None is left out below
        if sweep is not None:
            earlier.append(outcomes_only(sweep))
    if newest:
        files = name_first(named, most=MOST_NAMED)
        yield site_state([*earlier, *newest.values()], files)


def _order(sweep: Sweep) -> tuple[str, str]:
    return sweep.recording.finished, sweep.recording.id


def outcomes_only(sweep: Sweep) -> Sweep:
    """Return what an earlier sweep is needed for: when it was, and what each target's outcome was."""
    recording = sweep.recording
    plan = replace(recording.plan, targets=(), probes=(), unsampled=())
    return Sweep(
        recording=replace(recording, plan=plan, records=(), controls=()),
        verdicts=tuple(
            TargetVerdict(target=one.target, verdict=Verdict(outcome=one.verdict.outcome), by_source=())
            for one in sweep.verdicts
        ),
        findings=(),
    )


def skipped_text(skipped: Sequence[SkippedReport]) -> str:
    """Say what was left out, a line for each file."""
    lines = [one.why for one in skipped]
    return "\n".join((*lines, f"{count(len(skipped), 'file')} left out, the rest is compared"))
