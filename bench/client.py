"""A client: probe each target on standard input by the exporter, 64 at a time; fail unless all succeed."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import quote

PARALLEL = 64


def probe(url: str) -> bool:
    """Request one probe from the exporter; return whether it succeeded."""
    connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
    connection.request("GET", f"/probe?module=http_2xx&target={quote(url, safe='')}")
    page = connection.getresponse().read()
    connection.close()
    return b"\nprobe_success 1\n" in page


def main() -> int:
    """Print the seconds from the first request to the last response."""
    urls = sys.stdin.read().split()
    begun = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        succeeded = sum(pool.map(probe, urls))
    print(time.monotonic() - begun)
    return 0 if succeeded == len(urls) else 1


if __name__ == "__main__":
    sys.exit(main())
