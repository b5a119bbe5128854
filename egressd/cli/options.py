"""Options that several commands share, and what they mean together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from egressd.cli.display import Colour, set_display
from egressd.cli.log import Form, Level
from egressd.cli.reference.values import complete_features, complete_profiles, complete_regions
from egressd.cli.reference.variables import is_from_environment, used_variables
from egressd.config import Flags
from egressd.errors import UsageError
from egressd.model.endpoint import Cloud

Result = TypeVar("Result")
Complete = Callable[[], list[str]]
"""Returns what a shell completes a value with."""


class Format(StrEnum):
    """What a report is written as."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    CSV = "csv"
    PROMETHEUS = "prometheus"


class RuleFormat(StrEnum):
    """The languages of rules; a test keeps them the same as `firewall.languages`, which is loaded late."""

    LIST = "list"
    EDL = "edl"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"
    SQUID = "squid"
    DNSMASQ_NFTABLES = "dnsmasq-nftables"
    AZURE_FIREWALL = "azure-firewall"
    BICEP = "bicep"
    TERRAFORM = "terraform"
    PALOALTO = "paloalto"
    FORTIGATE = "fortigate"
    CILIUM = "cilium"
    CALICO = "calico"


class ListFormat(StrEnum):
    """What a command that only prints writes."""

    TEXT = "text"
    JSON = "json"


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config.file",
        "-c",
        metavar="FILE",
        help="Configuration; else /etc/egressd/egressd.yml, if there.",
        readable=False,
    ),
]
FORMAT_OF_SUFFIX: Mapping[str, Format] = {
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xml": Format.JUNIT,
    ".csv": Format.CSV,
    ".prom": Format.PROMETHEUS,
}
"""What a file is written as whose format is not given; any other is a table."""


def format_for(fmt: Format | None, output: Path | None) -> Format:
    """Return the format as given, else by the suffix of the file."""
    if fmt is not None:
        return fmt
    return FORMAT_OF_SUFFIX.get(output.suffix.lower(), Format.TABLE) if output is not None else Format.TABLE


ReportFormat = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="What the report is written as; else by the suffix of --output."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to this file, not to stdout.", readable=False),
]
RuleLanguage = Annotated[
    RuleFormat, typer.Option("--format", "-f", help="The language that the rules are written in.")
]
LogLevel = Annotated[Level, typer.Option("--log.level", help="Least level to log.")]
BaselineFile = Annotated[
    Path | None,
    typer.Option(
        "--baseline", metavar="FILE", help="A saved JSON report to measure the sweep against.", readable=False
    ),
]
OnlyFailed = Annotated[
    Path | None,
    typer.Option(
        "--only-failed",
        metavar="FILE",
        help="Only what failed in a saved JSON report, and the required endpoints that it could not probe.",
        readable=False,
    ),
]
LogFormat = Annotated[Form, typer.Option("--log.format", help="How log lines are written.")]
MaybeLogLevel = Annotated[
    Level | None,
    typer.Option("--log.level", help="Least level to log; the daemon's is info, else warn."),
]
MaybeLogFormat = Annotated[
    Form | None,
    typer.Option("--log.format", help="How log lines are written; the daemon's is json off a terminal."),
]
WebListen = Annotated[
    str | None,
    typer.Option("--web.listen-address", metavar="IP:PORT", help="Where the daemon's HTTP server listens."),
]
WebConfig = Annotated[
    Path | None,
    typer.Option(
        "--web.config.file", metavar="FILE", help="TLS and basic auth of the HTTP server.", readable=False
    ),
]


def _text(flags: str, metavar: str, about: str, complete: Complete | None = None) -> Any:
    option = typer.Option(*flags.split(), metavar=metavar, help=about, autocompletion=complete)
    return Annotated[str | None, option]


