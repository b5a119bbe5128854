"""Which files of a folder apt reads: the rule of run-parts, with an extension."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_.:-]*(?<!\.)", re.ASCII)


def is_part(name: str, *extensions: str) -> bool:
    """Return whether apt reads a file of this name; an empty extension is a name without a dot."""
    stem, dot, extension = name.rpartition(".")
    return bool(_PLAIN.fullmatch(name)) and (extension if dot and stem else "") in extensions
