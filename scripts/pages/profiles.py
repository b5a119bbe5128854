"""A page for each profile of the catalog, and their index: `docs/catalog/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

from egressd.catalog import load_catalog
from egressd.catalog.profiles import ProfileSummary, need_figures, summarize_profiles
from egressd.model.catalog import Catalog
from egressd.model.endpoint import NEEDS_BY_STRENGTH, Cloud, Direction, Endpoint, Provenance

FOLDER = "docs/catalog"
HOST_ROWS = "[read from the host](../catalog.md#this-hosts-own-repositories)"
"""Stands for the rows of a profile that has none in the catalog."""
COLUMNS = (
    "id",
    "host",
    "port",
    "for",
    "from",
    "need",
    "Arc gateway",
    "private link",
    "samples",
    "listed",
    "document",
)
INDEX_HEAD = """# Profiles

Made by `make docs` from `egressd/catalog/data`; `egressd catalog profiles` prints the same. Choose with
`--profile NAME`, once for each, or with `profiles:` in the configuration; without either, those marked
*default* are checked. The words are explained in [The catalog](../catalog.md).

| profile | for | cloud | required | conditional | optional | includes |
| --- | --- | --- | --- | --- | --- | --- |
"""
PAGE_HEAD = """# {title}

Made by `make docs` from `egressd/catalog/data`; the columns are explained in
[The catalog](../catalog.md#a-row).

{summary}
"""


def profile_pages() -> Mapping[str, Callable[[], str]]:
    """Return the path of each page, and the function that makes its text."""
    pages = {f"{FOLDER}/{one.profile.name}.md": partial(render_profile, one) for one in _summaries()}
    return {f"{FOLDER}/README.md": render_index, **pages}


def render_index() -> str:
    """Render a line for each profile and cloud."""
    return INDEX_HEAD + "".join(f"{line}\n" for one in _summaries() for line in _index_lines(one))


def render_profile(one: ProfileSummary) -> str:
    """Render a profile with all its rows, and the documents they were read from."""
    rows = [row for row in _catalog().endpoints if row.profile == one.profile.name]
    documents = _documents(rows)
    head = PAGE_HEAD.format(title=one.profile.title, summary=one.profile.summary)
    lines = [head, *(f"- {fact}" for fact in _facts(one)), "", "## Rows", ""]
    if not rows:
        return "\n".join([*lines, f"{HOST_ROWS}."]) + "\n"
    lines.append(_line(COLUMNS))
    lines += [_line("---" for _ in COLUMNS)]
    lines += [_line(_cells(row, documents)) for row in rows]
    lines += ["", "## Documents", ""]
    lines += [f"{number}. {_document(source)}" for source, number in documents.items()]
    return "\n".join(lines) + "\n"


@cache
def _catalog() -> Catalog:
    return load_catalog()


@cache
def _summaries() -> tuple[ProfileSummary, ...]:
    return summarize_profiles(_catalog())


def _index_lines(one: ProfileSummary) -> Iterator[str]:
    profile = one.profile
    name = f"[{profile.name}]({profile.name}.md)" + (" *default*" if one.default else "")
    includes = ", ".join(f"[{other}]({other}.md)" for other in profile.includes)
    first = (name, profile.audience or profile.summary)
    if not one.needs:
        yield _line((*first, HOST_ROWS, "", "", "", includes))
    for number, (cloud, some) in enumerate(one.needs.items()):
        figures = [str(some.get(need, 0)) for need in NEEDS_BY_STRENGTH]
        yield _line((*(("", "") if number else first), cloud, *figures, "" if number else includes))


def _facts(one: ProfileSummary) -> Iterator[str]:
    """Yield what is said above the table."""
    profile = one.profile
    yield f"Choose with `--profile {profile.name}`" + (
        ", or choose nothing: it is a default" if one.default else ""
    )
    yield f"For: {profile.audience or profile.summary}"
    if profile.includes:
        links = (
            f"[{other}]({other}.md)" + (f" (feature `{feature}`)" if feature else "")
            for other, feature in profile.includes_by_feature
        )
        yield "Includes: " + ", ".join(links)
    for cloud, some in one.needs.items():
        figures = need_figures(some)
        yield f"Rows in cloud {cloud}: {sum(some.values())} ({figures})"
    for cloud, names in profile.regions:
        yield f"Regions of cloud {cloud}: {', '.join(names)}"
    if one.features:
        titles = {feature.name: feature.title for feature in _catalog().features}
        yield "Features: " + "; ".join(f"`{name}` ({titles.get(name, name)})" for name in one.features)
    if one.values:
        yield "To fill in under `values:`: " + ", ".join(f"`{name}`" for name in one.values)
    if profile.offline_limit_days is not None:
        yield f"May be offline for {profile.offline_limit_days} days at most"


def _documents(rows: list[Endpoint]) -> dict[Provenance, int]:
    """Number the documents in the order in which the rows name them."""
    sources = [row.in_cloud(cloud).provenance for row in rows for cloud in row.clouds]
    named = dict.fromkeys(source for source in sources if source is not None)
    return {source: number for number, source in enumerate(named, start=1)}


def _document(source: Provenance) -> str:
    place = f": `{source.path}`" if source.path else ""
    version = ", ".join(
        word for word in (source.date, f"commit `{source.commit}`" if source.commit else "") if word
    )
    return source.document + place + (f" ({version})" if version else "")


def _cells(row: Endpoint, documents: Mapping[Provenance, int]) -> Iterator[str]:
    yield f"`{row.id}`"
    yield _host(row)
    yield f"{row.ports} {row.protocol}".strip()
    yield f"{row.service}. {row.purpose}"
    yield _roles(row)
    yield _per_cloud(row, _need)
    yield "<br>".join(_forwarding(row))
    yield _private_link(row)
    yield "<br>".join(_samples(row))
    yield "<br>".join(_listed(row, cloud) for cloud in row.clouds)
    yield _per_cloud(row, lambda one: str(documents[one.provenance]) if one.provenance else "")


def _host(row: Endpoint) -> str:
    reach = " (any depth)" if row.deep else ""
    more = [f"`{path}`" for path in row.paths if path != "/"] + [f"tag `{tag}`" for tag in row.service_tags]
    return f"`{row.pattern}`{reach}" + "".join(f"<br>{one}" for one in more)


def _roles(row: Endpoint) -> str:
    roles = ", ".join(row.roles)
    match row.direction:
        case Direction.INBOUND:
            return f"{roles} (inbound)"
        case Direction.BOTH:
            return f"{roles} (both directions)"
        case Direction.OUTBOUND:
            return roles


def _need(row: Endpoint) -> str:
    parts = [
        f"{row.need}: {row.condition}" if row.condition else str(row.need),
        f"feature `{row.feature}`" if row.feature else "",
        f"one of `{row.one_of}`" if row.one_of else "",
    ]
    return "; ".join(part for part in parts if part)


def _forwarding(row: Endpoint) -> Iterator[str]:
    """Yield what documents say; the profile is named only where another asks for the row."""
    for profile, said in row.gateway:
        yield str(said) if profile == row.profile else f"{profile}: {said}"


def _private_link(row: Endpoint) -> str:
    if row.internal:
        return "own network"
    return "possible" if row.private_link else ""


def _samples(row: Endpoint) -> Iterator[str]:
    samples = row.samples
    if row.unprobed is not None:
        yield f"not probed: {row.unprobed}"
    where = f" in {', '.join(samples.templated_in)}, elsewhere derived" if samples.templated_in else ""
    yield from (f"`{host}`" for host in samples.documented)
    yield from (f"`{host}` (templated{where})" for host in samples.templated)
    yield from (f"`{host}` (derived)" for host in samples.derived)
    if samples.discovered is not None:
        yield f"call `{samples.discovered}`"
    if samples.random:
        yield "random label"


def _listed(row: Endpoint, cloud: Cloud) -> str:
    here = row.in_cloud(cloud)
    dates = [f"since {here.since}" if here.since else "", f"until {here.until}" if here.until else ""]
    parts = [cloud.value, *(one for one in dates if one)]
    regions = f" (only {', '.join(row.regions)})" if row.regions and cloud is row.clouds[-1] else ""
    return " ".join(parts) + regions


def _per_cloud(row: Endpoint, tell: Callable[[Endpoint], str]) -> str:
    """Tell something once where it is the same in every cloud, else with the cloud's name."""
    told = {cloud: tell(row.in_cloud(cloud)) for cloud in row.clouds}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "<br>".join(f"{cloud}: {text}" for cloud, text in told.items())


def _line(cells: Iterator[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
