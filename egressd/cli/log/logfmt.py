"""Log lines as logfmt: `key=value`, with quotes where they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from egressd.cli.log.human import printable


def logfmt_line(event: Mapping[str, Any]) -> str:
    """Render an event as one line. A key by itself is true; one without a value is not known."""
    return printable(" ".join(_pair(key, value) for key, value in event.items()))


def _pair(key: str, value: Any) -> str:
    match value:
        case None:
            return f"{key}="
        case True:
            return key
        case False:
            return f"{key}=false"
    text, quoted = str(value), any(one in str(value) for one in ' ="')
    if quoted:
        text = text.replace("\\", "\\\\")
    text = text.replace('"', '\\"').replace("\n", "\\n")
    return f'{key}="{text}"' if quoted else f"{key}={text}"
