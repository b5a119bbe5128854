"""Texts of strangers' files in messages: short, printable, and without what may be a secret."""

from __future__ import annotations

import re

LONGEST = 80
_SECRET_NAME = re.compile(r"token|key|secret|auth|pass|sig|cred|user|session", re.IGNORECASE)
_PLAIN_VALUE = re.compile(r"[\w.,:/+$-]{0,40}", re.ASCII)
_TOKEN = re.compile(
    r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9]{24,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)


def short_text(text: str) -> str:
    """Return a short text that no terminal takes for a command."""
    plain = "".join(one if one.isprintable() else "?" for one in text)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."


def plain_path(path: str) -> str:
    """Cut a path before the first part that may be a secret: some mirrors have an access token there."""
    parts = path.split("/")
    end = next((index for index, part in enumerate(parts) if _TOKEN.fullmatch(part)), len(parts))
    return path if end == len(parts) else "/".join(parts[:end]) + "/"


def plain_query(query: str) -> str:
    """Keep the parameters of a query that say which repository is asked for, not who asks."""
    pairs = [pair.partition("=") for pair in query.split("&")]
    kept = [
        f"{name}={value}"
        for name, equals, value in pairs
        if equals and not _SECRET_NAME.search(name) and _is_plain(value)
    ]
    return "&".join(kept)


def _is_plain(value: str) -> bool:
    return bool(_PLAIN_VALUE.fullmatch(value)) and not any(map(_TOKEN.fullmatch, value.split("/")))
