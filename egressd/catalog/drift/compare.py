"""The rows of one document against those that the catalog has of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from egressd.catalog.drift.align import Aligned, Aligner
from egressd.catalog.drift.outcome import DriftChange, DriftLine
from egressd.documents.listed import ListedRow
from egressd.model.endpoint import Cloud, Endpoint, Protocol
from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import PLACEHOLDER

_DATAGRAMS = (Protocol.UDP, Protocol.NTP, Protocol.ICMP)
_Key = tuple[str, str]


class Sought(Struct, frozen=True, kw_only=True):
    """What the catalog has for a document in one cloud."""

    cloud: Cloud
    aligner: Aligner
    known: tuple[Endpoint, ...]
    """Rows that are no news, wherever they were read."""
    wanted: frozenset[str]
    """The ids of those that the document should have."""
    strict: bool
    """Whether a row that the catalog has for another product only is news."""


class Comparison(Struct, kw_only=True):
    """Collect the differences, cloud by cloud."""

    region: str | None
    exported: bool
    clouds: list[str] = field(default_factory=list)
    came: list[DriftLine] = field(default_factory=list)
    went: list[DriftLine] = field(default_factory=list)
    changed: list[DriftLine] = field(default_factory=list)
    covered: list[DriftLine] = field(default_factory=list)
    elsewhere: list[DriftLine] = field(default_factory=list)
    unchanged: int = 0

    def add(self, sought: Sought, rows: Sequence[ListedRow]) -> None:
        """Compare the rows of one cloud."""
        self.clouds.append(sought.cloud.value)
        seen: dict[str, list[ListedRow]] = {}
        unknown: dict[tuple[str, str | None], ListedRow] = {}
        for row in rows:
            found = self._same(sought, row)
            for one in found:
                seen.setdefault(one.id, []).append(row)
            if not found:
                unknown.setdefault((row.pattern or "", row.port), row)
        missing = _missing(sought, seen)
        left = self._moved(sought, list(unknown.values()), missing)
        self._respoken(sought, seen)
        self._news(sought, left)
        self._gone(sought, missing, rows)
        self.unchanged += len({(one.pattern, one.ports) for one in sought.known if one.id in seen})

    def _same(self, sought: Sought, row: ListedRow) -> list[Endpoint]:
        """Return the known rows that a row of the document is: the pattern aligned, at the same port."""
        known = {one.id for one in sought.known}
        aligned = (one.row for one in self._here_aligned(sought, row))
        found = [one for one in aligned if one.id in known and row.port in (None, one.ports)]
        return found or [one for one in sought.known if one.id in row.endpoints and self._filled(one, row)]

    def _here_aligned(self, sought: Sought, row: ListedRow) -> Iterator[Aligned]:
        """Yield the rows with the host's pattern, in the region that the document is for."""
        here = row.region or self.region
        for one in sought.aligner.aligned(row.pattern or ""):
            if one.regions is None or here is None or here in one.regions:
                yield one

    def _filled(self, row: Endpoint, listed: ListedRow) -> bool:
        """Whether an export has a row whose host is wholly the operator's own, filled in."""
        return PLACEHOLDER.fullmatch(row.pattern) is not None and listed.port is not None

    def _moved(
        self, sought: Sought, unknown: list[ListedRow], missing: dict[_Key, list[Endpoint]]
    ) -> list[ListedRow]:
        """Pair rows that are at another port; return those that are none."""
        left = []
        for row in unknown:
            own = {one.row.id for one in self._here_aligned(sought, row)}
            key = next((one for one, rows in missing.items() if own & {row.id for row in rows}), None)
            if key is None or row.port in (None, key[1]):
                left.append(row)
                continue
            change = DriftChange(key="port", before=key[1], after=row.port)
            ids = tuple(one.id for one in missing.pop(key))
            self.changed.append(_line(sought, row, endpoints=ids, changes=(change,)))
        return left

    def _respoken(self, sought: Sought, seen: dict[str, list[ListedRow]]) -> None:
        """Report rows of which the document says another protocol, or an export another need."""
        changes: dict[tuple[str, str | None, tuple[DriftChange, ...]], tuple[ListedRow, list[str]]] = {}
        for one in sought.known:
            rows = seen.get(one.id, [])
            found = [self._differs(one, row) for row in rows]
            if found and all(found):
                key = (rows[0].pattern or "", rows[0].port, found[0])
                changes.setdefault(key, (rows[0], []))[1].append(one.id)
        for (_, _, difference), (row, ids) in changes.items():
            self.changed.append(_line(sought, row, endpoints=tuple(ids), changes=difference))

    def _differs(self, one: Endpoint, row: ListedRow) -> tuple[DriftChange, ...]:
        if row.protocol is not None and not _alike(one.protocol, row.protocol):
            return (DriftChange(key="protocol", before=one.protocol.value, after=row.protocol.value),)
        return ()

    def _news(self, sought: Sought, rows: Iterable[ListedRow]) -> None:
        known = {one.id: one for one in sought.known}
        for row in rows:
            own = [one.row for one in self._here_aligned(sought, row) if one.given and one.row.id in known]
            cover = next(
                (one for one in own if row.port in (None, one.ports)), None
            ) or sought.aligner.covering(row.pattern or "", row.port, sought.known)
            if cover is not None:
                self.covered.append(_line(sought, row, endpoints=(cover.id,), covered_by=cover.pattern))
                continue
            others = tuple(
                one.row.id
                for one in sought.aligner.aligned(row.pattern or "")
                if one.row.id not in known and row.port in (None, one.row.ports)
            )
            (self.elsewhere if others and not sought.strict else self.came).append(
                _line(sought, row, endpoints=others)
            )

    def _gone(self, sought: Sought, missing: dict[_Key, list[Endpoint]], rows: Sequence[ListedRow]) -> None:
        wide = [row for row in rows if row.pattern is not None and "*" in row.pattern]
        for (pattern, ports), gone in missing.items():
            sample = PLACEHOLDER.sub("x", pattern)
            cover = next(
                (
                    row.pattern
                    for row in wide
                    if "*" not in pattern
                    and row.port in (None, ports)
                    and pattern_covers(row.pattern or "", sample)
                ),
                None,
            )
            self.went.append(
                DriftLine(
                    pattern=pattern,
                    port=ports or None,
                    cloud=sought.cloud.value,
                    endpoints=tuple(one.id for one in gone),
                    service=gone[0].service,
                    covered_by=cover,
                )
            )


