"""Objects that stand for source addresses which are not known, until someone gives them the right one."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import sources_of
from egressd.firewall.languages.devices.names import Names
from egressd.firewall.rule import FirewallRule, Leg

NOWHERE = "192.0.2.1"
"""An address of documentation (RFC 5737): it opens nothing until it is replaced."""
_LONGEST = 35


class Placeholders(Struct, frozen=True, kw_only=True):
    """The names of the two objects in one document."""

    hosts: str
    proxy: str

    def of(self, rule: FirewallRule) -> str:
        """Return the name that stands for sources of a rule."""
        return self.proxy if rule.leg is Leg.FROM_PROXY else self.hosts

    def notes(self, rule: FirewallRule) -> Iterator[str]:
        """Say what the object stands for."""
        for one in sources_of(rule.sources).others:
            yield f"{one} is no address: {self.of(rule)} stands for it, give it the right address"
        if not rule.sources:
            yield f"Sources are not known: {self.of(rule)} stands for them, give it the right address"


def placeholder_names(asked: RuleSet) -> Placeholders:
    """Return names for a document: another report must not take back the address that one was given."""
    names, run = Names(_LONGEST), asked.origin.run
    return Placeholders(hosts=names.marked("host-address", run), proxy=names.marked("proxy-address", run))
