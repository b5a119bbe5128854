"""Compare documents with the catalog. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.catalog.drift.align import Aligner, region_codes
from egressd.catalog.drift.candidates import (
    LEAST_OF_ANOTHER,
    MOST_OF,
    CatalogDocument,
    Likeness,
    by_path,
    catalog_documents,
    is_current,
    is_left_out,
    likeness,
)
from egressd.catalog.drift.compare import Comparison, Sought
from egressd.catalog.drift.outcome import Assumed, DocumentDrift, Drift
from egressd.documents.folder import FolderListings
from egressd.documents.listed import ListedRow, Listing
from egressd.errors import UsageError
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Endpoint
from egressd.planning.select import profiles_with_included
from egressd.wording import count


class Against(Struct, frozen=True, kw_only=True):
    """What the user says of the documents; None and empty where nothing."""

    profiles: tuple[str, ...] = ()
    cloud: Cloud | None = None
    region: str | None = None
    own: tuple[Endpoint, ...] = ()
    """Rows of the operator's own, which the catalog need not have."""
    place: str = ""
    """The path of the file or folder."""


MOST_VOTES = 0.6
"""The part of the hosts with a code of a region that must be of one region."""
LIKELY = 0.3
"""The part of a document's hosts that a file of its name must have."""
_Ranked = tuple[Likeness, CatalogDocument]


class _Basis(Struct, frozen=True, kw_only=True):
    """What a document is compared with."""

    assumed: Assumed
    documents: tuple[CatalogDocument, ...]
    profiles: tuple[str, ...]
    strict: bool = True
    """Whether a row that the catalog has for another product only is news."""


def compare_documents(catalog: Catalog, read: FolderListings, against: Against) -> Drift:
    """Compare every document that is read with the catalog.

    Raises UsageError: there is nothing in them that the catalog has, or no row at all.
    """
    comparer = _Comparer(catalog=catalog, against=against)
    parts = _by_origin(read.listings)
    alone = len(parts) == 1
    found: list[DocumentDrift] = []
    notes = [*read.notes, *(note for one in read.listings if not one.rows for note in one.notes)]
    for part in parts:
        drift = comparer.compare(part)
        if drift is None:
            notes.append(f"{part.name}: not compared: no row of it is in the catalog; name its --profile")
        elif drift.assumed == "nothing" and not alone:
            notes.append(f"{part.name}: not compared: like no document of the catalog; name its --profile")
        else:
            found.append(drift)
    if not found:
        why = "no row of it is in the catalog" if alone else "no document in it is like one of the catalog"
        why = f"{why}; --profile says what it stands for" if parts else "it holds no list of endpoints"
        raise UsageError(f"cannot compare {against.place}: {why}")
    return Drift(revision=catalog.revision, digest=catalog.digest, documents=tuple(found), notes=tuple(notes))


def _by_origin(listings: Iterable[Listing]) -> list[Listing]:
    """Return the documents by the file that rows stand in, whichever pages include it."""
    found: dict[str, Listing] = {}
    for listing in listings:
        for origin in dict.fromkeys(row.origin for row in listing.rows):
            rows = tuple(row for row in listing.rows if row.origin == origin)
            own = origin == listing.name
            known = found.get(origin)
            if known is None:
                found[origin] = replace(
                    listing, name=origin, rows=rows, notes=listing.notes if own else (), cloud=listing.cloud
                )
            else:
                places = {(one.line, one.pattern, one.port, one.cloud) for one in known.rows}
                more = [row for row in rows if (row.line, row.pattern, row.port, row.cloud) not in places]
                found[origin] = replace(known, rows=(*known.rows, *more))
    return list(found.values())


