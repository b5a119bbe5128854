"""What can be wrong with a configuration on this host alone: addresses, ports, folders, limits.

Problems are found on the data as read (see `egressd.fields.checks`), so that they are listed with the others.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from egressd.config.timing import DESCRIPTORS_EACH
from egressd.errors import ConfigError
from egressd.fields.checks import Problem, as_items, as_mapping
from egressd.fields.parse import normalize_address, parse_interface, parse_listen
from egressd.inputfile import is_file, is_folder, why_unusable
from egressd.model.settings import Settings, Source
from egressd.net.sockets.descriptors import RESERVED
from egressd.net.sockets.listening import listen_problem
from egressd.net.vantage import local_addresses, local_interfaces, unusable_sources
from egressd.yamlfile import read_text, read_yaml

MOST_SHOWN = 12
"""Addresses or interfaces that a message lists."""


def host_problems(data: object, folder: Path) -> Iterator[Problem]:
    """Yield what this host lacks; relative paths start at `folder`."""
    file = as_mapping(data)
    yield from _sources(file)
    listen = as_mapping(file.get("web")).get("listen")
    if isinstance(listen, str) and (why := _listen(listen)):
        yield ("web", "listen"), why
    directory = as_mapping(file.get("state")).get("directory")
    if isinstance(directory, str) and directory and (why := _directory(Path(folder, directory))):
        yield ("state", "directory"), why


def host_warnings(settings: Settings) -> Iterator[str]:
    """Yield what works here and is unwise."""
    needed = settings.limits.concurrency * DESCRIPTORS_EACH + RESERVED
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and needed > most:
        yield (
            f"probe.concurrency: {settings.limits.concurrency} probes at once may need {needed} file "
            f"descriptors, and this user may have {most}: raise LimitNOFILE= or ulimit -Hn, or probe fewer"
        )


def web_config_of(path: Path | None) -> Path | None:
    """Return the web configuration that a file names, whatever else is wrong with it."""
    if path is None:
        return None
    try:
        data = read_yaml(read_text(path), str(path)).data
    except ConfigError:
        return None
    named = as_mapping(as_mapping(data).get("web")).get("config_file")
    if not isinstance(named, str) or not named:
        return None
    found = Path(path.parent, named)
    return found if is_file(found) and os.access(found, os.R_OK) else None  # else it is reported already


def _sources(file: dict[str, object]) -> Iterator[Problem]:
    for index, row in enumerate(as_items(file.get("sources"))):
        part = as_mapping(row)
        for key, parse in (("address", normalize_address), ("interface", parse_interface)):
            given = part.get(key)
            if not isinstance(given, str):
                continue
            try:
                place = parse(given)
            except ValueError:
                continue  # reported where the value is checked
            name = str(part.get("name"))
            one = Source(name=name, **{key: place})  # type: ignore[arg-type]  # each key is a field of text
            yield from ((("sources", index, key), f"{why}; {_known()}") for why in unusable_sources((one,)))


def _known() -> str:
    addresses = ", ".join(local_addresses()[:MOST_SHOWN]) or "none that can be read"
    return (
        f"the addresses of this host are {addresses}; "
        f"its interfaces {', '.join(local_interfaces()[:MOST_SHOWN])}"
    )


def _listen(text: str) -> str | None:
    try:
        return listen_problem(parse_listen(text))
    except ValueError:
        return None


def _directory(path: Path) -> str | None:
    """Say why state can't be kept here. One that is missing is made, as far as its parents permit."""
    try:
        os.stat(path)  # noqa: PTH116 - one error for all that is wrong
    except OSError as error:
        if error.errno != errno.ENOENT:
            return f"cannot use {path}: {why_unusable(path, error)}"
    except ValueError:
        return None
    existing = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not is_folder(existing):
        return f"cannot use {path}: {existing} is not a folder"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"cannot use {path}: this user can't write to {existing}"
    return None
