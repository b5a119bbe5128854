"""Which hosts a pattern covers.

Host names are compared as text, without case and without the trailing dot; nothing here
backtracks, so a hostile pattern costs no more than a long one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from egressd.model.endpoint import Endpoint

PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def pattern_covers(pattern: str, host: str, *, deep: bool = False) -> bool:
    """Return whether a firewall rule for the pattern would let the host through.

    `*` is one label at the left, or any part of the label it is written in. With `deep`, a leading `*` is
    one or more labels, or the start of a label with any number before it. A wildcard never covers its apex.
    """
    wanted, given = _labels(pattern), _labels(host)
    if deep and wanted[0].startswith("*") and (deeper := len(given) - len(wanted)) > 0:
        if not all(given):
            return False
        given = [".".join(given[: deeper + 1]), *given[deeper + 1 :]]
    if len(wanted) != len(given):
        return False
    return all(bool(label) and _glob(part, label) for part, label in zip(wanted, given, strict=True))


class CatalogHosts:
    """The hosts that rows of the catalog cover, but for those of internal servers.

    Patterns are found by the labels after their last `*`, so that asking for a host costs its labels, however
    many rows there are.
    """

    def __init__(self, rows: Iterable[Endpoint]) -> None:
        self._by_end: dict[str, set[tuple[str, bool]]] = {}
        for row in rows:
            if not row.internal:
                pattern = PLACEHOLDER.sub("*", row.pattern)
                self._by_end.setdefault(_plain_end(pattern), set()).add((pattern, row.deep))

    def __contains__(self, host: str) -> bool:
        labels = _labels(host)
        ends = (".".join(labels[at:]) for at in range(len(labels) + 1))
        return any(
            pattern_covers(pattern, host, deep=deep)
            for end in ends
            for pattern, deep in self._by_end.get(end, ())
        )


def _plain_end(pattern: str) -> str:
    """Return the labels after the last one with a `*`; all of them if none has one."""
    labels = _labels(pattern)
    if "*" not in pattern:
        return ".".join(labels)
    wild = (at for at in range(len(labels), 0, -1) if "*" in labels[at - 1])
    return ".".join(labels[next(wild, 0) :])


def glob_matches(glob: str, text: str) -> bool:
    """Return whether a pattern of `--only`, `overrides` or `connect_to` matches the text; `*` is anything."""
    return _glob(glob.strip().lower(), text.lower())


def glob_matches_host(glob: str, host: str) -> bool:
    """Match like `glob_matches`, ignoring a trailing dot in either."""
    return glob_matches(glob.strip().removesuffix("."), host.removesuffix("."))


def replace_wildcard(pattern: str, label: str) -> str:
    """Return the pattern with a label in the place of its first `*`."""
    return pattern.replace("*", label, 1)


def _labels(name: str) -> list[str]:
    return name.strip().lower().removesuffix(".").split(".")


def _glob(pattern: str, text: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
