"""The plan: what will be probed, from where, and why, as a value to read before anything is touched.

Values in, values out: no I/O, no clock, no randomness (the random label is given), so the same inputs
give the same plan, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.model.catalog import Catalog, Discovery, DiscoveryCall
from egressd.model.endpoint import Endpoint, Expect, Need, Role, SampleKind
from egressd.model.plan import ControlPlan, Plan, Probe, Target, Unsampled
from egressd.model.settings import ProbeRoute, Resolver, Settings
from egressd.planning.controls import base_controls, nxdomain_controls
from egressd.planning.coverage import coverage
from egressd.planning.expand import NOT_CALLED, Expansion, ExpansionContext, Sample, expand
from egressd.planning.modes.choices import Choices, choice_of_row, name_choices
from egressd.planning.modes.failed_before import (
    failed_notes,
    failed_rows,
    failed_targets,
    known_good_controls,
    refuse_foreign,
)
from egressd.planning.modes.private_link import private_link_notes
from egressd.planning.modes.service_tags import ranges_for, service_tag_notes
from egressd.planning.path.arc_proxy import gateway_notes, route_by_gateway
from egressd.planning.path.choice import goes_through_proxy, route_named
from egressd.planning.pattern import CatalogHosts, glob_matches_host
from egressd.planning.placeholder import NEEDS_REGION, placeholder_values, placeholders
from egressd.planning.probes import plan_probes
from egressd.planning.select import (
    SelectedRow,
    apply_overrides,
    endpoint_matches,
    endpoint_may_match,
    feature_notes,
    names_of_rows,
    needed_by,
    refuse_unmatched,
    select,
    skipped_by_override,
)
from egressd.wording import host_port


class _Draft(Struct, kw_only=True):
    """What is collected from the rows."""

    known: CatalogHosts
    targets: list[Target] = field(default_factory=list)
    siblings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unsampled: list[Unsampled] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    choices: Choices = field(default_factory=Choices)


def make_plan(
    catalog: Catalog,
    settings: Settings,
    *,
    discoveries: tuple[Discovery, ...] = (),
    label: str,
    nameservers: tuple[Resolver, ...] = (),
    arc_proxy: str | None = None,
) -> Plan:
    """Plan a sweep.

    `label` is the random label put in the place of a `*`. `nameservers` are those of this host: they
    stand for the resolver `system`. `arc_proxy` is the URL of the Arc proxy that listens on this host.

    Raises UsageError for a profile that does not exist, an endpoint id that is taken, an `--only` that
    matches nothing, and an `--only-failed` of which nothing is selected.
    """
    context = _context(catalog, settings, discoveries=discoveries, label=label, nameservers=nameservers)
    rows, settings = route_by_gateway(select(catalog, settings), settings, listening=arc_proxy)
    every = expand(rows, context)
    _refuse_unmatched(settings, rows, every)
    expansions = tuple(one for one in every if _selected(one, settings.only))
    refuse_foreign(settings.only_failed, (one.row.endpoint.id for one in expansions), settings)
    draft = _draft(expansions, settings, catalog)
    targets = failed_targets(draft.targets, settings.only_failed)
    unsampled = failed_rows(draft.unsampled, targets, settings.only_failed)
    planned = plan_probes(targets, settings, siblings=draft.siblings)
    controls, control_notes = _controls(draft.targets, planned, settings, label=label)
    needed = needed_by(catalog, settings.profiles)
    return Plan(
        site=settings.chosen_site,
        region=settings.region,
        cloud=settings.cloud.value,
        catalog_revision=catalog.revision,
        catalog_digest=catalog.digest,
        config_digest=settings.digest,
        targets=targets,
        probes=planned,
        controls=controls,
        sources=settings.sources,
        resolvers=settings.resolvers,
        trust=settings.trust,
        limits=settings.limits,
        proxy=settings.proxy,
        plain_proxy=settings.plain_proxy,
        arc_gateway=settings.arc_gateway.host if settings.arc_gateway else None,
        routes=_routes_taken(draft.targets, settings),
        unsampled=unsampled,
        coverage=coverage(_of_rows(expansions, (*targets, *unsampled)), targets),
        notes=(
            *failed_notes(draft.targets, targets, settings),
            *_notes(catalog, settings, every=every, draft=draft),
            *service_tag_notes(settings, targets),
            *private_link_notes(settings, needed, targets=targets, probes=planned),
            *control_notes,
        ),
        strict=settings.strict,
        private_link=settings.private_link,
        service_tags=ranges_for(settings, targets),
    )


def calls_needed(catalog: Catalog, settings: Settings) -> tuple[DiscoveryCall, ...]:
    """Return the discovery calls that a selected row uses, each once."""
    wanted = {
        row.endpoint.samples.discovered
        for row in select(catalog, settings)
        if row.waits_for is None and _may_be_probed(row.endpoint, settings)
    }
    return tuple(
        call
        for call in catalog.discoveries
        if call.name in wanted and call.cloud is settings.cloud and _can_be_made(call, settings)
    )


def _may_be_probed(endpoint: Endpoint, settings: Settings) -> bool:
    """Return whether some host of a row may be selected."""
    failed = settings.only_failed
    return (not settings.only or endpoint_may_match(endpoint, settings.only)) and (
        failed is None or endpoint.id in failed.endpoints
    )


def _can_be_made(call: DiscoveryCall, settings: Settings) -> bool:
    return settings.region is not None or "region" not in placeholders(call.path)


def _context(
    catalog: Catalog,
    settings: Settings,
    *,
    discoveries: tuple[Discovery, ...],
    label: str,
    nameservers: tuple[Resolver, ...],
) -> ExpansionContext:
    elsewhere = f"no call is documented for cloud {settings.cloud.value}"
    calls = dict.fromkeys((call.name for call in catalog.discoveries), elsewhere)
    calls |= {
        call.name: NOT_CALLED if _can_be_made(call, settings) else NEEDS_REGION
        for call in catalog.discoveries
        if call.cloud is settings.cloud
    }
    resolvers = tuple(
        server for one in settings.resolvers for server in (nameservers if one.is_system else (one,))
    )
    return ExpansionContext(
        values=placeholder_values(catalog, settings),
        discoveries={one.name: one for one in discoveries},
        calls=calls,
        label=label,
        resolvers=resolvers,
    )


def _refuse_unmatched(
    settings: Settings, rows: tuple[SelectedRow, ...], every: tuple[Expansion, ...]
) -> None:
    refuse_unmatched(
        settings.only,
        lambda glob: any(_selected(one, (glob,)) for one in every),
        lambda: (*names_of_rows(rows), *(sample.host for one in every for sample in one.samples)),
    )


def _selected(one: Expansion, only: tuple[str, ...]) -> bool:
    """Return whether `--only` names a row or one of its hosts."""
    return (
        not only
        or endpoint_matches(one.row.endpoint, only)
        or any(_sample_matches(only, one, sample) for sample in one.samples)
    )


def _sample_matches(only: tuple[str, ...], one: Expansion, sample: Sample) -> bool:
    return any(glob_matches_host(glob, sample.host) or glob_matches_host(glob, one.pattern) for glob in only)


def _controls(
    targets: list[Target], planned: tuple[Probe, ...], settings: Settings, *, label: str
) -> tuple[tuple[ControlPlan, ...], tuple[str, ...]]:
    """Return the controls beside the probes, and notes on what is left out."""
    base, notes = base_controls(settings, planned)
    rewriting = nxdomain_controls(targets, planned, settings.sources, label=label)
    return (*base, *rewriting, *known_good_controls(targets, planned, settings)), notes


def _of_rows(expansions: tuple[Expansion, ...], some: Iterable[Target | Unsampled]) -> tuple[Expansion, ...]:
    kept = {one.endpoint for one in some}
    return tuple(one for one in expansions if one.row.endpoint.id in kept)


def _routes_taken(targets: Iterable[Target], settings: Settings) -> tuple[ProbeRoute, ...]:
    taken = dict.fromkeys(one.route for one in targets if one.route is not None)
    return tuple(route_named(one, settings.routes) for one in taken)


def _draft(expansions: tuple[Expansion, ...], settings: Settings, catalog: Catalog) -> _Draft:
    draft = _Draft(known=CatalogHosts(catalog.endpoints), choices=name_choices(expansions))
    for one in expansions:
        endpoint = one.row.endpoint
        idle = _no_source_for(endpoint.roles, settings) or one.row.stand_in or ""
        if idle or not one.samples:
            draft.unsampled.append(_unsampled(one, idle))
            continue
        _add_targets(draft, one, settings)
    return draft


def _unsampled(one: Expansion, idle: str) -> Unsampled:
    """Return why a row has no target; `idle` says that it is not probed from here, unless it is empty."""
    waits_for = one.row.waits_for
    return Unsampled(
        endpoint=one.row.endpoint.id,
        pattern=one.pattern,
        need=one.row.endpoint.need,
        why=one.why if waits_for is not None else idle or one.why,
        feature=waits_for,
        lacks=() if idle else one.lacks,
        one_of=choice_of_row(one.row.endpoint),
    )


def _no_source_for(roles: tuple[Role, ...], settings: Settings) -> str:
    """Return the note that no source has a role of the row; empty if one does."""
    if any(set(source.roles) & set(roles) for source in settings.sources):
        return ""
    return f"no source has the role {' or '.join(roles)}"


def _add_targets(draft: _Draft, one: Expansion, settings: Settings) -> None:
    named = not settings.only or endpoint_matches(one.row.endpoint, settings.only)
    for sample in one.samples:
        if not named and not _sample_matches(settings.only, one, sample):
            continue
        endpoint = apply_overrides(one.row.endpoint, settings.overrides, host=sample.host)
        if endpoint is None:
            draft.skipped.append(f"{one.row.endpoint.id} ({sample.host})")
            continue
        given = sample.kind is SampleKind.GIVEN or endpoint.internal
        owned = given and sample.host not in draft.known
        rule = sample.kind is SampleKind.RANDOM
        for path in endpoint.paths[:1] if rule else endpoint.paths:
            choice = draft.choices.of_host(endpoint, sample.host)
            target = _target(endpoint, one, sample, path=path, owned=owned)
            draft.targets.append(target if choice is None else replace(target, one_of=choice))
            if sample.siblings:
                draft.siblings[target.id] = sample.siblings


def _target(endpoint: Endpoint, one: Expansion, sample: Sample, *, path: str, owned: bool) -> Target:
    """Make a target.

    A random label proves a rule: it decides no exit code and expects no body. Nor does a derived name decide:
    it may not exist. Only further paths of a host are part of an id.
    """
    rule = sample.kind is SampleKind.RANDOM
    place = host_port(one.pattern if rule else sample.host, sample.port)
    return Target(
        id=f"{endpoint.id}/{place}{path if path != endpoint.path else ''}",
        endpoint=endpoint.id,
        profiles=one.row.profiles,
        service=endpoint.service,
        pattern=one.pattern,
        sample=sample.kind,
        host=sample.host,
        port=sample.port,
        protocol=endpoint.protocol,
        need=endpoint.need if sample.kind.is_proof else Need.OPTIONAL,
        condition=endpoint.condition if sample.kind.is_proof else None,
        roles=endpoint.roles,
        path=path,
        expect=Expect() if rule else endpoint.expect,
        inspection=endpoint.inspection,
        private_link=endpoint.private_link,
        internal=endpoint.internal,
        owned=owned,
        route=endpoint.route,
        gateway=one.row.gateway,
        row_need=None if sample.kind.is_proof else endpoint.need,
        deep=endpoint.deep,
        last_port=endpoint.last_port,
        service_tags=endpoint.service_tags,
    )


def _notes(
    catalog: Catalog, settings: Settings, *, every: tuple[Expansion, ...], draft: _Draft
) -> Iterator[str]:
    """Yield what the reader of the plan should know."""
    yield from settings.environment
    if settings.variables:
        yield f"set by environment variables: {', '.join(settings.variables)}"
    yield from settings.host.notes
    if settings.region is not None and catalog.region(settings.region, settings.cloud) is None:
        yield f"region {settings.region} is not in the catalog: names made from it decide nothing"
    yield from feature_notes(catalog, settings)
    yield from gateway_notes((one.row for one in every if _selected(one, settings.only)), settings)
    waiting = [one.row.endpoint.id for one in every if _selected(one, settings.only) and _needs_region(one)]
    if waiting:
        yield f"no region is given: not or only partly sampled are {', '.join(waiting)}"
    if left_out := (*skipped_by_override(catalog, settings), *draft.skipped):
        yield f"skipped by an override: {', '.join(left_out)}"
    yield from _unmatched_overrides(catalog, settings, every)
    internal = {
        (one.host, one.port, one.protocol) for one in draft.targets if one.internal and one.route is None
    }
    if through := sorted({one[0] for one in internal if goes_through_proxy(*one, settings)}):
        yield f"internal hosts would go through the proxy; `proxy.bypass` should name {', '.join(through)}"
    roles = {role for target in draft.targets for role in target.roles}
    idle = [one.name for one in settings.sources if not roles & set(one.roles)]
    if idle:
        yield f"nothing is probed from source {', '.join(idle)}: no target has one of its roles"


def _needs_region(one: Expansion) -> bool:
    return any(NEEDS_REGION in note for note in one.notes)


def _unmatched_overrides(catalog: Catalog, settings: Settings, every: tuple[Expansion, ...]) -> Iterator[str]:
    """Report overrides that match nothing: probably a typing mistake."""
    known = [*catalog.endpoints, *settings.added_endpoints]
    hosts = {sample.host for one in every for sample in one.samples}
    for one in settings.overrides:
        if any(endpoint_matches(endpoint, (one.match,)) for endpoint in known):
            continue
        if not any(glob_matches_host(one.match, host) for host in hosts):
            yield f"the override for {one.match} matches nothing"
