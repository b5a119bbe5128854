"""Variables in addresses of repositories: `$releasever`, `${basearch}`, `${name:-word}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from egressd.repositories.files import HostFiles
from egressd.repositories.repository import PackageHost

BASE_ARCHITECTURES = {
    **dict.fromkeys(("i386", "i486", "i586", "i686"), "i386"),
    **dict.fromkeys(("armv7l", "armv7hl", "armv8l"), "armhfp"),
}
"""Base architectures where they differ from the kernel's."""
LONGEST_VALUE = 200
LONGEST_TEXT = 4096
"""Characters; a longer text is no address of a repository, and stays as it is."""
MOST_ROUNDS = 8
"""How often a word in braces may hold another variable."""
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^${}]*))?\})", re.ASCII)
_NAME = re.compile(r"\w{1,64}", re.ASCII)
_RELEASE = re.compile(r'(\w+)=["\']?([^"\']*)["\']?', re.ASCII)


def read_variables(host: PackageHost, *folders: str) -> dict[str, str]:
    """Return the variables of this host, and of the folders: a file each, later folders win."""
    values = {"arch": host.machine, "basearch": BASE_ARCHITECTURES.get(host.machine, host.machine)}
    release = release_version(host.files)
    values |= {"releasever": release} if release is not None else {}
    for folder in folders:
        for path in host.files.names(folder, lambda name: bool(_NAME.fullmatch(name))):
            first = next(iter(host.files.lines(path) or ()), "").strip()
            values[path.rpartition("/")[2]] = first[:LONGEST_VALUE]
    major, _, minor = values.get("releasever", "").partition(".")
    return {"releasever_major": major, "releasever_minor": minor} | values


def release_version(files: HostFiles) -> str | None:
    """Return the release as packages name it; None if it is not known.

    Distributions of the Red Hat family name the platform (`platform:el9`), whose number it is.
    """
    known: dict[str, str] = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        for line in files.lines(path) or ():
            if found := _RELEASE.fullmatch(line.strip()):
                known.setdefault(found[1], found[2])
    platform = re.fullmatch(r"platform:[a-z]+(\d+)", known.get("PLATFORM_ID", ""))
    return platform[1] if platform else known.get("VERSION_ID") or None


def substitute_variables(text: str, values: Mapping[str, str]) -> str:
    """Replace variables; one that is not known stays as it is written."""
    if len(text) > LONGEST_TEXT:
        return text
    for _ in range(MOST_ROUNDS):
        replaced = _VARIABLE.sub(lambda found: _value(found, values), text)
        if replaced == text or len(replaced) > 4 * len(text) + 1000:
            return replaced
        text = replaced
    return text


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    value = values.get(found[1] or found[2])
    match found[3]:
        case "-":
            return value or found[4]
        case "+":
            return found[4] if value else ""
        case _:
            return found[0] if value is None else value
