"""Hosts as documents write them: with schemes, ports, paths, placeholders and escapes."""

from __future__ import annotations

import html
import re

from msgspec import Struct

from egressd.planning.placeholder import PLACEHOLDER, is_address, is_host

LONGEST = 2000
"""Characters of a cell or a line that are looked at for hosts."""

_SCHEME = re.compile(r"(https?|wss?|tcp|udp|ntp|tls)://", re.IGNORECASE)
_BOTH = re.compile(r"http\(s\)://|https?/https?://|http\[s\]://", re.IGNORECASE)
_USUAL = {"https": "443", "wss": "443", "http": "80", "ws": "80", "ntp": "123"}
_TAGS = (
    "a|abbr|b|br|code|del|details|div|em|i|img|kbd|li|ol|p|pre|s|span|strong|sub|summary|sup|td|th|tr|u|ul"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BREAK = re.compile(r"</?(?:br|p|li|div)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_SUPERSCRIPT = re.compile(r"<(su[pb])\b[^<>]{0,200}>[^<>]{0,200}</\1>|\[\^[^\]]{1,40}\]", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ANGLE = re.compile(r"<(?:(https?://[^<>\s]{1,500})|([A-Za-z][^<>|`\n/]{0,60}))>")
_BRACKET = re.compile(
    r"\$\(([A-Za-z]\w{0,60})\)|\$?\{([A-Za-z][\w -]{0,60})\}"
    r"|(?<![\])\w])\[([A-Za-z][\w -]{0,60})\](?=[.-]\w)"
)
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\(([^()\s]{0,1000})[^()]{0,200}\)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!:<>|~/])")
_YOURS = re.compile(
    r"your[a-z0-9-]*(?:account|domain|endpoint|endpointid|gateway|id|name|prefix|region|server|storage|tenant|vault)"
)
_REGION = {
    "region",
    "azure_region",
    "location",
    "region_name",
    "regionname",
    "your_region",
    "region_short_name",
}
_LABEL = re.compile(r"(?:[a-z0-9_*-]|\{[a-z][a-z0-9_]*\})+")
_FILES = frozenset(
    re.split(
        r"\s+",
        "bat cab cfg cmd conf config crt csv dll exe gz ini iso js json log md msi msu pem ps1 psd1 psm1 py "
        "rpm service sh socket sys tar toml txt vhd vhdx xml yaml yml zip",
    )
)
_ZONES = frozenset(
    re.split(
        r"\s+",
        "app arpa azure biz cloud com corp dev edu example gov home info internal int lan local localdomain "
        "mil ms net org private svc test",
    )
)


class WrittenHost(Struct, frozen=True, kw_only=True):
    """A host, and what is written around it."""

    pattern: str
    text: str
    schemes: tuple[str, ...] = ()
    port: str | None = None
    path: str | None = None

    @property
    def ports(self) -> tuple[str, ...]:
        """The port that is written, or those that the schemes stand for."""
        if self.port is not None:
            return (self.port,)
        return tuple(dict.fromkeys(_USUAL[one] for one in self.schemes if one in _USUAL))


def text_of_cell(text: str) -> str:
    """Return a cell as people read it: on one line, without markup, control characters or logins."""
    text = _LINK.sub(r"\1", _SUPERSCRIPT.sub("", _COMMENT.sub("", text[:LONGEST])))
    text = html.unescape(_TAG.sub(" ", _BREAK.sub(" ", text)))
    text = _ESCAPED.sub(r"\1", re.sub(r"\*\*|__|`", "", text))
    return one_line(text)


def one_line(text: str) -> str:
    """Return text without characters that a terminal would obey, and without a login in a URL."""
    text = "".join(one if one.isprintable() else " " for one in text)
    text = re.sub(r"://[^/@\s]{1,200}@", "://", text)
    return " ".join(text.split())


def split_cell(text: str) -> list[str]:
    """Split a cell at breaks, commas and spaces; a placeholder stays in one piece."""
    text = text[:LONGEST]
    text = _SUPERSCRIPT.sub("", _COMMENT.sub("", text))
    text = html.unescape(_LINK.sub(_linked, text))
    text = _TAG.sub(" ", _BREAK.sub("\n", text))
    text = placeholders_named(_ESCAPED.sub(r"\1", text))
    text = re.sub(r"\*\*(?!\.)|`|\u00a0|[\"\u201c\u201d]", " ", text)
    return [one for one in re.split(r"[\s,;|]+", text) if one]


def _linked(link: re.Match[str]) -> str:
    """Return the text of a link, and its address after it if only that is a host."""
    if read_host(link[1].strip("` ")) is not None:
        return link[1]
    return f"{link[1]} {link[2]}" if _SCHEME.match(link[2]) else link[1]


def placeholders_named(text: str) -> str:
    """Write `<region>`, `[region]`, `${region}` and the like as `{region}`."""
    text = _ANGLE.sub(lambda found: found[1] or _named(found[2]), text)
    return _BRACKET.sub(lambda found: _named(found[1] or found[2] or found[3]), text)


def _named(words: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:64]
    if not re.match(r"[a-z]", name):
        return f"<{words}>"
    return "{region}" if name in _REGION else f"{{{name}}}"


def placeholder_of(prose: str) -> str | None:
    """Return a placeholder for what words describe: `URL of WinRM` is `{url_of_winrm}`; None for no words."""
    name = re.sub(r"[^a-z0-9]+", "_", prose.lower()).strip("_")[:48].strip("_")
    return f"{{{name}}}" if re.match(r"[a-z]", name) else None


def read_host(text: str, *, bare: bool = False) -> WrittenHost | None:
    """Read one host, `host:port`, URL or wildcard; None if it is none of these.

    With `bare`, a name of one label counts, too.
    """
    written = one_line(text)
    text = placeholders_named(_ESCAPED.sub(r"\1", html.unescape(written.strip("`'\"() "))))
    text = text.strip("()'\"* " if text.startswith("**") else "()'\" ").rstrip(".,;:")
    schemes, rest = _schemes(text)
    rest = rest.rpartition("@")[2] if schemes and "@" in rest.partition("/")[0] else rest
    place, slash, path = rest.partition("/")
    host, port = _split_port(place)
    host = _placeholder_label(host.lower().removesuffix("."))
    if is_address(host) and slash and path.isdecimal():
        return None  # a network
    if not _is_pattern(host, bare=bare or bool(schemes)):
        return None
    asked = path.partition("?")[0].partition("#")[0]
    known = slash and asked and not re.search(r"[^!-~]|[<>{}*]", asked)
    return WrittenHost(
        pattern=host, text=written, schemes=schemes, port=port, path=f"/{asked}" if known else None
    )


def reads_as_host(text: str) -> bool:
    """Whether a word in running text is surely meant as a host: a URL, a wildcard, or in a known zone.

    `Microsoft.Compute` and `setup.exe` are not.
    """
    found = read_host(text)
    if found is None:
        return False
    if found.schemes or found.pattern.startswith("*."):
        return True
    zone = found.pattern.rpartition(".")[2]
    return zone in _ZONES or (len(zone) == 2 and zone not in _FILES) or "xn--" in zone


def _schemes(text: str) -> tuple[tuple[str, ...], str]:
    if found := _BOTH.match(text):
        return ("http", "https"), text[found.end() :]
    if found := _SCHEME.match(text):
        return (found[1].lower(),), text[found.end() :]
    return (), text


def _split_port(place: str) -> tuple[str, str | None]:
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return host, port.removeprefix(":") or None
    host, colon, port = place.rpartition(":")
    if not colon or ":" in host:
        return place, None
    if port.isdecimal() and port.isascii() and 0 < int(port) < 65536:
        return host, str(int(port))
    return (host, None) if not port or PLACEHOLDER.fullmatch(port) or port == "*" else (place, None)


def _placeholder_label(host: str) -> str:
    """Read the label that a list prints for a name of the reader's own as a placeholder."""
    first, dot, rest = host.partition(".")
    if rest.count(".") and _YOURS.fullmatch(first):
        return f"{{{first.replace('-', '_')}}}{dot}{rest}"
    return host


def _is_pattern(host: str, *, bare: bool) -> bool:
    if is_address(host):
        return True
    if not host.isascii():
        return False
    labels = host.split(".")
    if not all(_LABEL.fullmatch(one) for one in labels) or len(host) > 253:
        return False
    whole = PLACEHOLDER.fullmatch(host) is not None
    plain = PLACEHOLDER.sub("x", host).replace("*", "x")
    if host == "*" or not is_host(plain):
        return False
    if len(labels) == 1:
        return whole or (bare and bool(re.search(r"[a-z]", host)))
    last = PLACEHOLDER.sub("x", labels[-1])
    return re.fullmatch(r"[a-z][a-z0-9-]*", last) is not None
