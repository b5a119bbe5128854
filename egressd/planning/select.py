"""Select rows: those of the profiles and the operator's own, for one cloud, with overrides applied."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from egressd.errors import UsageError
from egressd.model.catalog import Catalog, Inclusion
from egressd.model.endpoint import Endpoint, GatewayUse, Need
from egressd.model.settings import ALL_ROLES, Override, Settings
from egressd.planning.modes.features import feature_not_in_use, refuse_unknown_features, with_features
from egressd.planning.path.gateway import gateway_use, is_gateway, required, row_of_gateway
from egressd.planning.pattern import glob_matches, glob_matches_host, pattern_covers


class SelectedRow(Struct, frozen=True, kw_only=True):
    """A selected endpoint."""

    endpoint: Endpoint
    profiles: tuple[str, ...]
    """The selected profiles that need it."""
    own: bool = False
    """Whether the operator added it, here or in the files of this host."""
    waits_for: str | None = None
    """The feature that is not in use, for which it is left out."""
    gateway: GatewayUse | None = None
    """What the Azure Arc gateway in use means for it; None: none is in use, or the row is the operator's."""
    stand_in: str | None = None
    """Why another row is probed for it; None: it is probed itself."""


def select(catalog: Catalog, settings: Settings) -> tuple[SelectedRow, ...]:
    """Return the rows in the order of profiles and files, the operator's own last.

    Raises UsageError for a profile or a feature that does not exist and for an id that is taken.
    """
    return tuple(_changed(_by_gateway(_selected_rows(catalog, settings), settings), settings))


def _changed(rows: Iterable[SelectedRow], settings: Settings) -> Iterator[SelectedRow]:
    """Yield rows as features and overrides make them; an override of the need puts a row in use by itself."""
    for row in rows:
        plain = row.endpoint if row.waits_for else with_features(row.endpoint, settings.features)
        endpoint = apply_overrides(plain, settings.overrides)
        if endpoint is not None:
            waits_for = row.waits_for if endpoint.need is plain.need else None
            waits_for = waits_for or feature_not_in_use(endpoint, settings.features)
            yield replace(row, endpoint=endpoint, waits_for=waits_for)


def skipped_by_override(catalog: Catalog, settings: Settings) -> tuple[str, ...]:
    """Return the ids of the rows that an override skips as a whole."""
    rows = _selected_rows(catalog, settings) if any(one.skip for one in settings.overrides) else ()
    return tuple(row.endpoint.id for row in rows if apply_overrides(row.endpoint, settings.overrides) is None)


def _selected_rows(catalog: Catalog, settings: Settings) -> Iterator[SelectedRow]:
    refuse_unknown_features(settings, catalog)
    _refuse_unknown(settings.profiles, [profile.name for profile in catalog.profiles])
    _refuse_duplicate_ids([*catalog.endpoints, *settings.added_endpoints])
    conditions = _conditions(catalog, settings.profiles)
    for profile, asked_by in needed_by(catalog, settings.profiles).items():
        on = conditions[profile]
        idle = on is not None and settings.features is not None and on.feature not in settings.features
        for endpoint in catalog.endpoints:
            if endpoint.profile == profile and _exists(endpoint, settings):
                yield SelectedRow(
                    endpoint=_under(on, endpoint.in_cloud(settings.cloud)),
                    profiles=tuple(asked_by),
                    waits_for=on.feature if on is not None and idle else None,
                )
    for endpoint in settings.host.endpoints:
        yield SelectedRow(endpoint=endpoint, profiles=(endpoint.profile,), own=True)
    for endpoint in settings.endpoints:
        if _exists(endpoint, settings):
            yield _own_row(endpoint)


def _by_gateway(rows: Iterable[SelectedRow], settings: Settings) -> Iterator[SelectedRow]:
    """Say of each row what the Azure Arc gateway in use means for it; the gateway itself is required."""
    gateway, known = settings.arc_gateway, False
    for row in rows:
        if gateway is None or row.own:
            yield row
            continue
        itself = is_gateway(row.endpoint)
        known = known or itself
        changed = replace(row, endpoint=required(row.endpoint), waits_for=None) if itself else row
        yield replace(changed, gateway=gateway_use(row.endpoint, row.profiles))
    if gateway is not None and not known:
        endpoint = row_of_gateway(gateway)
        yield SelectedRow(endpoint=endpoint, profiles=settings.profiles, gateway=gateway_use(endpoint, ()))


def _exists(endpoint: Endpoint, settings: Settings) -> bool:
    """Return whether the row exists in the cloud and the region; without a region, all of the cloud's do."""
    somewhere = not endpoint.regions or settings.region is None
    return settings.cloud in endpoint.clouds and (somewhere or settings.region in endpoint.regions)


def feature_notes(catalog: Catalog, settings: Settings) -> Iterator[str]:
    """Yield that a feature is none of the selected products': probably not what was meant."""
    used = {row.endpoint.feature for row in _selected_rows(catalog, settings)} if settings.features else set()
    if idle := [one for one in settings.features or () if one not in used]:
        yield f"no endpoint of the selected profiles depends on feature {', '.join(idle)}: it changes nothing"


