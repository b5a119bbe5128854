"""What to ask for, so that what fails can work: rules for firewalls, proxies, resolvers and inspection.

`rule` is one rule, `ask` makes those of a sweep's failures, `languages` write them as devices and people
read them. Pure; text out.
"""

from egressd.firewall.ask import Asks
from egressd.firewall.document import RuleSet
from egressd.firewall.rule import Action, FirewallRule, Leg

__all__ = ["Action", "Asks", "FirewallRule", "Leg", "RuleSet"]
