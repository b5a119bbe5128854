"""Placeholders: `{region}`, the region's short codes, and values that only the operator knows.

A placeholder without a value is never guessed; it becomes a note that says what is missing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from msgspec import Struct

from egressd.model.catalog import Catalog
from egressd.model.settings import Settings

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
RESOLVER = "{resolver}"
NEEDS_REGION = "needs `region`"
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


class PlaceholderValues(Struct, frozen=True, kw_only=True):
    """The values of every placeholder."""

    region: str | None
    values: Mapping[str, tuple[str, ...]]
    given: frozenset[str]
    """Placeholders whose value is the operator's."""
    regional: frozenset[str]
    """Placeholders that depend on the region, even if this region has no value."""
    region_known: bool
    """Whether the catalog has the region: names made from any other one may not exist."""


class Substitution(Struct, frozen=True, kw_only=True):
    """A text with its placeholders replaced: one text per combination of values."""

    texts: tuple[str, ...]
    missing: tuple[str, ...] = ()
    given: bool = False
    """Whether a value of the operator is part of it."""


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names in a text, in order, each once."""
    return tuple(dict.fromkeys(PLACEHOLDER.findall(text)))


def placeholder_values(catalog: Catalog, settings: Settings) -> PlaceholderValues:
    """Collect the known values; the operator's win over the catalog's."""
    values: dict[str, tuple[str, ...]] = {}
    if settings.region is not None:
        values["region"] = (settings.region,)
        known = catalog.region(settings.region, settings.cloud)
        if known is not None:
            values |= {key: (code,) for key, code in known.codes.items()}
    given: dict[str, tuple[str, ...]] = {}
    for key, value in settings.values:
        given[key] = (*given.get(key, ()), value)
    return PlaceholderValues(
        region=settings.region,
        values=values | given,
        given=frozenset(given),
        regional=regional_placeholders(catalog),
        region_known=settings.region is None or catalog.region(settings.region, settings.cloud) is not None,
    )


def regional_placeholders(catalog: Catalog) -> frozenset[str]:
    """Return the placeholders that a region fills in."""
    return frozenset({"region", "his", "gas", *(key for one in catalog.regions for key, _ in one.values)})


def substitute(text: str, values: PlaceholderValues) -> Substitution:
    """Replace every placeholder; no texts if one has no value."""
    names = placeholders(text)
    missing = tuple(name for name in names if not values.values.get(name))
    if missing:
        return Substitution(texts=(), missing=missing)
    choices = itertools.product(*(values.values[name] for name in names))
    texts = tuple(_replace_placeholders(text, dict(zip(names, one, strict=True))) for one in choices)
    return Substitution(texts=texts, given=any(name in values.given for name in names))


def substitute_known(text: str, values: PlaceholderValues) -> str:
    """Replace placeholders with known values and write the rest as `<name>`, for people to read."""
    return _replace_placeholders(
        text, {name: values.values.get(name, (f"<{name}>",))[0] for name in placeholders(text)}
    )


def why_missing(names: Iterable[str], values: PlaceholderValues) -> str:
    """Describe which values are missing."""
    absent = tuple(dict.fromkeys(names))
    regional = [name for name in absent if name in values.regional]
    others = [name for name in absent if name not in values.regional]
    reasons = []
    if regional and values.region is None:
        reasons.append(NEEDS_REGION)
    elif regional:
        codes = " and ".join("HIS code" if name == "his" else f"`{name}`" for name in regional)
        verb = "is" if len(regional) == 1 else "are"
        reasons.append(f"{codes} of region {values.region} {verb} not documented")
    if others:
        reasons.append("needs values: " + ", ".join(others))
    return "; ".join(reasons)


def lacking(names: Iterable[str], values: PlaceholderValues) -> tuple[str, ...]:
    """Return which of the missing values the operator can give: `region`, or keys of `values`."""
    found = ("region" if name in values.regional else name for name in names)
    return tuple(dict.fromkeys(name for name in found if name != "region" or values.region is None))


def is_address(text: str) -> bool:
    """Return whether a text is an IP address."""
    if ":" not in text and not text[-1:].isdigit():
        return False  # nearly every host is a name, and an exception for each costs more than all else here
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_host(text: str) -> bool:
    """Return whether a text can be a host: a name in lower case, or an IP address."""
    if is_address(text):
        return True
    labels = text.removesuffix(".").split(".")
    return len(text) <= 254 and all(_LABEL.fullmatch(label) for label in labels)


def _replace_placeholders(text: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)