def _texts(flags: str, metavar: str, about: str, complete: Complete | None = None) -> Any:
    option = typer.Option(*flags.split(), metavar=metavar, help=about, autocompletion=complete)
    return Annotated[list[str] | None, option]


Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME",
        help="Product to check; repeat for more.",
        autocompletion=complete_profiles,
    ),
]
FLAG_OPTIONS: Mapping[str, Any] = {
    "site": _text("--site", "NAME", "This host's place in a fleet; else the host's name."),
    "region": _text("--region -r", "NAME", "Azure region, such as westeurope.", complete_regions),
    "allow_unknown_region": Annotated[
        bool, typer.Option("--allow-unknown-region", help="Take a region that is newer than the catalog.")
    ],
    "cloud": Annotated[Cloud | None, typer.Option("--cloud", help="Azure cloud.")],
    "profiles": Profiles,
    "sources": _texts(
        "--source -s", "[NAME=]ADDRESS", "Local address or interface to leave from; repeat for more."
    ),
    "proxy": _text("--proxy -x", "URL", "Proxy to go through; `env` reads HTTPS_PROXY etc.; or `none`."),
    "arc_gateway": _text(
        "--arc-gateway",
        "URL",
        "Azure Arc gateway in use: https://contoso.gw.arc.azure.com, the prefix, or `none`.",
    ),
    "service_tags": Annotated[
        Path | None,
        typer.Option(
            "--service-tags",
            metavar="FILE",
            help="Microsoft's ServiceTags_*.json, where the firewall allows by address.",
            readable=False,
        ),
    ],
    "compare_paths": Annotated[
        bool, typer.Option("--compare-paths", help="Probe directly and by the proxy, and say which works.")
    ],
    "only": _texts("--only", "PATTERN", "Only endpoints whose id, pattern or host matches; repeatable."),
    "strict": Annotated[
        bool, typer.Option("--strict", help="Exit 1 also for a required target that is degraded.")
    ],
    "features": _texts(
        "--feature",
        "NAME",
        "What of the products is in use; repeat for more. `catalog features` lists them.",
        complete_features,
    ),
    "private_link": Annotated[
        bool | None,
        typer.Option(
            "--private-link/--no-private-link",
            help="Whether names must be private by an Arc private link scope.",
        ),
    ],
    "deadline": _text("--deadline", "TIME", "The most the sweep may take, such as 90s."),
}
"""The options of a command line that fill `Flags`, by field."""
PLACE_FLAGS = ("region", "allow_unknown_region", "cloud", "profiles", "features", "private_link")
"""What is looked at: the products, where they are, and what of them is in use."""
PLAN_FLAGS = (
    "site",
    *PLACE_FLAGS,
    "sources",
    "proxy",
    "arc_gateway",
    "service_tags",
    "compare_paths",
    "only",
)
"""What a plan is made of."""


DISPLAY_OPTIONS: Mapping[str, Any] = {
    "colour": Annotated[
        Colour,
        typer.Option("--color", "--colour", help="When to colour: auto is on a terminal without NO_COLOR."),
    ],
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only what is wrong: no progress, no notes.")
    ],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="List what passed, too.")],
}
"""The options that fill the `Display`, by field."""


def takes_display(*names: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Add these options of display to a command; they take effect before it begins."""

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        signature = inspect.signature(command, eval_str=True)
        take_context, context_parameters = _context(signature)

        @wraps(command)
        def run(*args: Any, **kwargs: Any) -> Result:
            taken = {name: kwargs.pop(name) for name in names}
            context = take_context(kwargs)
            if taken.get("quiet") and taken.get("verbose"):
                taken |= {name: False for name in taken if is_from_environment(context, name)}
                if taken["quiet"] and taken["verbose"]:
                    raise UsageError("--quiet and --verbose exclude each other")
            set_display(**taken)
            return command(*args, **kwargs)

        added = (_parameter(name, DISPLAY_OPTIONS[name]) for name in names)
        parameters = [*signature.parameters.values(), *added, *context_parameters]
        return with_signature(run, signature, parameters)

    return decorate


def takes_flags(*names: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Replace a command's parameter `flags: Flags` by the options of these fields."""

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        signature = inspect.signature(command, eval_str=True)
        take_context, context_parameters = _context(signature)
        parameters: list[inspect.Parameter] = []
        for one in signature.parameters.values():
            parameters += (
                [_parameter(name, FLAG_OPTIONS[name]) for name in names] if one.name == "flags" else [one]
            )

        @wraps(command)
        def run(*args: Any, **kwargs: Any) -> Result:
            taken = {name: kwargs.pop(name) for name in names}
            given: dict[str, Any] = {name: value for name, value in taken.items() if value or value is False}
            lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
            used = used_variables(take_context(kwargs), names)
            return command(*args, flags=Flags(**given | lists, variables=used), **kwargs)

        return with_signature(run, signature, [*parameters, *context_parameters])

    return decorate


def _context(
    signature: inspect.Signature,
) -> tuple[Callable[[dict[str, Any]], typer.Context], tuple[inspect.Parameter, ...]]:
    """Return what takes typer's context from the arguments of a command, and the parameter to add for it."""
    known = [one.name for one in signature.parameters.values() if one.annotation is typer.Context]
    if known:
        return lambda arguments: arguments[known[0]], ()
    added = inspect.Parameter("context_", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    return lambda arguments: arguments.pop("context_"), (added,)


def with_signature(
    run: Callable[..., Result], signature: inspect.Signature, parameters: Sequence[inspect.Parameter]
) -> Callable[..., Result]:
    """Give a function the two attributes that typer reads a command's parameters from."""
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    defaults: dict[str, object] = {
        "colour": Colour.AUTO,
        **dict.fromkeys(("allow_unknown_region", "compare_paths", "strict", "quiet", "verbose"), False),
    }
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=annotation
    )
