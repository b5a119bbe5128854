"""How sure each code is of what happened, for the manual: read from the rules that give it."""

from __future__ import annotations

from itertools import chain

from egressd.attribution.rules.certificate import CERTIFICATE
from egressd.attribution.rules.dns import DNS
from egressd.attribution.rules.http import HTTP
from egressd.attribution.rules.ntp import NTP
from egressd.attribution.rules.proxy import PROXY, TUNNEL
from egressd.attribution.rules.tcp import TCP
from egressd.attribution.rules.tls import TLS

_TABLES = (DNS, TCP, PROXY, TUNNEL, CERTIFICATE, TLS, HTTP, NTP)


def certainty_text(code: str) -> str:
    """Return how sure a rule of this code is; empty for a code that is read from several targets."""
    rules = chain.from_iterable((*table.rules, *table.notes) for table in _TABLES)
    return next((one.certainty.text for one in rules if one.reason == code), "")
