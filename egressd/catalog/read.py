"""Read catalog files, or report every mistake in them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from egressd.catalog.load import FEATURES, REGIONS, digest_of, load_catalog
from egressd.catalog.rows import RowReader
from egressd.catalog.schema import FeaturesFile, ProfileFile, RegionsFile
from egressd.errors import ConfigError
from egressd.inputfile import is_file
from egressd.model.catalog import Catalog, DiscoveryCall, Feature, Inclusion, Profile, Region
from egressd.yamlfile import Document, read_text, read_yaml
from egressd.yamlschema import build, problems_of

_NO_FEATURES = FeaturesFile.model_validate({"schema": "egressd.features/1", "features": []})
Model = TypeVar("Model", bound=BaseModel)
Validated = tuple[Document, ProfileFile | None]
"""A file, and its header if that is valid."""


def read_catalog(texts: Sequence[tuple[str, str]]) -> Catalog:
    """Read the files of a catalog, by their names and texts.

    Raises ConfigError with every problem of every file: file, line, row id.
    """
    profiles = sum(name not in (REGIONS, FEATURES) for name, _ in texts)
    problems: list[str] = []
    documents = dict(_documents(texts, problems))
    regions = _regions(documents.pop(REGIONS, None), problems)
    unread = len(documents) + 1 < len(texts)
    features = _features(documents.pop(FEATURES, None), problems, unread=unread)
    files = [(one, _validated(ProfileFile, one, problems)) for one in documents.values()]
    reader = RowReader(
        calls=frozenset(one.name for one in regions.discoveries) if regions else None,
        features=frozenset(one.name for one in features.features) if features else None,
        regions=frozenset(one.name for one in regions.regions) if regions else None,
    )
    for document, file in files:
        reader.read(
            document,
            profile=file.profile.name if file else "",
            documents=file.documents if file else None,
        )
    problems += [*reader.problems, *_profile_problems(files, complete=len(files) == profiles)]
    problems += _inclusion_problems(files, reader.features)
    if problems or regions is None or features is None:
        raise ConfigError(tuple(problems))
    return Catalog(
        revision=regions.revision,
        digest=digest_of(texts),
        profiles=tuple(_profile(file) for _, file in files if file),
        endpoints=tuple(reader.endpoints),
        regions=tuple(build(Region, one, values=tuple(one.values.items())) for one in regions.regions),
        discoveries=tuple(build(DiscoveryCall, one) for one in regions.discoveries),
        features=tuple(build(Feature, one) for one in features.features),
    )


def load_profile(path: Path) -> Catalog:
    """Read one profile file as a catalog without regions; its revision is the file's name.

    Raises ConfigError with every problem of the file.
    """
    text, problems = read_text(path), list[str]()
    documents = [document for _, document in _documents([(str(path), text)], problems)]
    reader = RowReader(calls=None, features=None, regions=None)
    profiles = []
    for document in documents:
        file = _validated(ProfileFile, document, problems)
        if file is not None:
            profiles.append(_profile(file))
            reader.read(document, profile=file.profile.name, documents=file.documents)
    problems += reader.problems
    if problems:
        raise ConfigError(tuple(problems))
    return Catalog(
        revision=path.name,
        digest=digest_of([(path.name, text)]),
        profiles=tuple(profiles),
        endpoints=tuple(reader.endpoints),
        regions=(),
        discoveries=(),
    )


def load_pair(before: Path, after: Path | None) -> tuple[Catalog, Catalog]:
    """Load two catalogs to compare; if one is a single file, the other is reduced to its profile.

    Raises ConfigError with every problem of a file.
    """
    old, new = _load_either(before), _load_either(after)
    if is_file(before):
        new = _profiles_of(new, old)
    if after is not None and is_file(after):
        old = _profiles_of(old, new)
    return old, new


def _documents(texts: Iterable[tuple[str, str]], problems: list[str]) -> Iterator[tuple[str, Document]]:
    for name, text in texts:
        try:
            document = read_yaml(text, name)
        except ConfigError as error:
            problems += error.problems
            continue
        problems += document.problems
        yield name, document


def _validated(model: type[Model], document: Document, problems: list[str]) -> Model | None:
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems += problems_of(error, document, model=model)
        return None


def _regions(document: Document | None, problems: list[str]) -> RegionsFile | None:
    file = _validated(RegionsFile, document, problems) if document else None
    if document is None or file is None:
        return None
    problems += _duplicates(document, "regions", [(one.name, one.cloud) for one in file.regions])
    problems += _duplicates(document, "discoveries", [(one.name, one.cloud) for one in file.discoveries])
    for index, one in enumerate(file.regions):
        taken = sorted({"region", "his", "gas", "resolver"} & one.values.keys())
        place = document.where(("regions", index, "values"))
        problems += [f"{place}: {key} has a meaning of its own" for key in taken]
    return file


def _features(document: Document | None, problems: list[str], *, unread: bool) -> FeaturesFile | None:
    """Return the features; without a file there are none, and None means that the file is wrong."""
    if document is None:
        return None if unread else _NO_FEATURES
    file = _validated(FeaturesFile, document, problems)
    if file is None:
        return None
    names = [one.name for one in file.features]
    problems += [
        f"{document.where(('features', index))}: {name} is there twice"
        for index, name in enumerate(names)
        if name in names[:index]
    ]
    return file


def _profile(file: ProfileFile) -> Profile:
    header = file.profile
    regions = tuple((cloud, tuple(names)) for cloud, names in header.regions.items())
    conditions = tuple(build(Inclusion, row, profile=name) for name, row in header.include_conditions.items())
    return build(Profile, header, regions=regions, include_conditions=conditions)


def _duplicates(document: Document, key: str, names: Sequence[tuple[str, str]]) -> Iterator[str]:
    for index, (name, cloud) in enumerate(names):
        if (name, cloud) in names[:index]:
            yield f"{document.where((key, index))}: {name} of cloud {cloud} is there twice"


def _profile_problems(files: Sequence[Validated], *, complete: bool) -> Iterator[str]:
    """Yield contradictions between profiles; if a file could not be read, none is reported missing."""
    known = {file.profile.name: file.profile.includes for _, file in files if file}
    complete = complete and all(file for _, file in files)
    seen: dict[str, str] = {}
    for document, file in files:
        if file is None:
            continue
        name = file.profile.name
        if name in seen:
            yield f"{document.where(('profile', 'name'))}: {name} is the profile of {seen[name]} already"
        seen.setdefault(name, document.name)
        for index, include in enumerate(file.profile.includes):
            place = document.where(("profile", "includes", index))
            if include not in known and complete:
                yield f"{place}: there is no profile {include!r}"
            elif name in _included(include, known):
                yield f"{place}: {include} includes {name} again"


def _inclusion_problems(files: Sequence[Validated], features: frozenset[str] | None) -> Iterator[str]:
    """Yield conditions of what is not included, and those on a feature that does not exist."""
    for document, file in files:
        for name, row in file.profile.include_conditions.items() if file else ():
            place = document.where(("profile", "include_conditions", name))
            if file is not None and name not in file.profile.includes:
                yield f"{place}: has no effect: {name} is not under `includes`"
            if features is not None and row.feature not in features:
                yield f"{place}.feature: {row.feature!r} is no feature of features.yaml"


def _included(name: str, includes: dict[str, list[str]]) -> set[str]:
    """Return a profile and all it includes."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += includes.get(one, [])
    return reached


def _load_either(path: Path | None) -> Catalog:
    if path is not None and is_file(path):
        return load_profile(path)
    return load_catalog(path)


def _profiles_of(catalog: Catalog, single: Catalog) -> Catalog:
    names = {one.name for one in single.profiles}
    rows = tuple(one for one in catalog.endpoints if one.profile in names)
    return replace(catalog, endpoints=rows, regions=single.regions)
