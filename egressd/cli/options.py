"""Options that several commands share, and what they mean together."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from egressd.cli.log import Form, Level
from egressd.model.endpoint import Cloud


class Format(StrEnum):
    """What a report is written as."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    CSV = "csv"
    PROMETHEUS = "prometheus"


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config.file", metavar="FILE", help="Configuration; else /etc/egressd/egressd.yml, if there."
    ),
]
Region = Annotated[
    str | None, typer.Option("--region", metavar="NAME", help="Azure region, such as westeurope.")
]
CloudName = Annotated[Cloud | None, typer.Option("--cloud", help="Azure cloud.")]
Profiles = Annotated[
    list[str] | None, typer.Option("--profile", metavar="NAME", help="Product to check; repeat for more.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="[NAME=]ADDRESS",
        help="Local address or interface to leave from; repeat for more.",
    ),
]
ProxyUrl = Annotated[
    str | None,
    typer.Option(
        "--proxy", metavar="URL", help="Proxy to go through; `env` reads HTTPS_PROXY etc.; or `none`."
    ),
]
ComparePaths = Annotated[
    bool,
    typer.Option("--compare-paths", help="Probe directly and by the proxy, and say which works."),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="PATTERN", help="Only endpoints whose id, pattern or host matches; repeatable."
    ),
]
Deadline = Annotated[
    str | None, typer.Option("--deadline", metavar="TIME", help="The most the sweep may take, such as 90s.")
]
ReportFormat = Annotated[Format, typer.Option("--format", help="What the report is written as.")]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write the report there, not to stdout.")
]
LogLevel = Annotated[Level, typer.Option("--log.level", help="Least level to log.")]
BaselineFile = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="FILE", help="A saved JSON report to measure the sweep against."),
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
    typer.Option("--web.config.file", metavar="FILE", help="TLS and basic auth of the HTTP server."),
]
