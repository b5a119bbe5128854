"""Rules for name resolution: which resolver did not answer, and which answer is wrong.

`lookup` holds the conditions for a lookup that gave no address, `transport` those of UDP and TCP, `answer`
those for an address that is not the server's, `private_link` those of private zones; `table` orders them.
"""

from __future__ import annotations

from egressd.attribution.facts.peer_comparison import PRIVATE_LINK
from egressd.attribution.rules.dns.private_link import is_overruled, is_private_link_capable
from egressd.attribution.rules.dns.table import DNS

__all__ = ["DNS", "PRIVATE_LINK", "is_overruled", "is_private_link_capable"]