def apply_overrides(
    endpoint: Endpoint, overrides: Iterable[Override], *, host: str | None = None
) -> Endpoint | None:
    """Apply the overrides that match the row, or one host of it; None if one skips it. Later ones win."""
    for one in overrides:
        if not _override_matches(one, endpoint, host):
            continue
        if one.skip:
            return None
        endpoint = replace(
            endpoint,
            need=one.need or endpoint.need,
            condition=endpoint.condition if one.need in (None, Need.CONDITIONAL) else None,
            inspection=one.inspection or endpoint.inspection,
            paths=(one.path,) if one.path else endpoint.paths,
            expect=one.expect or endpoint.expect,
        )
    return endpoint


def endpoint_matches(endpoint: Endpoint, globs: Iterable[str]) -> bool:
    """Return whether a glob matches the row's id or pattern."""
    return any(glob_matches(glob, endpoint.id) or glob_matches_host(glob, endpoint.pattern) for glob in globs)


def endpoint_may_match(endpoint: Endpoint, globs: Iterable[str]) -> bool:
    """Return whether a glob matches the row, or could match a host that its pattern covers."""
    found = tuple(globs)
    return endpoint_matches(endpoint, found) or any(
        pattern_covers(endpoint.pattern, glob, deep=endpoint.deep) for glob in found
    )


def refuse_unmatched(
    only: tuple[str, ...], names: Callable[[str], bool], known: Callable[[], Iterable[str]]
) -> None:
    """Refuse patterns of `--only` that match nothing: an empty sweep must not look like success.

    `known` gives what could have been named.

    Raises:
        UsageError: naming all of them, with what may have been meant.
    """
    unmatched = [glob for glob in only if not names(glob)]
    if unmatched:
        every = sorted(set(known()))
        near = [one for glob in unmatched for one in difflib.get_close_matches(glob, every, n=1, cutoff=0.75)]
        meant = f"; did you mean {', '.join(dict.fromkeys(near))}?" if near else ""
        raise UsageError(
            f"cannot find an endpoint for --only {', '.join(unmatched)}: "
            f"no selected id, pattern or host matches (`egressd catalog list` shows them){meant}"
        )


def names_of_rows(rows: Iterable[SelectedRow]) -> Iterator[str]:
    """Yield the id and the pattern of each row."""
    for row in rows:
        yield from (row.endpoint.id, row.endpoint.pattern)


def _override_matches(one: Override, endpoint: Endpoint, host: str | None) -> bool:
    if host is not None and glob_matches_host(one.match, host):
        return True
    return endpoint_matches(endpoint, (one.match,))


def _own_row(endpoint: Endpoint) -> SelectedRow:
    """Select an endpoint of the operator's own; without roles, every role needs it."""
    profiles = (endpoint.profile,) if endpoint.profile else ()
    return SelectedRow(
        endpoint=replace(endpoint, roles=endpoint.roles or ALL_ROLES), profiles=profiles, own=True
    )


def profiles_with_included(catalog: Catalog, name: str) -> tuple[str, ...]:
    """Return a profile and all that it includes, nearest first."""
    includes = {profile.name: profile.includes for profile in catalog.profiles}
    found, waiting = dict.fromkeys([name]), [name]
    while waiting:
        new = [one for one in includes.get(waiting.pop(0), ()) if one not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return tuple(found)


def needed_by(catalog: Catalog, names: Iterable[str]) -> dict[str, list[str]]:
    """Return every selected or included profile, in order, with the selected ones that need it."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        for profile in profiles_with_included(catalog, name):
            found.setdefault(profile, []).append(name)
    return found


def _conditions(catalog: Catalog, names: Iterable[str]) -> dict[str, Inclusion | None]:
    """Return what each selected or included profile depends on; None where one way to it has no condition.

    Of two conditions on the way to a profile, the nearer one counts.
    """
    profiles = {profile.name: profile for profile in catalog.profiles}
    found: dict[str, Inclusion | None] = {}
    waiting: list[tuple[str, Inclusion | None]] = [(name, None) for name in names]
    while waiting:
        name, on = waiting.pop(0)
        if name in found and (on is not None or found[name] is None):
            continue
        found[name] = on
        own = {one.profile: one for one in profiles[name].include_conditions}
        waiting += [(one, own.get(one, on)) for one in profiles[name].includes]
    return found


def _under(on: Inclusion | None, endpoint: Endpoint) -> Endpoint:
    """Return the row as it is needed under the condition on which its profile is included."""
    if on is None or endpoint.need is not Need.REQUIRED:
        return endpoint
    return replace(endpoint, need=Need.CONDITIONAL, condition=on.condition, feature=on.feature)


def _refuse_unknown(names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"cannot find the profile {name!r}: {hint}")


def _refuse_duplicate_ids(endpoints: Iterable[Endpoint]) -> None:
    """Refuse an id that is taken: reports and metrics identify rows by it."""
    duplicates = [name for name, count in Counter(one.id for one in endpoints).items() if count > 1]
    if duplicates:
        raise UsageError(
            f"cannot use the endpoint id {', '.join(duplicates)} twice; "
            "choose another in `endpoints:`, or change the catalog's row in `overrides:`"
        )
