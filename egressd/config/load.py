"""Load settings from a file and flags, or report every mistake at once."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import to_builtins
from msgspec.structs import replace

from egressd.config.flags import Flags, apply_flags
from egressd.config.gateway import gateway_warnings
from egressd.config.timing import timing_warnings
from egressd.config.warnings import appliance_warnings
from egressd.errors import ConfigError, UsageError
from egressd.fields.checks import Problem, as_items, as_mapping
from egressd.fields.files import FileReading, exposed_secrets
from egressd.inputfile import is_file
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint
from egressd.model.notification import Notify
from egressd.model.settings import THIS_HOST, Settings
from egressd.planning.region import absent_products, place_problem
from egressd.planning.select import feature_notes
from egressd.yamlfile import Document, read_text, read_yaml

if TYPE_CHECKING:
    from egressd.config.schema import SweepFile

SLICE = 500
"""Endpoints that are validated at once."""
DEFAULT_PATH = Path("/etc/egressd/egressd.yml")
"""Read if it exists and no other file is named."""
HOST_ROOT = Path("/")
"""Where the files of this host's package managers are."""
NO_FLAGS = Flags()


MoreProblems = Callable[[object, Path], Iterable[Problem]]
"""Checks the data as read; relative paths in it start at the folder."""


def load_settings(
    path: Path | None,
    flags: Flags = NO_FLAGS,
    *,
    catalog: Catalog | None = None,
    host: bool = True,
    more: MoreProblems | None = None,
) -> Settings:
    """Read the file, if one is given, and apply the flags over it.

    With a catalog, names that must be in it are checked too. Without `host`, no file that it names is read,
    and nothing of the environment: such settings can be looked at, not used. `more` finds further problems.

    Raises:
        ConfigError: every mistake of the file, as `file:line: key.path: message`.
        UsageError: a flag that can't be right.
    """
    settings = Settings() if path is None else _read(path, catalog, host=host, more=more)
    settings = apply_flags(flags, settings)
    if catalog is not None:
        settings = _placed(settings, catalog)
    if host and THIS_HOST in settings.profiles:
        settings = read_this_host(settings)
    found = (
        *(feature_notes(catalog, settings) if catalog is not None else ()),
        *settings.warnings,
        *settings.environment,
        *flags.warnings,
        *settings.host.notes,
        *(settings.service_tags.notes if settings.service_tags is not None else ()),
        *appliance_warnings(settings),
        *gateway_warnings(settings),
        *_alert_warnings(settings),
        *timing_warnings(settings),
    )
    warnings = tuple(dict.fromkeys(found))
    return replace(settings, digest=digest(settings), warnings=warnings)


def _alert_warnings(settings: Settings) -> tuple[str, ...]:
    if settings.notify == Notify() and not settings.alerting.maintenance:
        return ()  # most sweeps end here, without the modules for schedules and time zones
    from egressd.config.alerts.warnings import alert_warnings  # noqa: PLC0415

    return alert_warnings(settings)


def _placed(settings: Settings, catalog: Catalog) -> Settings:
    """Leave out usual products that do not exist in the region or cloud; one that was chosen is a mistake."""
    known = {one.name for one in catalog.profiles}
    profiles = tuple(name for name in settings.profiles if name in known)
    if settings.profiles_chosen:
        if problem := place_problem(catalog, replace(settings, profiles=profiles)):
            raise UsageError(problem)
        return settings
    if problem := place_problem(catalog, replace(settings, profiles=())):
        raise UsageError(problem)
    absent = dict(absent_products(catalog, profiles, region=settings.region, cloud=settings.cloud))
    return replace(
        settings,
        profiles=tuple(name for name in settings.profiles if name not in absent),
        warnings=(*settings.warnings, *(f"left out: {why}" for why in absent.values())),
    )


def read_this_host(settings: Settings) -> Settings:
    """Put the rows, routes and notes of this host's package managers into settings."""
    from egressd.repositories import with_this_host  # noqa: PLC0415 - most runs don't need it

    return with_this_host(settings, root=HOST_ROOT, environ=os.environ, machine=os.uname().machine)


def find_file(path: Path | None) -> Path | None:
    """Return the file to read: the one named, else the default one if it can be read."""
    if path is not None:
        return path
    return DEFAULT_PATH if is_file(DEFAULT_PATH) and os.access(DEFAULT_PATH, os.R_OK) else None