def _missing(sought: Sought, seen: dict[str, list[ListedRow]]) -> dict[_Key, list[Endpoint]]:
    """Return the wanted rows that the document does not have, by pattern and port.

    Where the document has the host for other machines only, the row for these is missing as well.
    """
    wanted: dict[_Key, list[Endpoint]] = {}
    for one in sought.known:
        if one.id in sought.wanted:
            wanted.setdefault((one.pattern, one.ports), []).append(one)
    missing: dict[_Key, list[Endpoint]] = {}
    for key, rows in wanted.items():
        gone = [one for one in rows if one.id not in seen]
        if not gone and len(rows) > 1:
            gone = [one for one in rows if not any(_for_role(one, row) for row in seen[one.id])]
            gone = gone if len(gone) < len(rows) else []
        if gone:
            missing[key] = gone
    return missing


def _for_role(one: Endpoint, row: ListedRow) -> bool:
    return not row.roles or bool(set(row.roles) & set(one.roles))


def _alike(ours: Protocol, theirs: Protocol) -> bool:
    """Whether two words may stand for one conversation: `https` and `tcp`, but not `https` and `http`."""
    if Protocol.DNS in (ours, theirs):
        return True
    if (ours in _DATAGRAMS) != (theirs in _DATAGRAMS):
        return False
    plain = [one is Protocol.HTTP for one in (ours, theirs)]
    return plain[0] == plain[1] or Protocol.TCP in (ours, theirs)


def _line(
    sought: Sought,
    row: ListedRow,
    *,
    endpoints: tuple[str, ...] = (),
    changes: tuple[DriftChange, ...] = (),
    covered_by: str | None = None,
) -> DriftLine:
    return DriftLine(
        pattern=row.pattern or "",
        port=row.port,
        cloud=sought.cloud.value,
        endpoints=endpoints,
        line=row.line,
        section=row.section,
        service=row.service,
        changes=changes,
        covered_by=covered_by,
    )
