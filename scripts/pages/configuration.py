"""The configuration reference, made from the shape: `docs/configuration.md`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from egressd.config.daemon import File
from egressd.config.schema import DAEMON_ONLY
from egressd.fields.parse import config_duration
from egressd.fields.types import TypeName
from egressd.notify.receivers import RECEIVERS
from egressd.notify.schema import ReceiverSettings

HEAD = """# Configuration

Made by `make docs` from the schemas in `egressd/config` and `egressd/notify`. A commented example is
`config/egressd.yml`; whole files for five kinds of site are in [its examples](../config/examples/README.md).

`egressd --once` needs no file. It reads `--config.file`, else `/etc/egressd/egressd.yml` where there is
one; flags win over the file, and over [environment variables](#environment-variables), which win over the
file as well. `egressd config check` lists every mistake at once, each as `file:line: key.path: message`,
and so does every command that reads the file (exit code 78).

The file is YAML, read strictly: unknown and duplicate keys, wrong types, tags and anything that only
looks like a boolean or a date are mistakes. Durations are `500ms`, `60s`, `5m`, `2h`, `90d` or `1m30s`.
Relative paths start at the folder of the configuration file. A secret never stands in it: `password_file`,
`bearer_token_file` and `url_file` name files that hold the secret alone, such as credentials of systemd.
In a pattern `*` stands for anything.

Keys marked *daemon* are checked everywhere; a single sweep has no use for them.

## Environment variables

Every option of the command line has a variable: `EGRESSD_` and the option's name in capitals, with `_` for
dots and dashes. `EGRESSD_REGION`, `EGRESSD_CONFIG_FILE` and `EGRESSD_LOG_LEVEL` are those of `--region`,
`--config.file` and `--log.level`, in every command that has them. What a command has of its own carries its
name: `EGRESSD_HISTORY_SINCE`, `EGRESSD_CATALOG_EXPORT_FORMAT`. The manual page of a command names the
variable of each option, and `--help` those that are set.

Several values are separated by commas or blanks (`EGRESSD_PROFILE=connected-machine,wsus`); a switch is
`1`, `true`, `yes` or `on`, and `0`, `false`, `no` or `off`. The command line wins; an empty variable counts
as not set. Nothing is set by them unseen: plan and report have a note, `set by environment variables:
EGRESSD_REGION`, stderr names them, and a misspelt one is answered with what was meant. `EGRESSD_STRICT` and
`EGRESSD_COMPARE_PATHS` are for sweeps; a daemon in the same environment goes on without. What Kubernetes
sets for a service called `egressd` (`EGRESSD_SERVICE_HOST`, ...) means nothing here.
"""

KINDS = {str: "text", int: "number", bool: "true or false", float: "number", object: "anything"}


def render_reference() -> str:
    """Render every key with its type, default and meaning, as Markdown."""
    sections = dict.fromkeys(_section("", File))  # several types of receiver have the same part once
    return "\n".join([HEAD, *sections])


def _section(path: str, model: type[BaseModel]) -> Iterator[str]:
    """Render the keys of a mapping, then the mappings below it."""
    yield _table(path, model)
    hints = get_type_hints(model, include_extras=True)
    for key, info in model.model_fields.items():
        for inner in _models_in(hints[key]):
            yield from _section(f"{path}{info.alias or key}{'[]' if _is_list(hints[key]) else ''}.", inner)


def _table(path: str, model: type[BaseModel]) -> str:
    """Render the keys of one mapping."""
    return "\n".join([*_rows(path, model), ""])


def _rows(path: str, model: type[BaseModel]) -> Iterator[str]:
    title = f"`{path.removesuffix('.')}`{_tag(model)}" if path else "Top level"
    yield f"## {title}\n\n{_one_line(model.__doc__)}\n"
    hints = get_type_hints(model, include_extras=True)
    meanings = _meanings(model)
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    for key, info in model.model_fields.items():
        default = "required" if info.is_required() else _default(info.default, hints[key])
        mark = "*daemon* " if not path and key in DAEMON_ONLY else ""
        cells = (f"`{info.alias or key}`", _kind(hints[key]), default, mark + _one_line(meanings.get(key)))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _tag(model: type[BaseModel]) -> str:
    """Say which member of a union this is."""
    kind = model.__annotations__.get("type") and get_type_hints(model)["type"]
    return f" of type `{get_args(kind)[0]}`" if get_origin(kind) is Literal else ""


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the text under each field, its parents' included."""
    parents = [one for one in reversed(model.__mro__) if issubclass(one, BaseModel) and one is not BaseModel]
    return {key: said for one in parents for key, said in _own_meanings(one).items()}


def _own_meanings(model: type[BaseModel]) -> dict[str, str]:
    """Read the text under each field from the source.

    Pydantic could collect it while the class is made, but then every start of egressd would pay for it.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    meanings: dict[str, str] = {}
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                meanings[name] = inspect.cleandoc(said)
            case _:
                pass
    return meanings


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _kind(hint: object) -> str:
    """Say in words what a value may be."""
    if named := _named(hint):
        return named
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _kind(inner[0])
    if origin is list:
        return f"list of {_kind(inner[0])}"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(one) for one in inner if one is not type(None)))
    if origin is dict:
        return "mapping"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{one.value}`" for one in hint)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    return "mapping" if _models_in(hint) else KINDS[hint] if isinstance(hint, type) else "text"


def _named(hint: object) -> str:
    kinds = [one.text for one in getattr(hint, "__metadata__", ()) if isinstance(one, TypeName)]
    return kinds[0] if kinds else ""


def _is_list(hint: object) -> bool:
    return get_origin(hint) is list or any(_is_list(one) for one in get_args(hint))


def _models_in(hint: object) -> list[type[BaseModel]]:
    """Find the mappings inside a type; of a union, all of them."""
    if hint is ReceiverSettings:
        return [one.settings for one in RECEIVERS]
    if isinstance(hint, type) and get_origin(hint) is None:
        return [hint] if issubclass(hint, BaseModel) else []
    return [found for one in get_args(hint) for found in _models_in(one)]


def _default(value: object, hint: object) -> str:
    """Show a default the way it is written in the file."""
    if isinstance(value, BaseModel) or value is None or value in ([], {}):
        return "`[]`" if value == [] else "-"
    if isinstance(value, list):
        words = [
            one.name if hasattr(one, "name") and not isinstance(one, Enum) else str(one) for one in value
        ]
        return f"`[{', '.join(words)}]`"
    if isinstance(value, float) and _named(hint) == "duration":
        return f"`{config_duration(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
