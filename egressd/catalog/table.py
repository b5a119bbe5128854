"""Render the catalog for people: a list of rows, and single rows in full."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from egressd.errors import UsageError
from egressd.model.catalog import Catalog
from egressd.model.endpoint import NEEDS_BY_STRENGTH, Cloud, Direction, Endpoint
from egressd.model.plan import Plan
from egressd.model.settings import Settings
from egressd.planning.placeholder import placeholder_values, substitute_known
from egressd.planning.render import WIDTH, table, wrap
from egressd.planning.select import (
    SelectedRow,
    endpoint_matches,
    endpoint_may_match,
    names_of_rows,
    refuse_unmatched,
    select,
)

_DIRECTIONS = {
    Direction.OUTBOUND: "",
    Direction.INBOUND: "from there to the machines that need it",
    Direction.BOTH: "both, each to the other",
}


def render_list(catalog: Catalog, settings: Settings, *, width: int = WIDTH) -> str:
    """Render the rows of the selected profiles and cloud, and the operator's own.

    Raises UsageError for an `--only` that matches none.
    """
    titles = {profile.name: profile.title for profile in catalog.profiles}
    groups: dict[str, list[SelectedRow]] = {}
    for row in selected_rows(catalog, settings):
        groups.setdefault(row.endpoint.profile or "your own endpoints", []).append(row)
    headings = {name: f"{name}: {titles[name]}" if name in titles else name for name in groups}
    parts = [
        f"{headings[name]}\n{_rows(catalog, settings, rows, width=width)}" for name, rows in groups.items()
    ]
    if not parts:
        return f"no endpoints for cloud {settings.cloud.value}\n"
    return "\n".join(parts)


def selected_rows(catalog: Catalog, settings: Settings) -> tuple[SelectedRow, ...]:
    """Return the rows of the selected profiles and cloud, and the operator's own, as far as `--only` wants.

    Raises UsageError for an `--only` that matches none.
    """
    rows = select(catalog, settings)
    refuse_unmatched(
        settings.only,
        lambda glob: any(endpoint_may_match(row.endpoint, (glob,)) for row in rows),
        lambda: names_of_rows(rows),
    )
    return tuple(row for row in rows if not settings.only or endpoint_may_match(row.endpoint, settings.only))


def render_show(
    catalog: Catalog, settings: Settings, plan: Plan, *, match: str = "*", width: int = WIDTH
) -> str:
    """Render the rows whose id or pattern matches, selected or not, and their targets in the plan.

    A row is shown as it is in the selected cloud, if it exists there.

    Raises UsageError if none matches.
    """
    known = [*catalog.endpoints, *settings.added_endpoints]
    rows = [one for one in known if endpoint_matches(one, (match,))]
    if not rows:
        near = difflib.get_close_matches(match, [one.id for one in known], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`egressd catalog list` shows them"
        raise UsageError(f"cannot find a row with the id or pattern {match!r}: {hint}")
    here = (one.in_cloud(settings.cloud) for one in rows)
    return "\n".join("\n".join(_row(one, plan, width=width)) + "\n" for one in here)


def render_regions(catalog: Catalog, cloud: Cloud | None, *, width: int = WIDTH) -> str:
    """Render the regions, of one cloud or all, with the products whose documents name their regions."""
    cells = [("REGION", "CLOUD", "PRODUCTS WITH A LIST OF REGIONS")]
    for one in catalog.regions:
        if cloud in (None, one.cloud):
            offered = (
                profile.name
                for profile in catalog.profiles
                if one.name in (profile.regions_in(one.cloud) or ())
            )
            cells.append((one.name, one.cloud.value, ", ".join(offered) or "-"))
    return table(cells, indent="", width=width)


def render_features(catalog: Catalog, *, width: int = WIDTH) -> str:
    """Render every feature, and the profiles with rows that depend on it."""
    rows = [("FEATURE", "PROFILES", "WHAT IT IS")]
    rows += [
        (one.name, ", ".join(_profiles_with(catalog, one.name)) or "-", one.title) for one in catalog.features
    ]
    return table(rows, width=width, indent="") if catalog.features else "no row depends on a feature\n"


def feature_document(catalog: Catalog) -> list[dict[str, object]]:
    """Return every feature as data: name, title and profiles."""
    return [
        {"name": one.name, "title": one.title, "profiles": _profiles_with(catalog, one.name)}
        for one in catalog.features
    ]


def _profiles_with(catalog: Catalog, feature: str) -> list[str]:
    named = {
        row.profile
        for row in catalog.endpoints
        if feature in (row.feature, *(terms.feature for terms in row.by_cloud))
    }
    named |= {
        one.name for one in catalog.profiles if feature in {on.feature for on in one.include_conditions}
    }
    return [one.name for one in catalog.profiles if one.name in named]


def _rows(catalog: Catalog, settings: Settings, rows: list[SelectedRow], *, width: int) -> str:
    """Lay out the rows of a profile by need."""
    values = placeholder_values(catalog, settings)
    cells = [("ID", "PORT", "HOST")]
    for need in NEEDS_BY_STRENGTH:
        some = [row.endpoint for row in rows if row.endpoint.need is need]
        cells += [(f"{need}:", "", "")] if some else []
        cells += [
            (f"  {one.id}", f"{one.ports} {one.protocol}".lstrip(), substitute_known(one.pattern, values))
            for one in some
        ]
    return table(cells, width=width)


def _row(one: Endpoint, plan: Plan, *, width: int) -> Iterator[str]:
    yield f"{one.id}: {one.service}"
    for key, value in _facts(one):
        if value:
            yield _fact(key, value, width=width)
    hosts = [f"{target.host} ({target.sample})" for target in plan.targets if target.endpoint == one.id]
    why = next((unsampled.why for unsampled in plan.unsampled if unsampled.endpoint == one.id), "")
    note = next((line.note for line in plan.coverage if line.endpoint == one.id), "")
    probed = ", ".join(hosts) or (f"no: {why}" if why else "no: not selected here")
    yield _fact("probed here", probed, width=width)
    if note and hosts:
        yield _fact("note", note, width=width)


def _fact(key: str, value: str, *, width: int) -> str:
    """Lay out a key and its value; a name longer than the line is not broken."""
    return wrap(value, first=f"  {key:<15} ", rest=" " * 18, width=max(width, 40))


def _facts(one: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield keys and values; the caller leaves out empty ones."""
    yield "profile", one.profile
    yield "host", one.pattern + (" (any depth)" if one.deep else "")
    yield "port", ", ".join(word for word in (one.ports, one.protocol) if word)
    yield "path", ", ".join(one.paths) if one.protocol.speaks_http and one.paths != ("/",) else ""
    yield "direction", _DIRECTIONS[one.direction]
    yield "needed from", ", ".join(one.roles)
    yield "need", f"{one.need}: {one.condition}" if one.condition else one.need
    yield "feature", one.feature or ""
    yield "one of", f"{one.one_of}: one working row of the group is enough" if one.one_of else ""
    yield "regions", ", ".join(one.regions)
    yield "purpose", one.purpose
    yield "TLS inspection", one.inspection if one.protocol.encrypted else ""
    yield "private link", "a private endpoint may answer" if one.private_link else ""
    yield "Arc gateway", ", ".join(f"{word} for {name}" for name, word in one.gateway)
    yield "internal", "on your own network" if one.internal else ""
    yield "Arc gateway", ", ".join(f"{said} for {profile}" for profile, said in one.gateway)
    yield "documented", ", ".join(one.samples.documented)
    yield "templated", _templated(one)
    yield "derived", ", ".join(one.samples.derived)
    yield "discovered", one.samples.discovered or ""
    yield "random label", "yes" if one.samples.random else ""
    yield "clouds", ", ".join(one.clouds)
    yield "listed", _listed(one)
    source = one.provenance
    if source is not None:
        yield "document", source.document + (f", {source.date}" if source.date else "")
        yield "file", (source.path or "") + (f" @ {source.commit[:12]}" if source.commit else "")


def _templated(one: Endpoint) -> str:
    where = f" (in {', '.join(one.samples.templated_in)}; derived elsewhere)"
    return ", ".join(one.samples.templated) + (where if one.samples.templated_in else "")


def _listed(one: Endpoint) -> str:
    values = [f"since {one.since}" if one.since else "", f"until {one.until}" if one.until else ""]
    return " ".join(word for word in values if word)
