"""Placeholders: `{region}`, the region's short codes, and what only the operator knows.

Law of the room: a placeholder without a value is never guessed; it becomes a sentence that says what
is missing.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from egressd.model.catalog import Catalog
from egressd.model.settings import Settings

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
RESOLVER = "{resolver}"
NEEDS_REGION = "needs `region`"
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceholderValues:
    """What every placeholder stands for here."""

    region: str | None
    words: Mapping[str, tuple[str, ...]]
    given: frozenset[str]
    """Placeholders whose value is the operator's."""
    regional: frozenset[str]
    """Placeholders that a region gives, whether this one does or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitution:
    """A text with its placeholders replaced: one text per value the operator gave."""

    texts: tuple[str, ...]
    missing: tuple[str, ...] = ()
    given: bool = False
    """Whether a value of the operator is part of it."""


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names in a text, in order, each once."""
    return tuple(dict.fromkeys(PLACEHOLDER.findall(text)))


def placeholder_values(catalog: Catalog, settings: Settings) -> PlaceholderValues:
    """Collect what is known; what the operator says wins over the catalog."""
    regional = {"region", "his", "gas", *(key for one in catalog.regions for key, _ in one.values)}
    words: dict[str, tuple[str, ...]] = {}
    if settings.region is not None:
        words["region"] = (settings.region,)
        known = catalog.region(settings.region, settings.cloud)
        if known is not None:
            words |= {key: (value,) for key, value in known.values}
            words |= {"his": (known.his,)} if known.his else {}
            words |= {"gas": (known.gas,)} if known.gas else {}
    given: dict[str, tuple[str, ...]] = {}
    for key, value in settings.values:
        given[key] = (*given.get(key, ()), value)
    return PlaceholderValues(
        region=settings.region,
        words=words | given,
        given=frozenset(given),
        regional=frozenset(regional),
    )


def substitute(text: str, words: PlaceholderValues) -> Substitution:
    """Replace every placeholder; no texts where one has no value."""
    names = placeholders(text)
    missing = tuple(name for name in names if not words.words.get(name))
    if missing:
        return Substitution(texts=(), missing=missing)
    choices = itertools.product(*(words.words[name] for name in names))
    texts = tuple(_replace_placeholders(text, dict(zip(names, values, strict=True))) for values in choices)
    return Substitution(texts=texts, given=any(name in words.given for name in names))


def substitute_known(text: str, words: PlaceholderValues) -> str:
    """Fill what can be filled and write the rest as `<name>`, for people to read."""
    values = {name: words.words.get(name, (f"<{name}>",))[0] for name in placeholders(text)}
    return _replace_placeholders(text, values)


def why_missing(names: Iterable[str], words: PlaceholderValues) -> str:
    """Say in words what would have to be known."""
    absent = tuple(dict.fromkeys(names))
    regional = [name for name in absent if name in words.regional]
    theirs = [name for name in absent if name not in words.regional]
    reasons = []
    if regional and words.region is None:
        reasons.append(NEEDS_REGION)
    elif regional:
        codes = " and ".join("HIS code" if name == "his" else f"`{name}`" for name in regional)
        verb = "is" if len(regional) == 1 else "are"
        reasons.append(f"{codes} of region {words.region} {verb} not documented")
    if theirs:
        reasons.append("needs values: " + ", ".join(theirs))
    return "; ".join(reasons)


def region_notes(catalog: Catalog, settings: Settings) -> tuple[str, ...]:
    """Say when the catalog does not know the region: a typing mistake looks like a firewall."""
    name = settings.region
    if name is None or catalog.region(name, settings.cloud) is not None:
        return ()
    elsewhere = [one.cloud.value for one in catalog.regions if one.name == name]
    known = [one.name for one in catalog.regions if one.cloud is settings.cloud]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f" (it is a region of cloud {elsewhere[0]})" if elsewhere else ""
    if near and not elsewhere:
        hint = f" (did you mean {' or '.join(near)}?)"
    unknown = f"region {name} is not in the catalog for cloud {settings.cloud.value}{hint}"
    return (f"{unknown}; hosts are named after it as it is written",)


def is_address(text: str) -> bool:
    """Say whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_host(text: str) -> bool:
    """Say whether a text can be a host: a name in lower case, or an IP address."""
    if is_address(text):
        return True
    labels = text.removesuffix(".").split(".")
    return len(text) <= 254 and all(_LABEL.fullmatch(label) for label in labels)


def _replace_placeholders(text: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)
