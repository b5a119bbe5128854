"""Sources of apt, from one-line files and from deb822 files (sources.list(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from egressd.repositories.apt.filename import is_part
from egressd.repositories.files import HostFiles

TYPES = ("deb", "deb-src")
NO_WORDS = ("no", "false", "without", "off", "disable", "0")
"""What apt reads as no."""
_PLAIN = re.compile(r'[^\s"\[]+')
_OPTIONS = re.compile(r"\[[^\]]*\]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)


class AptSource(Struct, frozen=True, kw_only=True):
    """An address and a suite."""

    uri: str
    """With a slash at its end."""
    suite: str
    place: str


class _MalformedSourceError(Exception):
    """What apt refuses."""


def read_sources(files: HostFiles, main: str, parts: str, *, architecture: str) -> Iterator[AptSource]:
    """Yield the enabled sources of the main file and of the folder, in apt's order."""
    named = (main, *files.names(parts, lambda name: is_part(name, "list", "sources")))
    for path in named:
        lines = files.lines(path)
        if lines is not None:
            read = _deb822 if path.endswith(".sources") else _one_line
            yield from read(files, path, lines, architecture)


def _one_line(files: HostFiles, path: str, lines: tuple[str, ...], architecture: str) -> Iterator[AptSource]:
    for number, line in enumerate(lines, 1):
        text = _without_comment(line).strip()
        place = f"{path}:{number}"
        if not text:
            continue
        try:
            uri, suite = _parse_line(text)
            yield _source(uri, suite, place, architecture)
        except _MalformedSourceError as error:
            files.note(place, f"apt can't read it: {error}")


def _without_comment(line: str) -> str:
    """Cut a line at the first `#` that is not in brackets."""
    depth = 0
    for at, one in enumerate(line):
        depth += (one == "[") - (one == "]")
        if one == "#" and depth <= 0:
            return line[:at]
    return line


def _parse_line(text: str) -> tuple[str, str]:
    kind, *more = text.split(maxsplit=1)
    if kind not in TYPES:
        raise _MalformedSourceError("it starts with neither deb nor deb-src")
    rest = more[0] if more else ""
    if rest.startswith("["):
        options = _OPTIONS.match(rest)
        if options is None:
            raise _MalformedSourceError("its options do not end with ]")
        rest = rest[options.end() :]
    words = list(_words(rest))
    if len(words) < 2:
        raise _MalformedSourceError("it has no suite" if words else "it has no address")
    uri, suite, *components = (_unquoted(word) for word in words)
    _check_components(suite, components)
    return uri, suite


def _words(text: str) -> Iterator[str]:
    """Yield the words of a line; spaces in quotes and brackets are part of a word."""
    start = at = 0
    while at < len(text):
        if text[at] in '"[':
            end = text.find('"' if text[at] == '"' else "]", at + 1)
            if end < 0:
                raise _MalformedSourceError("a quote or a bracket does not end")
            at = end + 1
        elif plain := _PLAIN.match(text, at):
            at = plain.end()
        else:
            if start < at:
                yield text[start:at]
            at += 1
            start = at
    if start < at:
        yield text[start:at]


def _check_components(suite: str, components: list[str]) -> None:
    if suite.endswith("/") and components:
        raise _MalformedSourceError("a suite that is a path has no components")
    if not suite.endswith("/") and not components:
        raise _MalformedSourceError("it has no component")


def _source(uri: str, suite: str, place: str, architecture: str) -> AptSource:
    if ":" not in uri:
        raise _MalformedSourceError("its address is no URL")
    uri, suite = (text.replace("$(ARCH)", architecture) for text in (uri, suite))
    return AptSource(uri=uri if uri.endswith("/") else f"{uri}/", suite=suite, place=place)


def _unquoted(word: str) -> str:
    """Take off quotes, and undo `%xx`, as apt does with the words of a line."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), word.replace('"', ""))


Stanza = dict[str, list[tuple[int, str]]]
"""The words of each field, with their lines; names are in lower case."""


def _deb822(files: HostFiles, path: str, lines: tuple[str, ...], architecture: str) -> Iterator[AptSource]:
    for start, stanza in _stanzas(files, path, lines):
        try:
            yield from _of_stanza(stanza, path, architecture)
        except _MalformedSourceError as error:
            files.note(f"{path}:{start}", f"apt can't read this stanza: {error}")


def _of_stanza(stanza: Stanza, path: str, architecture: str) -> Iterator[AptSource]:
    fields = {name: [word for _, word in words] for name, words in stanza.items()}
    if " ".join(fields.get("enabled", ())).lower() in NO_WORDS:
        return
    types, suites = fields.get("types", []), fields.get("suites", [])
    if not types or not set(types) <= set(TYPES):
        raise _MalformedSourceError("its Types are not deb or deb-src")
    if not stanza.get("uris") or not suites:
        raise _MalformedSourceError("it has no Suites" if stanza.get("uris") else "it has no URIs")
    for number, uri in stanza["uris"]:
        for suite in suites:
            _check_components(suite, fields.get("components", []))
            yield _source(uri, suite, f"{path}:{number}", architecture)


def _stanzas(files: HostFiles, path: str, lines: tuple[str, ...]) -> Iterator[tuple[int, Stanza]]:
    """Yield the first line and the fields of each stanza."""
    stanza: Stanza = {}
    name, start = "", 1
    for number, line in enumerate((*lines, ""), 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield start, stanza
            stanza, name = {}, ""
        elif line[0] in " \t" and name:
            stanza[name] += [(number, word) for word in line.split()]
        elif found := _FIELD.fullmatch(line):
            start = start if stanza else number
            name = found[1].lower()
            stanza[name] = [(number, word) for word in found[2].split()]
        else:
            files.note(f"{path}:{number}", "apt can't read it: it is no field")
