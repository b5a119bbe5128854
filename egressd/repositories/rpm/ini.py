"""Files of sections and keys, as dnf, yum and zypper read them; every value has its line."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from egressd.repositories.files import HostFiles

MOST_SECTIONS = 2000
"""Sections read of one folder."""
MOST_WORDS = 1000
"""Words of one value."""
YES_WORDS = ("1", "yes", "true", "on", "enabled")
NO_WORDS = ("0", "no", "false", "off", "disabled")


class IniValue(Struct, frozen=True, kw_only=True):
    """A value and where it stands; it may go on in further lines."""

    first: str
    place: str
    more: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join((self.first, *self.more)).strip()

    def words(self) -> list[str]:
        """Split a list: at spaces, commas and line ends."""
        return self.text.replace(",", " ").split()[:MOST_WORDS]


class IniSection(Struct, kw_only=True):
    """A section; keys are in lower case."""

    name: str
    place: str
    values: dict[str, list[IniValue]] = field(default_factory=dict)

    def get(self, key: str) -> IniValue | None:
        """Return the last value of a key that is not empty."""
        return next((one for one in reversed(self.values.get(key, [])) if one.text), None)

    def has(self, key: str) -> bool:
        """Return whether a key stands there, even without a value."""
        return key in self.values


def read_sections(files: HostFiles, path: str) -> Iterator[IniSection]:
    """Yield the sections of a file in order; a line that is none of it is noted."""
    section: IniSection | None = None
    key = ""
    for number, line in enumerate(files.lines(path) or (), 1):
        place, text = f"{path}:{number}", line.strip()
        if not text or line[0] in "#;":
            continue
        if line[0] == "[":
            if section is not None:
                yield section
            name, bracket, _ = text[1:].partition("]")
            section, key = IniSection(name=name.strip(), place=place), ""
            if not bracket or not section.name:
                files.note(place, "it is no name of a section: what follows is not read")
                section = None
        elif section is None:
            files.note(place, "it stands in no section")
        elif _continues(line, key):
            section.values[key][-1].more.append(text)
        else:
            name, equals, value = text.partition("=")
            key = name.strip().lower() if equals else ""
            if not key:
                files.note(place, "it is neither a section nor a value")
            else:
                section.values.setdefault(key, []).append(IniValue(first=value.strip(), place=place))
    if section is not None:
        yield section


def ini_switch(files: HostFiles, value: IniValue | None, *, default: bool) -> bool:
    """Read yes or no; what is neither is noted."""
    if value is None:
        return default
    word = value.text.lower()
    if word not in YES_WORDS and word not in NO_WORDS:
        files.note(value.place, f"it is neither yes nor no: taken as {'yes' if default else 'no'}")
        return default
    return word in YES_WORDS


def _continues(line: str, key: str) -> bool:
    """Return whether a line goes on with the value before it: zypper takes addresses without an indent."""
    if not key:
        return False
    return line[0] in " \t" or (key == "baseurl" and "://" in line.partition("=")[0])
