"""What a list says of an endpoint, as far as it says it."""

from __future__ import annotations

from msgspec import Struct, field

from egressd.model.endpoint import Cloud, Need, Protocol, Role

MOST_ROWS = 5000
"""Of one list; more is a mistake, or an attack."""


class ListedRow(Struct, frozen=True, kw_only=True):
    """One host of a row; what the list does not say is None, or empty."""

    pattern: str | None
    """A host, a wildcard, or a host with `{placeholders}`, in lower case; None where it can't be any."""
    text: str
    """The host, or the prose, as it is written."""
    prose: bool = False
    """Whether only words describe the host; the pattern is then a placeholder made of them."""
    line: int
    origin: str
    """The file that the row stands in: a page may include others."""
    number: int
    """The row's place among all rows of its list; hosts of one row share it."""
    port: str | None = None
    """`443`, or a range `10124-10139`."""
    protocol: Protocol | None = None
    path: str | None = None
    service: str | None = None
    purpose: str | None = None
    roles: tuple[Role, ...] = ()
    need: Need | None = None
    """Where the list has such a column; not what words such as `Always` may mean."""
    when: str | None = None
    """When it is needed, in the list's own words."""
    cloud: Cloud | None = None
    region: str | None = None
    gateway: bool | None = None
    """Whether an Azure Arc gateway carries it."""
    inbound: bool = False
    section: str | None = None
    """The heading or tab that it stands under."""
    samples: tuple[str, ...] = ()
    keys: tuple[tuple[str, object], ...] = ()
    """Further keys of a list in our own format."""
    id: str | None = None
    endpoints: tuple[str, ...] = ()
    """The ids of the catalog's rows that it was exported from."""
    problems: tuple[str, ...] = ()
    """What can't be understood in it."""


class Listing(Struct, frozen=True, kw_only=True):
    """A document, read."""

    name: str
    format: str
    rows: tuple[ListedRow, ...]
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    unused: tuple[str, ...] = ()
    """Columns that are ignored."""
    cloud: Cloud | None = None
    region: str | None = None
    profiles: tuple[str, ...] = ()
    """Where the list says for which profiles it was exported."""
    exported: bool = False
    """Whether `catalog export` wrote it."""

    @property
    def count(self) -> int:
        """The number of rows, however many hosts each has."""
        return len({(row.origin, row.number) for row in self.rows})


class Cells(Struct, kw_only=True):
    """One row of a table or a list of keys, before its hosts are split."""

    line: int
    cells: dict[str, str]
    """By the field of `columns.py`, in the inline markup of Markdown."""
    cloud: Cloud | None = None
    region: str | None = None
    section: str | None = None
    keys: dict[str, object] = field(default_factory=dict)
    """Further keys, as in our own formats."""
