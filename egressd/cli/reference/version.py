"""`egressd --version`: what a bug report must name. No library is loaded: one may be broken."""

from __future__ import annotations

import json
import platform
import ssl
from pathlib import Path

import egressd

COMPILED = Path(egressd.__file__).parent / "catalog" / "data" / "compiled.json"
HEADER = 4
"""Lines of the compiled catalog that name its digest and revision."""


def version_text() -> str:
    """Return the versions of egressd, its catalog, Python and OpenSSL, a line for each."""
    lines = (
        f"egressd {egressd.__version__}",
        f"catalog {_catalog()}",
        f"python {platform.python_version()}",
        f"openssl {ssl.OPENSSL_VERSION.removeprefix('OpenSSL ')}",
    )
    return "".join(f"{line}\n" for line in lines)


def _catalog() -> str:
    """Return the revision and digest of the catalog, without reading its rows."""
    try:
        with COMPILED.open(encoding="utf-8") as file:
            lines = [next(file) for _ in range(HEADER)]
        header = json.loads("".join(lines).rstrip().removesuffix(",") + "}")
        return f"{header['revision']} (sha256 {header['digest'][:12]})"
    except (OSError, ValueError, KeyError, StopIteration):
        return "not readable"