def digest(settings: Settings) -> str:
    """Return the SHA-256 of settings without secrets: equal settings, equal digest."""
    bare = replace(
        settings,
        notify=settings.notify.without_secrets(),
        profiles_chosen=False,
        digest="",
        environment=(),
        variables=(),
        warnings=(),
        service_tags=replace(settings.service_tags, tags=(), notes=()) if settings.service_tags else None,
    )
    values = to_builtins(replace(bare, endpoints=()))
    if bare.site is None:  # a configuration that names none is the one it was
        del values["site"]
    routes = (one["proxy"] for one in values["routes"])
    for proxy in (values["proxy"], values["plain_proxy"], *routes):
        if proxy is not None:
            del proxy["password"]
    found = hashlib.sha256()
    for piece in _compact_json(values | {"endpoints": map(to_builtins, bare.endpoints)}):
        found.update(piece.encode())
    return found.hexdigest()


def _compact_json(values: Mapping[str, object]) -> Iterator[str]:
    """Yield the compact text of a mapping, sorted by key; an iterator stands for a list."""
    dumps = partial(json.dumps, sort_keys=True, separators=(",", ":"))
    before = "{"
    for key in sorted(values):
        yield f"{before}{dumps(key)}:"
        value, before = values[key], ","
        if not isinstance(value, Iterator):
            yield dumps(value)
            continue
        yield "["
        for index, one in enumerate(value):
            yield ("," if index else "") + dumps(one)
        yield "]"
    yield "}"


def problems_in(document: Document, catalog: Catalog, *, folder: Path) -> tuple[str, ...]:
    """Return what is wrong with the data of a configuration; relative paths in it start at `folder`."""
    return _by_line(_check(document, catalog, FileReading(folder=folder))[2])


def _read(path: Path, catalog: Catalog | None, *, host: bool, more: MoreProblems | None) -> Settings:
    # Importing pydantic takes 0.2 s, which a run without a file is spared.
    from egressd.config.convert import convert  # noqa: PLC0415

    document, reading = read_yaml(read_text(path), str(path)), FileReading(folder=path.parent, host=host)
    found = more(document.data, path.parent) if more is not None else ()
    others = tuple(f"{document.where(place)}: {why}" for place, why in found)
    file, endpoints, problems = _check(document, catalog, reading)
    if file is None or problems or others:
        raise ConfigError(_by_line((*problems, *others)))
    settings = convert(file, endpoints, host=host)
    return replace(settings, warnings=exposed_secrets(reading.secrets))


def _check(
    document: Document, catalog: Catalog | None, reading: FileReading
) -> tuple[SweepFile | None, tuple[Endpoint, ...], tuple[str, ...]]:
    """Return the validated file, or None, its endpoints, and every mistake.

    Endpoints are converted slice by slice: there may be thousands, and the schema's model of one takes 3 KB.
    What the document holds of a slice goes with it.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - see _read

    from egressd.config.convert import convert_endpoint  # noqa: PLC0415
    from egressd.config.schema import DAEMON_SECTIONS, SweepFile  # noqa: PLC0415
    from egressd.yamlschema import problems_of  # noqa: PLC0415

    data = {} if document.data is None else document.data
    whole = not DAEMON_SECTIONS.isdisjoint(as_mapping(data))
    problems = [*document.problems, *_cross_field_problems(document, catalog, whole=whole)]
    model = _whole_file() if whole else SweepFile
    rows = as_items(as_mapping(data).get("endpoints"))
    endpoints: list[Endpoint] = []
    file: SweepFile | None = None
    for begin in range(0, max(1, len(rows)), SLICE):
        some = {"endpoints": rows[begin : begin + SLICE]} if rows else {}
        part = some if begin else {**data, **some} if isinstance(data, dict) else data
        try:
            read = model.model_validate(part, context=reading.context)
        except ValidationError as error:
            problems += problems_of(error, document, model=_whole_file(), begins={"endpoints": begin})
            continue
        file = file or read
        if not problems:
            endpoints += map(convert_endpoint, read.endpoints)
            rows[begin : begin + SLICE] = [None] * len(read.endpoints)
    return file, tuple(endpoints), tuple(problems)


def _whole_file() -> type[SweepFile]:
    """Return the schema with the keys of the daemon, for a file that has some, and to suggest one of them."""
    from egressd.config.daemon import File  # noqa: PLC0415

    return File


def _cross_field_problems(document: Document, catalog: Catalog | None, *, whole: bool) -> tuple[str, ...]:
    # Imported late as in `_read`.
    from egressd.config.validate import cross_field_problems  # noqa: PLC0415

    data = document.data
    found = [*cross_field_problems(data, catalog)]
    if whole:
        from egressd.config.alerts.validate import alert_problems  # noqa: PLC0415

        found += alert_problems(data, catalog)
    return tuple(f"{document.where(path)}: {message}" for path, message in found)


def _by_line(problems: tuple[str, ...]) -> tuple[str, ...]:
    """Sort problems by line."""

    def line(problem: str) -> int:
        found = re.search(r":(\d+): ", problem)
        return int(found[1]) if found else 0

    return tuple(sorted(dict.fromkeys(problems), key=line))
