"""Which rows count: the profiles' and the operator's, for one cloud, with overrides applied."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from egressd.errors import UsageError
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint, Need
from egressd.model.settings import ALL_ROLES, Override, Settings
from egressd.planning.pattern import glob_matches, glob_matches_host, pattern_covers


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An endpoint that counts, and for whom."""

    endpoint: Endpoint
    profiles: tuple[str, ...]
    """The selected profiles that need it."""
    ours: bool = False
    """Whether the operator added it."""


def select(catalog: Catalog, settings: Settings) -> tuple[Row, ...]:
    """Return the rows in the order of profiles and files, the operator's own last.

    Raises UsageError for a profile that does not exist and for an id that is taken.
    """
    changed = (
        (row, apply_overrides(row.endpoint, settings.overrides)) for row in _asked_for(catalog, settings)
    )
    return tuple(replace(row, endpoint=endpoint) for row, endpoint in changed if endpoint is not None)


def skipped_by_override(catalog: Catalog, settings: Settings) -> tuple[str, ...]:
    """Return the ids of the rows that an override leaves out as a whole."""
    rows = _asked_for(catalog, settings)
    return tuple(row.endpoint.id for row in rows if apply_overrides(row.endpoint, settings.overrides) is None)


def _asked_for(catalog: Catalog, settings: Settings) -> Iterator[Row]:
    _refuse_unknown(settings.profiles, [profile.name for profile in catalog.profiles])
    _refuse_twice([*catalog.endpoints, *settings.endpoints])
    for profile, asked_by in _needed_by(catalog, settings.profiles).items():
        for endpoint in catalog.endpoints:
            if endpoint.profile == profile and settings.cloud in endpoint.clouds:
                yield Row(endpoint=endpoint, profiles=tuple(asked_by))
    for endpoint in settings.endpoints:
        yield _own(endpoint)


def apply_overrides(
    endpoint: Endpoint, overrides: Iterable[Override], *, host: str | None = None
) -> Endpoint | None:
    """Apply the overrides that name the row, or its one host; None where one says to skip it.

    The last word wins.
    """
    for one in overrides:
        if not _meant(one, endpoint, host):
            continue
        if one.skip:
            return None
        endpoint = replace(
            endpoint,
            need=one.need or endpoint.need,
            condition=endpoint.condition if one.need in (None, Need.CONDITIONAL) else None,
            inspection=one.inspection or endpoint.inspection,
            path=one.path or endpoint.path,
            expect=one.expect or endpoint.expect,
        )
    return endpoint


def endpoint_matches(endpoint: Endpoint, globs: Iterable[str]) -> bool:
    """Say whether a glob names the row by its id or pattern."""
    return any(glob_matches(glob, endpoint.id) or glob_matches_host(glob, endpoint.pattern) for glob in globs)


def endpoint_may_match(endpoint: Endpoint, globs: Iterable[str]) -> bool:
    """Say whether a glob names the row, or could name a host that its pattern covers."""
    found = tuple(globs)
    return endpoint_matches(endpoint, found) or any(
        pattern_covers(endpoint.pattern, glob, deep=endpoint.deep) for glob in found
    )


def refuse_unmatched(only: tuple[str, ...], names: Callable[[str], bool]) -> None:
    """Refuse patterns of `--only` that name nothing: what is not there must not look like good news.

    Raises:
        UsageError: with all of them.
    """
    idle = [glob for glob in only if not names(glob)]
    if idle:
        raise UsageError(
            f"cannot find an endpoint for --only {', '.join(idle)}: "
            "no selected id, pattern or host matches (`egressd catalog list` shows them)"
        )


def _meant(one: Override, endpoint: Endpoint, host: str | None) -> bool:
    if host is not None and glob_matches_host(one.match, host):
        return True
    return endpoint_matches(endpoint, (one.match,))


def _own(endpoint: Endpoint) -> Row:
    """Take an endpoint of the operator; where no role is named, every role needs it."""
    profiles = (endpoint.profile,) if endpoint.profile else ()
    return Row(endpoint=replace(endpoint, roles=endpoint.roles or ALL_ROLES), profiles=profiles, ours=True)


def _needed_by(catalog: Catalog, names: Iterable[str]) -> dict[str, list[str]]:
    """Return every profile that counts, in order, with the selected ones that brought it in."""
    includes = {profile.name: profile.includes for profile in catalog.profiles}
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        waiting = [name]
        while waiting:
            profile = waiting.pop(0)
            asked_by = found.setdefault(profile, [])
            if name not in asked_by:
                asked_by.append(name)
                waiting += includes.get(profile, ())
    return found


def _refuse_unknown(names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"cannot find the profile {name!r}: {hint}")


def _refuse_twice(endpoints: Iterable[Endpoint]) -> None:
    """Refuse an id of the operator that is taken: reports and metrics tell rows apart by it."""
    twice = [name for name, count in Counter(one.id for one in endpoints).items() if count > 1]
    if twice:
        raise UsageError(
            f"cannot use the endpoint id {', '.join(twice)} twice; "
            "choose another in `endpoints:`, or change the catalog's row in `overrides:`"
        )
