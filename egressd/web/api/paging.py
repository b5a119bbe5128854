"""Long lists come in pages: so many targets, after one that the last page ended with."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from multidict import MultiMapping

from egressd.errors import EgressdError
from egressd.model.plan import Target

MOST_LISTED = 5_000
"""Targets on a page: some megabytes."""
PAGE_KEYS = ("limit", "after")
_DIGITS = 6


class BadQueryError(EgressdError):
    """A request whose parameters can't be read; nothing of them is repeated in it."""


class PageOfTargets(Struct, frozen=True, kw_only=True):
    """Which part of the targets a request asks for."""

    limit: int = MOST_LISTED
    after: str | None = None
    """The id of the target before the first one; None: from the beginning."""

    def of(self, targets: Sequence[Target]) -> tuple[Sequence[Target], str | None]:
        """Return the targets of this page, and the id to go on after; None: it is the last page.

        Raises:
            BadQueryError: the target to go on after is not there any more.
        """
        begin = 0
        if self.after is not None:
            begin = next((number for number, one in enumerate(targets, 1) if one.id == self.after), 0)
            if not begin:
                raise BadQueryError("after: there is no such target; begin again without it")
        page = targets[begin : begin + self.limit]
        return page, page[-1].id if begin + self.limit < len(targets) else None


def parse_page(query: MultiMapping[str]) -> PageOfTargets:
    """Read the parameters of a request for a page.

    Raises:
        BadQueryError: one is unknown, repeated, or no number that can be.
    """
    if set(query) - set(PAGE_KEYS):
        raise BadQueryError(f"unknown parameter; there are {', '.join(PAGE_KEYS)}")
    if any(len(query.getall(key)) > 1 for key in query):
        raise BadQueryError("a parameter may be given once")
    given = query.get("limit", str(MOST_LISTED))
    limit = int(given) if given.isascii() and given.isdigit() and len(given) <= _DIGITS else 0
    if not 1 <= limit <= MOST_LISTED:
        raise BadQueryError(f"limit must be a number from 1 to {MOST_LISTED}")
    return PageOfTargets(limit=limit, after=query.get("after"))
