"""Checks between keys of `alerts:` and `notify:`, on the data as read (see `egressd.fields.checks`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from egressd.attribution.reasons import REASONS
from egressd.fields.checks import Problem, as_items, as_mapping, did_you_mean, duplicates
from egressd.fields.parse import parse_site
from egressd.model.alert import AlertName
from egressd.model.catalog import Catalog
from egressd.model.notification import Feed, Flapping
from egressd.notify.schema import ReceiverSettings
from egressd.yamlfile import KeyPath

ALERTS = tuple(one.value for one in AlertName if one is not AlertName.TEST)


def alert_problems(data: object, catalog: Catalog | None) -> Iterator[Problem]:
    """Yield where keys of `alerts:` and `notify:` contradict each other, the catalog or the reason codes."""
    alerts, notify = as_mapping(as_mapping(data).get("alerts")), as_mapping(as_mapping(data).get("notify"))
    profiles = None if catalog is None else [one.name for one in catalog.profiles]
    for path, message in _alerts(alerts, profiles):
        yield ("alerts", *path), message
    yield from _site(as_mapping(data).get("site"), as_mapping(alerts.get("labels")).get("site"))
    yield from _notify(notify, profiles)


def _site(site: object, label: object) -> Iterator[Problem]:
    """Require one name for the site, whether the label or the key gives it."""
    if not isinstance(label, str) or not label or not label.isprintable():  # which the schema says
        return
    if isinstance(site, str) and site != label:
        message = f"is not the site of this host, which `site:` calls {site[:60]!r}; remove it here"
        yield ("alerts", "labels", "site"), message
        return
    try:
        parse_site(label)
    except ValueError as error:
        yield ("alerts", "labels", "site"), str(error)


def _alerts(alerts: dict[str, object], profiles: list[str] | None) -> Iterator[Problem]:
    yield from duplicates(alerts, "maintenance", "name")
    flapping, usual = as_mapping(alerts.get("flapping")), Flapping()
    low, high = flapping.get("low", usual.low), flapping.get("high", usual.high)
    if _is_number(low) and _is_number(high) and not low < high:  # type: ignore[operator]  # _is_number looked
        key = "low" if "low" in flapping else "high"
        yield ("flapping", key), f"low must be less than high, and {low} is not less than {high}"
    for index, interval in enumerate(as_items(alerts.get("maintenance"))):
        scope = as_mapping(as_mapping(interval).get("match"))
        yield from _known(scope, "profile", profiles, ("maintenance", index, "match"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _notify(notify: dict[str, object], profiles: list[str] | None) -> Iterator[Problem]:
    for place, message in duplicates(notify, "receivers", "name"):
        yield ("notify", *place), message
    receivers = [as_mapping(one) for one in as_items(notify.get("receivers"))]
    for index, receiver in enumerate(receivers):
        yield from _settings_of(receiver).problems(receiver, ("notify", "receivers", index))
    for index, route in enumerate(as_items(notify.get("routes"))):
        path: KeyPath = ("notify", "routes", index)
        yield from _receivers_of(as_mapping(route), receivers, path)
        match = as_mapping(as_mapping(route).get("match"))
        yield from _known(match, "profile", profiles, (*path, "match"))
        yield from _known(match, "reason", REASONS, (*path, "match"))
        yield from _known(match, "alert", ALERTS, (*path, "match"))


def _settings_of(receiver: dict[str, object]) -> type[ReceiverSettings]:
    """Return the settings of its type; for an unknown type, what all have in common."""
    from egressd.notify.receivers import BY_TYPE  # noqa: PLC0415 - only a file with receivers needs them

    found = BY_TYPE.get(str(receiver.get("type")))
    return found.settings if found else ReceiverSettings


def _receivers_of(
    route: dict[str, object], receivers: list[dict[str, object]], path: KeyPath
) -> Iterator[Problem]:
    """Require that a route leads to receivers of alerts."""
    feeds = {str(one.get("name")): _settings_of(one).feed for one in receivers if one.get("name") is not None}
    given = route.get("receivers")
    names = [given] if isinstance(given, str) else as_items(given)
    for index, name in enumerate(names):
        place = (*path, "receivers", index) if isinstance(given, list) else (*path, "receivers")
        if not isinstance(name, str):
            continue
        if name not in feeds:
            message = did_you_mean(name, feeds) if feeds else "; notify.receivers is empty"
            yield place, f"no such receiver: {name[:60]!r}{message}"
        elif feeds[name] is Feed.SWEEPS:
            yield (
                place,
                f"{name!r} is a heartbeat: it gets sweeps, not alerts; take it out of the routes",
            )


def _known(
    part: dict[str, object], key: str, known: Iterable[str] | None, path: KeyPath
) -> Iterator[Problem]:
    """Require that a pattern matches something known."""
    given = part.get(key)
    if known is None:
        return
    for index, pattern in enumerate([given] if isinstance(given, str) else as_items(given)):
        if isinstance(pattern, str) and pattern and not any(fnmatchcase(one, pattern) for one in known):
            place = (*path, key, index) if isinstance(given, list) else (*path, key)
            yield place, f"matches no {key}: {pattern[:60]!r}{_near(pattern, known)}"


def _near(pattern: str, known: Iterable[str]) -> str:
    near = did_you_mean(pattern, known)
    return near if "did you mean" in near or len(near) <= 80 else ""
