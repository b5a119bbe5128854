"""The firewall rules of a plan's rows: what to write into the change request.

Pure. A placeholder without a known value is written `<name>`: a rule with a guess in it is worse than a gap.
"""

from egressd.catalog.export.rules import RuleFilter, firewall_rules, planned_rules

__all__ = ["RuleFilter", "firewall_rules", "planned_rules"]
