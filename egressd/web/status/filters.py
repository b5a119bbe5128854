"""What of the targets a reader asks to see: the parameters of the page's address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from msgspec import Struct
from multidict import MultiMapping

from egressd.model.verdict import Outcome

PERIODS: Mapping[str, timedelta] = MappingProxyType(
    {"24h": timedelta(hours=24), "7d": timedelta(days=7), "90d": timedelta(days=90)}
)
"""The times that strips of history can show, by the word in the address."""
NOT_OK = "failing"
"""Asks for every target that is not ok."""
STATES = (NOT_OK, *(one.value for one in Outcome))
LONGEST_SEARCH = 200


class PageQuery(Struct, frozen=True, kw_only=True):
    """What a reader asks for. Whatever can't be read is as if it were not given: a page is always shown."""

    search: str = ""
    """Words, in lower case, all of which a target must have somewhere."""
    state: str = ""
    """One of `STATES`; empty: every target."""
    product: str = ""
    period: str = "24h"

    @property
    def is_filter(self) -> bool:
        """Whether it leaves targets out."""
        return bool(self.search or self.state or self.product)

    def wants(self, *, state: str, product: str, text: str) -> bool:
        """Whether a target is asked for; `text` is all its words, in lower case."""
        if self.state not in ("", state) and not (self.state == NOT_OK and state != Outcome.OK):
            return False
        return self.product in ("", product) and all(word in text for word in self.search.split())


def page_query(query: MultiMapping[str]) -> PageQuery:
    """Read the parameters of the address of the page."""
    state, period = query.get("state", ""), query.get("period", "")
    return PageQuery(
        search=query.get("q", "")[:LONGEST_SEARCH].strip().lower(),
        state=state if state in STATES else "",
        product=query.get("product", "")[:LONGEST_SEARCH],
        period=period if period in PERIODS else "24h",
    )
