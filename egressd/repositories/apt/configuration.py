"""apt.conf: nested `Scope { Name "value"; };` and `Scope::Name "value";`, as apt reads it (apt.conf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

from egressd.repositories.apt.filename import is_part
from egressd.repositories.files import HostFiles
from egressd.repositories.proxy import Credentials

MOST_INCLUDES = 10
"""How deep files may include each other."""
MOST_SCOPES = 30
"""How deep blocks may stand in each other."""
DEFAULTS = {
    "dir": "/",
    "dir::etc": "etc/apt/",
    "dir::etc::parts": "apt.conf.d",
    "dir::etc::main": "apt.conf",
    "dir::etc::sourcelist": "sources.list",
    "dir::etc::sourceparts": "sources.list.d",
    "dir::etc::netrc": "auth.conf",
    "dir::etc::netrcparts": "auth.conf.d",
}
_WORD = re.compile(r'\s*((?:"[^"]*"|\[[^\]]*\]|[^\s"\[])+)')
_QUOTED = re.compile(r'\s*((?:"[^"]*"\s*)+)')
_DIRECTIVES = ("clear", "include", "x-apt-configure-index")


class AptValue(Struct, frozen=True, kw_only=True):
    """A value and where it is set."""

    text: str
    place: str


class AptConfiguration(Struct, kw_only=True):
    """Values by their full name in lower case; the last one that is set counts."""

    values: dict[str, AptValue] = field(default_factory=dict)
    logins: dict[str, Credentials | None] = field(default_factory=dict)
    """Of proxies, as far as they were looked for."""

    def find(self, name: str) -> AptValue | None:
        """Return a value that is set and not empty."""
        found = self.values.get(name.lower())
        return found if found is not None and found.text else None

    def path(self, name: str) -> str:
        """Return a file or folder: below that of the name above it, unless it is absolute."""
        found = self.find(name)
        text = found.text if found is not None else DEFAULTS.get(name.lower(), "")
        parent = name.rpartition("::")[0]
        if text.startswith("/") or not parent:
            return text
        return f"{self.path(parent).rstrip('/')}/{text}"

    def clear(self, name: str) -> None:
        """Forget a value and all below it."""
        name = name.lower().removesuffix("::")
        for one in [one for one in self.values if one == name or one.startswith(f"{name}::")]:
            del self.values[one]


class _Statements(Struct):
    """Splits a file into statements: what ends with `;`, `{` or `}`."""

    in_comment: bool = False

    def split(self, lines: tuple[str, ...]) -> Iterator[tuple[int, str, str]]:
        """Yield the line, the text and the end of every statement."""
        text = ""
        for number, line in enumerate(lines, 1):
            quoted = False
            text += " "
            for one in self._without_comments(line.strip()):
                quoted ^= one == '"'
                if one in "{};" and not quoted:
                    yield number, text.strip(), one
                    text = ""
                else:
                    text += one
        if text.strip():
            yield len(lines), text.strip(), ""

    def _without_comments(self, line: str) -> str:
        """Take out `//`, `#` and `/* */`; a line is looked at once, from left to right."""
        kept, quoted, at = [], False, 0
        while at < len(line):
            if self.in_comment:
                end = line.find("*/", at)
                self.in_comment = end < 0
                at = len(line) if end < 0 else end + 2
                continue
            two = line[at : at + 2]
            if not quoted and (two == "//" or (line[at] == "#" and not line.startswith(_DIRECTIVES, at + 1))):
                break
            if not quoted and two == "/*":
                self.in_comment, at = True, at + 2
                continue
            quoted ^= line[at] == '"'
            kept.append(line[at])
            at += 1
        return "".join(kept)


class _AptSyntaxError(Exception):
    """What apt refuses; it reads no further in the file."""


class AptConfigurationReader(Struct):
    """Reads files into one configuration, those read later win."""

    files: HostFiles
    configuration: AptConfiguration = field(default_factory=AptConfiguration)
    seen: int = 0
    """Files read so far; includes may name each other in circles."""

    def read_folder(self, folder: str, *, depth: int = 0) -> None:
        """Read the parts of a folder in the order of their names."""
        for path in self.files.names(folder, lambda name: is_part(name, "", "conf")):
            self.read(path, depth=depth)

    def read(self, path: str, *, depth: int = 0) -> None:
        """Read a file; a mistake in it is noted, and what stands before it counts."""
        self.seen += 1
        scopes: list[str] = []
        number = 0
        try:
            for number, text, end in _Statements().split(self.files.lines(path) or ()):
                self._statement(text, end, scopes, path=path, number=number, depth=depth)
        except _AptSyntaxError as error:
            self.files.note(f"{path}:{number}", f"apt stops reading here: {error}")

    def _statement(
        self, text: str, end: str, scopes: list[str], *, path: str, number: int, depth: int
    ) -> None:
        if text:
            name, value = _name_and_value(text, end)
            if name.startswith("#"):
                self._directive(name[1:], value or "", scopes, depth=depth)
            else:
                full = "::".join((*scopes, name)).lower()
                if name and value is not None and not name.endswith("::"):
                    self.configuration.values[full] = AptValue(text=value, place=f"{path}:{number}")
                if end == "{":
                    scopes.append(name)
                if len(scopes) > MOST_SCOPES:
                    raise _AptSyntaxError("blocks are nested too deep")
        elif end == "{":
            raise _AptSyntaxError("a block has no name")
        if end == "}" and scopes:
            scopes.pop()
        if not end:
            raise _AptSyntaxError("the last statement does not end")

    def _directive(self, name: str, value: str, scopes: list[str], *, depth: int) -> None:
        if scopes:
            raise _AptSyntaxError("a directive stands inside a block")
        if name == "clear":
            self.configuration.clear(value)
        elif name == "include":
            if depth >= MOST_INCLUDES or self.seen > MOST_INCLUDES * MOST_INCLUDES:
                raise _AptSyntaxError("too many files include each other")
            read = self.read_folder if value.endswith("/") else self.read
            read(value, depth=depth + 1)


def read_apt_configuration(files: HostFiles, named: str | None) -> AptConfiguration:
    """Read all of apt's configuration; `named` is the file of the variable APT_CONFIG."""
    reader = AptConfigurationReader(files)
    if named:
        reader.read(named)
    reader.read_folder(reader.configuration.path("Dir::Etc::parts"))
    reader.read(reader.configuration.path("Dir::Etc::main"))
    return reader.configuration


def _name_and_value(text: str, end: str) -> tuple[str, str | None]:
    """Split `Name "value"` and `Name value`; a lone word is a value in a list, or the name of a block."""
    first = _WORD.match(text)
    if first is None:
        raise _AptSyntaxError("a quote does not end")
    rest = text[first.end() :]
    if not rest.strip():
        name = _unquoted(first[1])
        return (name, None) if end == "{" else ("", name)
    quoted = _QUOTED.fullmatch(rest) or _WORD.fullmatch(rest.rstrip())
    if quoted is None:
        raise _AptSyntaxError("there is more after the value")
    return _unquoted(first[1]), _unquoted(quoted[1]).strip()


def _unquoted(word: str) -> str:
    return word.replace('"', "")
