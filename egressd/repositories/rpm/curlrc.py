"""The login of a proxy in .curlrc, the only option of it that zypper reads."""

from __future__ import annotations

import re
from urllib.parse import unquote

from egressd.repositories.proxy import Credentials

CURLRC = "/root/.curlrc"
_OPTION = re.compile(r"-*proxy-user[\s=:]+(?=[^\s=:])")


def proxy_login(lines: tuple[str, ...]) -> Credentials | None:
    """Return the user name and the password; None if there are none."""
    stripped = (line.strip() for line in lines)
    found = [line[match.end() :] for line in stripped if (match := _OPTION.match(line))]
    if not found:
        return None
    text = found[-1]
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:].removesuffix('"'))
    user, _, password = unquote(text).partition(":")
    return user, password
