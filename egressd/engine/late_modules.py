"""The modules that probing would import at its first use of them.

A sweep may use up the descriptors of this process; an import fails then, and what fails with it would be
blamed on the network.
"""

from __future__ import annotations

from importlib import import_module

LATE_MODULES = (
    "_strptime",
    "certifi",
    "concurrent.futures.thread",
    "egressd.net.http.http2",
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.punycode",
    "encodings.utf_16_be",
    "encodings.utf_32_be",
    "encodings.utf_8_sig",
    "stringprep",
    "unicodedata",
)
"""For the dates and names of certificates, for host names, HTTP/2 and threads."""


def import_late_modules() -> None:
    """Import them now."""
    for name in LATE_MODULES:
        import_module(name)
