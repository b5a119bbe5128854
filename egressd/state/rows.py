"""Rows of the database as values. One that can't be read is left out, and said: the others still hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import structlog

from egressd.state.code import from_text

T = TypeVar("T")
log = structlog.get_logger(__name__)


def readable(rows: Iterable[tuple[str, str]], kind: type[T]) -> Iterator[tuple[str, T]]:
    """Yield keys with the values of their bodies."""
    for key, body in rows:
        try:
            yield key, from_text(body, kind)
        except ValueError as error:
            why = str(error)[:200]
            log.error("a row of the state can't be read and is left out", why=why)  # noqa: TRY400 - it is data
