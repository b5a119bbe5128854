"""The firewall rules to request: what to write into the change request.

`rule` is one rule, `rules` makes them of the selected rows, `render` writes them. Pure; text out. A
placeholder without a known value is written `<name>`: a rule with a guess in it is worse than a gap.
"""

from egressd.catalog.export.render import FORMATS, Format, export_rules
from egressd.catalog.export.rule import FirewallRule, Leg
from egressd.catalog.export.rules import RuleFilter, firewall_rules

__all__ = ["FORMATS", "FirewallRule", "Format", "Leg", "RuleFilter", "export_rules", "firewall_rules"]
