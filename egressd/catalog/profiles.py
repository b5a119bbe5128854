"""The profiles for people who choose among them: what each is for, how many rows, where it exists."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from egressd.model.catalog import Catalog, Profile
from egressd.model.endpoint import NEEDS_BY_STRENGTH, Cloud, Endpoint, Need
from egressd.model.settings import DEFAULT_PROFILES
from egressd.planning.placeholder import RESOLVER, placeholders, regional_placeholders
from egressd.planning.render import WIDTH, wrap
from egressd.wording import count

_LABEL = 12
"""Columns of a label, with the two before it."""


class ProfileSummary(Struct, frozen=True, kw_only=True):
    """A profile in figures. Rows of included profiles are not counted: those say it themselves."""

    profile: Profile
    default: bool
    """Whether it is checked where nobody chooses."""
    needs: Mapping[Cloud, Mapping[Need, int]]
    """Rows by need, for each cloud that has any."""
    features: tuple[str, ...]
    """What conditional rows depend on."""
    values: tuple[str, ...]
    """The names under `values:` that its rows have a use for."""


def summarize_profiles(catalog: Catalog) -> tuple[ProfileSummary, ...]:
    """Return every profile in figures, in the order of names."""
    regional = regional_placeholders(catalog)
    return tuple(
        _summary(one, [row for row in catalog.endpoints if row.profile == one.name], regional)
        for one in sorted(catalog.profiles, key=lambda one: one.name)
    )


def render_profiles(catalog: Catalog, *, width: int = WIDTH) -> str:
    """Render the profiles as text."""
    found = summarize_profiles(catalog)
    head = (
        f"{count(len(found), 'profile')}, catalog of {catalog.revision}. Choose with --profile NAME, once "
        f"for each, or with `profiles:` in the configuration. Without either: {', '.join(DEFAULT_PROFILES)}."
    )
    blocks = ["\n".join(_block(one, width=width)) for one in found]
    return "\n\n".join([wrap(head, rest="", width=width), *blocks]) + "\n"


def render_profiles_json(catalog: Catalog) -> str:
    """Render the profiles as JSON (`egressd.profiles/1`)."""
    document = {
        "schema": "egressd.profiles/1",
        "catalog": {"revision": catalog.revision, "digest": catalog.digest},
        "default": list(DEFAULT_PROFILES),
        "profiles": [_fields(one) for one in summarize_profiles(catalog)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _summary(profile: Profile, rows: list[Endpoint], regional: frozenset[str]) -> ProfileSummary:
    needs: dict[Cloud, Counter[Need]] = {}
    for cloud in Cloud:
        found = Counter(row.in_cloud(cloud).need for row in rows if cloud in row.clouds)
        if found:
            needs[cloud] = found
    features = {row.in_cloud(cloud).feature or "" for row in rows for cloud in row.clouds}
    features |= {one.feature for one in profile.include_conditions}
    written = [text for row in rows for text in row.written_hosts if text != RESOLVER]
    names = {name for text in written for name in placeholders(text)}
    return ProfileSummary(
        profile=profile,
        default=profile.name in DEFAULT_PROFILES,
        needs=needs,
        features=tuple(sorted(features - {""})),
        values=tuple(sorted(names - regional)),
    )


def _block(one: ProfileSummary, *, width: int) -> Iterator[str]:
    yield wrap(
        one.profile.name + (" (default)" if one.default else "") + f": {one.profile.title}",
        rest=" " * _LABEL,
        width=width,
    )
    for label, text in _facts(one):
        yield wrap(text, first=f"  {label:<{_LABEL - 2}}", rest=" " * _LABEL, width=width)


def need_figures(rows: Mapping[Need, int]) -> str:
    """Write numbers of rows by need, the strictest first: `3 required, 1 optional`."""
    return ", ".join(f"{rows[need]} {need}" for need in NEEDS_BY_STRENGTH if rows.get(need))


def _facts(one: ProfileSummary) -> Iterator[tuple[str, str]]:
    yield "for", one.profile.audience or one.profile.summary
    for number, (cloud, some) in enumerate(one.needs.items()):
        figures = need_figures(some)
        yield "" if number else "rows", f"{cloud}: {sum(some.values())} ({figures})"
    if one.profile.includes:
        yield "includes", ", ".join(map(_shown_inclusion, one.profile.includes_by_feature))
    for cloud, names in one.profile.regions:
        yield "regions", f"{cloud}: {', '.join(names)}"
    if one.features:
        yield "features", ", ".join(one.features)
    if one.values:
        yield "values", ", ".join(one.values)


def _shown_inclusion(included: tuple[str, str | None]) -> str:
    name, feature = included
    return name if feature is None else f"{name} (feature {feature})"


def _fields(one: ProfileSummary) -> dict[str, object]:
    profile = one.profile
    return {
        "name": profile.name,
        "title": profile.title,
        "summary": profile.summary,
        "audience": profile.audience,
        "default": one.default,
        "includes": list(profile.includes),
        "include_conditions": {one.profile: one.feature for one in profile.include_conditions},
        "clouds": {cloud.value: _figures(some) for cloud, some in one.needs.items()},
        "regions": {cloud.value: list(names) for cloud, names in profile.regions},
        "features": list(one.features),
        "values": list(one.values),
        "offline_limit_days": profile.offline_limit_days,
    }


def _figures(some: Mapping[Need, int]) -> dict[str, int]:
    return {"rows": sum(some.values()), **{need.value: some.get(need, 0) for need in NEEDS_BY_STRENGTH}}