class _Comparer(Struct, kw_only=True):
    catalog: Catalog
    against: Against
    _aligners: dict[Cloud, Aligner] = field(default_factory=dict)

    def compare(self, listing: Listing) -> DocumentDrift | None:
        """Compare one document; None if nothing in it is in the catalog."""
        rows, left = self._rows(listing)
        if not rows:
            return None
        basis = self._basis(listing, rows)
        if basis is None:
            return None
        region = self.against.region or listing.region or self._region(rows)
        sought = [self._sought(basis, cloud, region) for cloud in dict.fromkeys(cloud for cloud, _ in rows)]
        comparison = Comparison(region=region, exported=listing.exported)
        for one in sought:
            comparison.add(one, [row for cloud, row in rows if cloud is one.cloud])
        return self._outcome(listing, basis, region, comparison, left)

    def _rows(self, listing: Listing) -> tuple[list[tuple[Cloud, ListedRow]], int]:
        """Return the rows that can be compared, with their clouds, and the number of the others."""
        hosts = [row for row in listing.rows if row.pattern is not None and not row.prose]
        hosts = [row for row in hosts if not is_left_out(row.pattern or "")]
        general = self.against.cloud or listing.cloud or self._cloud(listing, hosts)
        found = [(row.cloud or general, row) for row in hosts]
        if self.against.cloud is not None:
            found = [(cloud, row) for cloud, row in found if cloud is self.against.cloud]
        if self.against.region is not None:
            found = [(cloud, row) for cloud, row in found if row.region in (None, self.against.region)]
        return found, len(listing.rows) - len(found)

    def _cloud(self, listing: Listing, rows: Iterable[ListedRow]) -> Cloud:
        """Return the cloud that most of the rows without one are of.

        Of several, the public one, but of an export, which is complete, the one with the fewest rows.
        """
        unsaid = [row.pattern for row in rows if row.cloud is None and row.pattern is not None]
        known = {cloud: sum(bool(self._aligner(cloud).aligned(one)) for one in unsaid) for cloud in Cloud}
        names = self._included(self._exported_profiles(listing)) if listing.exported else set()
        sizes = {one: sum(row.profile in names for row in self._aligner(one).rows) for one in Cloud}
        return max(Cloud, key=lambda one: (known[one], -sizes[one]))

    def _aligner(self, cloud: Cloud) -> Aligner:
        if cloud not in self._aligners:
            rows = [one.in_cloud(cloud) for one in self.catalog.endpoints if cloud in one.clouds]
            rows += [one for one in self.against.own if cloud in one.clouds]
            self._aligners[cloud] = Aligner(tuple(rows), region_codes(self.catalog, cloud))
        return self._aligners[cloud]

    def _region(self, rows: list[tuple[Cloud, ListedRow]]) -> str | None:
        """Return the region that most hosts with a region's code are of; None if there are several."""
        votes: Counter[str] = Counter()
        coded = 0
        for cloud, row in rows:
            regions = [
                one.regions
                for one in self._aligner(cloud).aligned(row.pattern or "")
                if one.regions is not None
            ]
            if regions and row.region is None:
                coded += 1
                votes.update(frozenset().union(*regions))
        (region, number), (_, next_best) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
        return region if number > max(MOST_VOTES * coded, next_best) else None

    def _seen(self, rows: list[tuple[Cloud, ListedRow]]) -> dict[Cloud, frozenset[str]]:
        """Return the ids of the catalog's rows of which a document has the host, by cloud."""
        found: dict[Cloud, set[str]] = {cloud: set() for cloud, _ in rows}
        for cloud, row in rows:
            for one in self._aligner(cloud).aligned(row.pattern or ""):
                found[cloud].add(one.row.id)
        return {cloud: frozenset(ids) for cloud, ids in found.items()}

    def _basis(self, listing: Listing, rows: list[tuple[Cloud, ListedRow]]) -> _Basis | None:
        """Find out what a document is to be compared with."""
        seen = self._seen(rows)
        profiles = self.against.profiles or listing.profiles or self._exported_profiles(listing)
        if listing.exported and profiles:
            return _Basis(assumed="export", documents=(), profiles=profiles)
        asked = self._included(profiles) if profiles else None
        documents = catalog_documents(self.catalog, asked)
        ranked = self._ranked(documents, seen, rows)
        place = listing.name if listing.name.startswith("/") else f"{self.against.place}/{listing.name}"
        named = self._ranked(by_path(documents, place), seen, rows)
        if named and self._fits(named[0], ranked[0]):
            like, best = named[0]
            return self._on(best, like, assumed="path", profiles=profiles)
        if not ranked or not any(seen.values()):
            return None
        like, best = ranked[0]
        if not like.is_copy and not profiles:
            return self._nothing(seen)
        basis = self._on(best, like, assumed="profile" if profiles else "rows", profiles=profiles)
        return replace(basis, documents=(best, *self._included_in(listing, ranked, seen)))

    def _fits(self, named: _Ranked, first: _Ranked) -> bool:
        """Whether a file can be the document that its path says, or there is none that it is more like."""
        like, document = named
        if first[0].is_copy and first[0].whole > 2 * like.whole and document.rows:
            return False
        return not document.rows or like.share >= LIKELY

    def _on(
        self, document: CatalogDocument, like: Likeness, *, assumed: Assumed, profiles: tuple[str, ...]
    ) -> _Basis:
        return _Basis(
            assumed=assumed,
            documents=(document,),
            profiles=profiles or document.profiles,
            strict=bool(profiles) or like.is_most_of_the_file,
        )

    def _included_in(
        self, listing: Listing, ranked: list[_Ranked], seen: dict[Cloud, frozenset[str]]
    ) -> list[CatalogDocument]:
        """Return further documents that a saved page holds: by hosts that the first does not have."""
        found: list[CatalogDocument] = []
        explained = {(cloud, row.pattern) for cloud, row in ranked[0][1].rows}
        for _, one in ranked[1:] if listing.format == "a page" else ():
            own = [(cloud, row) for cloud, row in one.rows if (cloud, row.pattern) not in explained]
            own = [(cloud, row) for cloud, row in own if cloud in seen]
            there = {row.pattern for cloud, row in own if row.id in seen[cloud]}
            if len(there) >= LEAST_OF_ANOTHER and len(there) >= MOST_OF * len(
                {row.pattern for _, row in own}
            ):
                found.append(one)
                explained |= {(cloud, row.pattern) for cloud, row in own}
        return found

    def _ranked(
        self,
        documents: Iterable[CatalogDocument],
        seen: dict[Cloud, frozenset[str]],
        rows: list[tuple[Cloud, ListedRow]],
    ) -> list[_Ranked]:
        """Return the documents with the one that is most alike first."""
        number = len({(cloud, row.pattern) for cloud, row in rows})
        scored = [(likeness(one, seen, number), one) for one in documents]
        return sorted(scored, key=lambda one: one[0].whole, reverse=True)

    def _nothing(self, seen: dict[Cloud, frozenset[str]]) -> _Basis:
        """Compare with the profile that has most of the rows, of which none is said to have gone."""
        ids = frozenset().union(*seen.values())
        votes = Counter(one.profile for one in self.catalog.endpoints if one.id in ids)
        return _Basis(assumed="nothing", documents=(), profiles=(votes.most_common(1)[0][0],))

    def _exported_profiles(self, listing: Listing) -> tuple[str, ...]:
        """Return the profiles of the rows that an export names."""
        ids = {one for row in listing.rows for one in row.endpoints}
        return tuple(dict.fromkeys(one.profile for one in self.catalog.endpoints if one.id in ids))

    def _included(self, profiles: Iterable[str]) -> set[str]:
        """Return profiles and what they include. Raises UsageError for one that does not exist."""
        return {one for name in profiles for one in profiles_with_included(self.catalog, name)}

    def _sought(self, basis: _Basis, cloud: Cloud, region: str | None) -> Sought:
        aligner = self._aligner(cloud)
        names = self._included(basis.profiles)
        names |= {profile for one in basis.documents for profile in one.profiles}
        if basis.assumed == "nothing":
            names = {one.name for one in self.catalog.profiles}
        own = {one.id for one in self.against.own}
        known = tuple(row for row in aligner.rows if row.profile in names or row.id in own)
        if basis.assumed == "export":
            wanted = {row.id for row in known if is_current(replace(row, until=None)) and row.id not in own}
        else:
            wanted = {row.id for one in basis.documents for place, row in one.rows if place is cloud}
        here = {row.id for row in known if not row.regions or (region is not None and region in row.regions)}
        return Sought(
            cloud=cloud, aligner=aligner, known=known, wanted=frozenset(wanted & here), strict=basis.strict
        )

    def _outcome(
        self, listing: Listing, basis: _Basis, region: str | None, found: Comparison, left: int
    ) -> DocumentDrift:
        document = basis.documents[0] if basis.documents else None
        notes = list(listing.notes)
        if index := sum(is_left_out(row.pattern or "") for row in listing.rows):
            notes.append(f"{count(index, 'host')} of a package index: left out of the catalog on purpose")
        if basis.assumed == "nothing":
            notes.append(
                "no document of the catalog is like it: whether rows went can't be told; --profile says"
            )
        notes += [f'it holds "{one.title}" as well' for one in basis.documents[1:]]
        return DocumentDrift(
            name=listing.name,
            format=listing.format,
            rows=listing.count,
            profiles=basis.profiles,
            document=document.title if document else None,
            date=document.date if document else None,
            assumed=basis.assumed,
            clouds=tuple(found.clouds),
            region=region,
            came=tuple(found.came),
            went=tuple(found.went),
            changed=tuple(found.changed),
            covered=tuple(found.covered),
            elsewhere=tuple(found.elsewhere),
            unchanged=found.unchanged,
            not_compared=left,
            notes=tuple(notes),
        )
