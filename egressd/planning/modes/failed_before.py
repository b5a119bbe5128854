"""Plans of what failed in an earlier sweep, and of a little of what worked then.

What fails alone has nothing to be compared with: eight silent hosts of a hundred would look like a dead line.
So a few hosts that were reached are probed as controls; they decide nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from egressd.errors import UsageError
from egressd.model.plan import AT_HOST, ControlKind, ControlPlan, Probe, Target, Unsampled
from egressd.model.settings import FailedBefore, Settings
from egressd.planning.probes import plan_probes
from egressd.wording import count

PER_PATH = 2
"""Known good hosts for each path on which something failed: a source, a route, a protocol and a port."""
PER_SOURCE = 12
MOST_NAMED = 8
"""Targets that a note names."""

PathKey = tuple[str, str | None, bool, str, int]


def refuse_foreign(failed: FailedBefore | None, endpoints: Iterable[str], settings: Settings) -> None:
    """Refuse a report of which nothing that failed is planned.

    Raises:
        UsageError: none of its endpoints is among `endpoints`, the ids of the selected rows.
    """
    if failed is None or not failed.endpoints.isdisjoint(endpoints):
        return
    here = cloud_and_region(settings.cloud.value, settings.region)
    products = ", ".join(settings.profiles) or "no profile"
    raise UsageError(
        "nothing that failed in the report of --only-failed is in this plan: "
        f"it was made for {failed.place}, and this is {here}, {products}"
    )


def cloud_and_region(cloud: str, region: str | None) -> str:
    """Return a cloud and a region in words."""
    return f"cloud {cloud}, region {region or 'not given'}"


def failed_targets(targets: Iterable[Target], failed: FailedBefore | None) -> tuple[Target, ...]:
    """Return the targets to probe again; of a choice, all: one that works is enough."""
    targets = tuple(targets)
    if failed is None:
        return targets
    kept = {one.id for one in targets if one.id in failed.targets or one.endpoint in failed.unprobed}
    choices = {one.one_of for one in targets if one.id in kept and one.one_of is not None}
    return tuple(one for one in targets if one.id in kept or one.one_of in choices)


def failed_rows(
    unsampled: Iterable[Unsampled], targets: Iterable[Target], failed: FailedBefore | None
) -> tuple[Unsampled, ...]:
    """Return the rows without a target that belong to what is probed again."""
    if failed is None:
        return tuple(unsampled)
    choices = {(one.one_of or "").partition(AT_HOST)[0] for one in targets} - {""}
    return tuple(one for one in unsampled if one.endpoint in failed.endpoints or one.one_of in choices)


def known_good_controls(
    targets: Iterable[Target], probes: Iterable[Probe], settings: Settings
) -> tuple[ControlPlan, ...]:
    """Return controls for some of the `targets` that worked, on the paths that the `probes` take.

    Where nothing worked on any of the paths of a source, anything that did will do.
    """
    failed = settings.only_failed
    if failed is None:
        return ()
    probed = tuple(probes)
    busy = {(one.host, one.port) for one in probed}
    good = [
        one
        for one in targets
        if one.is_proof and (one.host, one.port) in failed.worked - busy and not one.internal
    ]
    candidates = [one for one in plan_probes(good, settings, siblings={}) if not one.contrast]
    return tuple(_control(one) for one in _chosen(candidates, {_path_key(one) for one in probed}))


def _chosen(candidates: list[Probe], paths: set[PathKey]) -> Iterator[Probe]:
    """Yield the candidates on the paths, as many as are needed; else the first ones of the source."""
    on_a_path = {one.source for one in candidates if _path_key(one) in paths}
    by_path: Counter[PathKey] = Counter()
    by_source: Counter[str] = Counter()
    hosts: set[tuple[str, str]] = set()
    for one in candidates:
        path = _path_key(one)
        fits = path in paths or one.source not in on_a_path
        key = (one.source, one.host)
        if fits and key not in hosts and by_path[path] < PER_PATH and by_source[one.source] < PER_SOURCE:
            by_path[path] += 1
            by_source[one.source] += 1
            hosts.add(key)
            yield one


def _path_key(one: Probe) -> PathKey:
    return one.source, one.route, one.via_proxy, one.protocol.value, one.port


def _control(one: Probe) -> ControlPlan:
    return ControlPlan(
        id=f"{ControlKind.KNOWN_GOOD}|{one.id}",
        kind=ControlKind.KNOWN_GOOD,
        source=one.source,
        why="it was reached when the rest failed: what else fails now is told from a line that is dead",
        host=one.host,
        port=one.port,
        protocol=one.protocol,
        url=one.url_path,
        route=one.route,
        via_proxy=one.via_proxy,
        connect_to=one.connect_to,
    )


def failed_notes(every: Iterable[Target], kept: Iterable[Target], settings: Settings) -> Iterator[str]:
    """Say that this is a part of the plan, and what failed then and is not in it."""
    failed = settings.only_failed
    if failed is None:
        return
    every, kept = tuple(every), tuple(kept)
    total = count(len(every), "target")
    yield (
        f"only what failed in the report of {failed.started} is probed: {len(kept)} of {total}; "
        "a few that worked then are controls"
    )
    known = {one.id for one in every}
    if missing := sorted(one for one in failed.targets if one not in known):
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        yield f"failed then and not in this plan: {', '.join(missing[:MOST_NAMED])}{more}"
