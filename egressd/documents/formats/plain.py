"""A list of hosts: one `host`, `host:port`, `host port` or URL on a line, with comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from egressd.documents.cells import RowSource, rows_of_cells
from egressd.documents.hosts import one_line, read_host
from egressd.documents.listed import MOST_ROWS, Cells, ListedRow, Listing
from egressd.errors import UsageError

_COMMENT = re.compile(r"(?:^|\s)(?:#|//|;|REM\s).*", re.IGNORECASE)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        bare = _COMMENT.sub("", line).strip()
        if bare:
            yield number, bare


def looks_like_hosts(text: str) -> bool:
    """Whether most lines are hosts: a list with a mistake in it is still one."""
    lines = [bare for _, bare in _lines(text)][:MOST_ROWS]
    good = [bare for bare in lines if _host_and_port(bare)[0] is not None]
    return bool(good) and 2 * len(good) > len(lines)


def read_host_list(text: str, name: str) -> Listing:
    """Read a host from every line; another line is a row with a problem. Raises UsageError: too many."""
    rows: list[ListedRow] = []
    for number, (line, bare) in enumerate(_lines(text), 1):
        if number > MOST_ROWS:
            raise UsageError(f"more than {MOST_ROWS} rows")
        host, port = _host_and_port(bare)
        if host is None:
            shown = one_line(bare)[:60]
            rows.append(
                ListedRow(
                    pattern=None,
                    text=shown,
                    line=line,
                    origin=name,
                    number=number,
                    problems=("is not a host",),
                )
            )
            continue
        cells = {"host": host, "port": port} if port else {"host": host}
        rows += rows_of_cells(Cells(line=line, cells=cells), RowSource(origin=name, number=number, bare=True))
    return Listing(name=name, format="a list of hosts", rows=tuple(rows))


def _host_and_port(line: str) -> tuple[str | None, str | None]:
    words = [one for one in re.split(r"[\s,;]+", re.sub(r"^[-*\u2022]\s+", "", line).strip("'\"")) if one]
    if not words or len(words) > 2 or read_host(words[0], bare=len(words) == 1 and "." in words[0]) is None:
        return None, None
    port = words[1] if len(words) == 2 else None
    if port is not None and not re.fullmatch(
        r"(?:(?:tcp|udp)/)?\d{1,5}(?:-\d{1,5})?(?:/(?:tcp|udp))?", port.lower()
    ):
        return None, None
    return words[0], port
