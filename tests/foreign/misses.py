"""Rows that are not right, by suite, with why; `docs/unproven.md` says more.

A row that becomes right fails until it is taken out.
"""

from __future__ import annotations

from collections.abc import Mapping

_PRIVATE_IS_NORMAL = "a private address is normal for a name of the operator's own"
MISSES: Mapping[str, Mapping[str, str]] = {
    "ooni-A": {
        "dnsBlockingBOGON": _PRIVATE_IS_NORMAL,
        "ghostDNSHTTP": "one resolver, one page in clear: nothing tells it from the site's own",
    },
}
WRONG_CERTAINTIES: Mapping[str, tuple[str, ...]] = {"ooni-A": ("ghostDNSHTTP",)}
"""Rows of which a claim is confirmed and wrong, or that are ok where a client fails."""
