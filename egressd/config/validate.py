"""Cross-field validation: checks between keys, made on the data as read.

A check ignores values of the wrong type, because the schema reports them; so every mistake of a file is
found at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from egressd.config.gateway import cloud_problem
from egressd.fields.checks import Problem, as_items, as_mapping, credential_problems, did_you_mean, duplicates
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Protocol
from egressd.model.settings import Settings
from egressd.planning.path.gateway import VALUE_NAME
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import PLACEHOLDER, placeholders
from egressd.planning.region import normalize_region, place_problem
from egressd.yamlfile import KeyPath


def cross_field_problems(data: object, catalog: Catalog | None) -> Iterator[Problem]:
    """Yield contradictions between keys, and with the catalog."""
    file = as_mapping(data)
    yield from duplicates(file, "endpoints", "id")
    yield from duplicates(file, "sources", "name")
    yield from _proxy(file.get("proxy"))
    yield from _arc_gateway(file)
    for index, row in enumerate(as_items(file.get("endpoints"))):
        yield from _hosts(as_mapping(row), ("endpoints", index))
    if catalog is not None:
        yield from _against_catalog(file, catalog)


def _proxy(value: object) -> Iterator[Problem]:
    """Require the proxy's settings from one place: the file or the environment."""
    if not isinstance(value, dict):
        return
    proxy = as_mapping(value)
    if proxy.get("from_environment") is True:
        for key in ("url", "bypass"):
            if proxy.get(key) is not None:
                yield ("proxy", key), "cannot stand beside from_environment"
    elif proxy.get("url") is None:
        yield ("proxy",), "must have a url, or from_environment: true"
    yield from credential_problems(proxy, ("proxy",))


def _arc_gateway(file: dict[str, object]) -> Iterator[Problem]:
    """Refuse a gateway where there is none, its prefix in two places, and its proxy alone."""
    if file.get("arc_gateway") is None:
        if file.get("arc_proxy") is not None:
            yield ("arc_proxy",), "stands only beside arc_gateway"
        return
    cloud = file.get("cloud")
    if cloud in tuple(Cloud) and (problem := cloud_problem(Cloud(str(cloud)))):
        yield ("arc_gateway",), f"cannot stand beside cloud: {cloud}: {problem}"
    if as_mapping(file.get("values")).get(VALUE_NAME) is not None:
        yield ("values", VALUE_NAME), "stands in arc_gateway already; remove it here"


def _hosts(row: dict[str, object], path: KeyPath) -> Iterator[Problem]:
    """Require a host or a pattern, and what fits it."""
    yield from _port_and_path(row, path)
    if row.get("host") is not None:
        for key in ("pattern", "samples"):
            if row.get(key) is not None:
                yield (*path, key), "cannot stand beside host"
    elif isinstance(pattern := row.get("pattern"), str):
        yield from _samples(row, pattern, path)
    elif pattern is None:
        yield path, "must have a host or a pattern"


def _port_and_path(row: dict[str, object], path: KeyPath) -> Iterator[Problem]:
    """Require a port where the protocol has one."""
    if row.get("protocol") == Protocol.ICMP and row.get("port") is not None:
        yield (*path, "port"), "has no effect: icmp has no ports"
    elif row.get("protocol") != Protocol.ICMP and row.get("port") is None:
        yield (*path, "port"), "is missing"
    if row.get("path") is not None and row.get("paths") is not None:
        yield (*path, "paths"), "cannot stand beside path"


def _samples(row: dict[str, object], pattern: str, path: KeyPath) -> Iterator[Problem]:
    """Require samples that the pattern covers."""
    given = row.get("samples")
    below: KeyPath = ("samples",) if isinstance(given, list) else ("samples", "documented")
    samples = as_items(given if isinstance(given, list) else as_mapping(given).get("documented"))
    deep, loose = row.get("deep") is True, PLACEHOLDER.sub("*", pattern)
    if deep and not pattern.startswith("*."):
        yield (*path, "deep"), "has no effect: the pattern does not start with `*.`"
    if "*" not in pattern:
        if samples and loose != pattern:
            yield (*path, "samples"), "have no effect: the pattern is not a wildcard"
        return
    for index, sample in enumerate(samples):
        if isinstance(sample, str) and not pattern_covers(loose, sample, deep=deep):
            yield (*path, *below, index), f"{sample[:60]!r} does not match the pattern {pattern[:60]!r}"


def _against_catalog(file: dict[str, object], catalog: Catalog) -> Iterator[Problem]:
    profiles = [one.name for one in catalog.profiles]
    for index, name in enumerate(as_items(file.get("profiles"))):
        if isinstance(name, str) and name not in profiles:
            yield ("profiles", index), f"no such profile: {name[:60]!r}{did_you_mean(name, profiles)}"
    features = [one.name for one in catalog.features]
    for index, name in enumerate(as_items(file.get("features"))):
        if isinstance(name, str) and name not in features:
            yield ("features", index), f"no such feature: {name[:60]!r}{did_you_mean(name, features)}"
    yield from _place(file, catalog)
    taken = {one.id for one in catalog.endpoints}
    for index, row in enumerate(as_items(file.get("endpoints"))):
        own = as_mapping(row).get("id")
        if isinstance(own, str) and own in taken:
            yield ("endpoints", index, "id"), f"{own!r} is an id of the catalog; change that row in overrides"
    known = _placeholders(catalog) | _own_placeholders(file)
    for key in as_mapping(file.get("values")):
        if key not in known:
            yield ("values", key), f"no endpoint has this placeholder{did_you_mean(key, sorted(known))}"


def _place(file: dict[str, object], catalog: Catalog) -> Iterator[Problem]:
    """Require a region that the catalog has, and products that exist there."""
    region, cloud = _region(file.get("region")), file.get("cloud", Cloud.PUBLIC.value)
    if cloud not in tuple(Cloud):
        return
    known = [one.name for one in catalog.profiles]
    names = tuple(one for one in as_items(file.get("profiles")) if isinstance(one, str) and one in known)
    place = Settings(
        region=region,
        cloud=Cloud(str(cloud)),
        profiles=names,
        allow_unknown_region=file.get("allow_unknown_region") is True,
    )
    if problem := place_problem(catalog, place):
        yield ("region",) if region is not None else ("cloud",), problem


def _region(value: object) -> str | None:
    try:
        return normalize_region(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _own_placeholders(file: dict[str, object]) -> set[str]:
    """Return the names of the placeholders in the operator's own rows."""
    patterns = (as_mapping(row).get("pattern") for row in as_items(file.get("endpoints")))
    return {name for one in patterns if isinstance(one, str) for name in placeholders(one)}


def _placeholders(catalog: Catalog) -> set[str]:
    """Return the names of the placeholders in the catalog's rows."""
    texts = [text for row in catalog.endpoints for text in (row.pattern, *row.samples.templated)]
    return {name for text in texts for name in placeholders(text)}
