"""A client: probe each target on standard input by the exporter, 64 at a time.

Prints, as JSON, the seconds from the first request to the last response, how many are up, and what the pages
of the others say: the status of HTTP, and the phases that took any time.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import quote

PARALLEL = 64
PHASE = re.compile(r'^probe_http_duration_seconds\{phase="(\w+)"\} (\S+)$', re.MULTILINE)
STATUS = re.compile(r"^probe_http_status_code (\d+)$", re.MULTILINE)


def probe(url: str) -> str | None:
    """Request one probe from the exporter; return what its page says of a failure, None: it is up."""
    connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
    connection.request("GET", f"/probe?module=http_2xx&target={quote(url, safe='')}")
    page = connection.getresponse().read().decode()
    connection.close()
    if "\nprobe_success 1\n" in page:
        return None
    phases = [name for name, seconds in PHASE.findall(page) if float(seconds)]
    status = STATUS.search(page)
    code = status[1] if status else "absent"
    return f"probe_success 0, probe_http_status_code {code}, time in phases: {', '.join(phases) or 'none'}"


def main() -> None:
    """Probe all and print what was found."""
    urls = sys.stdin.read().split()
    begun = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = list(pool.map(probe, urls))
    seconds = time.monotonic() - begun
    down = Counter(one for one in found if one is not None)
    print(json.dumps({"seconds": seconds, "up": len(urls) - down.total(), "down": down}))


if __name__ == "__main__":
    main()
