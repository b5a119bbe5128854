"""Rules with where they come from: what every language renders."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from egressd.firewall.rule import FirewallRule, merged
from egressd.wording import count


class Origin(Struct, frozen=True, kw_only=True):
    """Where rules come from: a plan, or the failures of a report."""

    catalog_revision: str
    catalog_digest: str
    cloud: str
    region: str | None
    profiles: tuple[str, ...]
    run: str | None = None
    """The id of the sweep whose failures ask for them; None: they are those of a plan."""
    started: str | None = None
    """When that sweep began, RFC 3339 in UTC."""
    host: str | None = None
    """The host that it was made from."""
    site: str | None = None
    """The place of that host in a fleet."""
    further: tuple[Origin, ...] = ()
    """Those of further reports whose failures ask for some of them."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Plain lines for a heading."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.run is not None:
            site = f" of {self.site}" if self.site not in (None, self.host) else ""
            yield f"What failed from {self.host}{site} at {self.started} (run {self.run})."
        place = f"cloud {self.cloud}, region {self.region or 'not given'}"
        yield f"Profiles: {', '.join(self.profiles) or 'none'}; {place}; catalog of {self.catalog_revision}."
        for one in self.further:
            yield from one.lines


class RuleSet(Struct, frozen=True, kw_only=True):
    """Rules, required ones first, and their origin."""

    rules: tuple[FirewallRule, ...]
    origin: Origin

    @property
    def heading(self) -> tuple[str, ...]:
        """Lines to begin a document with: how many rules, and where they come from."""
        return (f"egressd: {count(len(self.rules), 'rule')} to ask for.", *self.origin.lines)

    def joined(self, *others: RuleSet) -> RuleSet:
        """Return the rules of several documents as one, each once and from every source."""
        rules = merged(replace(rule) for one in (self, *others) for rule in one.rules)
        further = tuple(one.origin for one in others)
        return RuleSet(rules=rules, origin=replace(self.origin, further=(*self.origin.further, *further)))
