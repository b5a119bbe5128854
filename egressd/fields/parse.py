"""Parsers of single values: durations, resolvers, URLs, addresses.

Each raises ValueError with the rest of a sentence that starts with the key: "must be ...".
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from egressd.destination import DEFAULT_PORTS
from egressd.model.settings import ARC_GATEWAY_DOMAIN, SYSTEM_RESOLVER, Resolver
from egressd.planning.placeholder import PLACEHOLDER, RESOLVER, is_address, is_host
from egressd.wording import host_port

_UNITS = (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001))
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit, _ in _UNITS))
LONGEST_SITE = 100
_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_ARC_GATEWAY = f"https://contoso.{ARC_GATEWAY_DOMAIN}"
_ARC_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def parse_duration(text: object) -> float:
    """Read `500ms`, `60s`, `5m`, `2h`, `90d` or `1m30s` as seconds."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if found is None:
        shown = f", not {text!r}" if isinstance(text, str | int | float) and len(repr(text)) <= 40 else ""
        raise ValueError(f"must be a duration such as 500ms, 60s, 5m, 2h or 90d{shown}")
    seconds = sum(int(part) * scale for part, (_, scale) in zip(found.groups(), _UNITS, strict=True) if part)
    if seconds <= 0:
        raise ValueError("must be longer than 0s")
    return seconds


def parse_moment(text: str, *, now: datetime) -> datetime:
    """Read a duration ago, or a time in UTC; a time of day alone is the last one that has passed."""
    with suppress(ValueError, OverflowError):
        return now - timedelta(seconds=parse_duration(text))
    if _TIME_OF_DAY.fullmatch(text):
        hour, minute, second = (int(one) for one in (text + ":0").split(":")[:3])
        found = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return found if found <= now else found - timedelta(days=1)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        examples = "2h, or a UTC time such as 03:10 or 2026-11-20T03:10"
        raise ValueError(f"must be a duration such as {examples}, not {text[:60]!r}") from None
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:  # the first and the last day of datetime, in another time zone
        raise ValueError(f"is out of range: {text!r}") from None


def config_duration(seconds: float) -> str:
    """Format seconds as `parse_duration` reads them: `90` as `90s`, `86400` as `1d`."""
    for unit, scale in _UNITS:
        count = round(seconds / scale, 6)
        if count >= 1 and count == int(count) and (count < 100 or unit in {"s", "ms"} or scale == 86400.0):
            return f"{int(count)}{unit}"
    return f"{seconds}s"


def normalize_address(text: str) -> str:
    """Return an IP address in its usual form; it must have no zone."""
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"must be an IP address, not {text[:60]!r}") from None
    if getattr(address, "scope_id", None):
        raise ValueError("must be an IP address without a zone (%...)")
    return str(address)


def parse_site(text: str) -> str:
    """Check the name of a site: one printable line, for it is a label's value and stands in headings."""
    if not 1 <= len(text) <= LONGEST_SITE or not text.isprintable() or text != text.strip():
        raise ValueError(
            f"must be 1 to {LONGEST_SITE} printable characters, without blanks at its ends, "
            f"not {text[:LONGEST_SITE]!r}"
        )
    return text


def parse_interface(text: str) -> str:
    """Check that a text can be the name of a network interface."""
    if not 1 <= len(text.encode()) <= 15 or "/" in text or not text.isprintable() or " " in text:
        raise ValueError("must be the name of a network interface, such as eth0")
    return text


def split_host_port(text: str, *, default: int | None = None) -> tuple[str, int]:
    """Split `host:port` and `[v6]:port`; a bare IPv6 address has no port."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("must be written as [address]:port")
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not port and default is not None and not text.endswith(":"):
        return host, default
    return host, _port(port)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError("must end in a port from 1 to 65535")
    return int(text)


def parse_resolver(text: str) -> Resolver:
    """Read `system`, `IP`, `IP:port` or `[v6]:port`."""
    if text == SYSTEM_RESOLVER:
        return Resolver(name=text)
    try:
        host, port = split_host_port(text, default=53)
        return Resolver(name=text, address=normalize_address(host), port=port)
    except ValueError:
        raise ValueError(
            f'must be system, or an address as IP, IP:port or "[v6]:port", not {text[:60]!r}'
        ) from None


def parse_listen(text: str) -> str:
    """Check `IP:port`, `[v6]:port` or `:port`."""
    try:
        host, _ = split_host_port(text)
        if host:
            normalize_address(host)
    except ValueError:
        raise ValueError("must be IP:port, [v6]:port or :port, such as 127.0.0.1:10980") from None
    return text


def parse_proxy_url(text: str) -> str:
    """Read `scheme://host:port`. The message never repeats it: there may be a password in it."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise ValueError("must be a URL such as http://proxy.corp.example:3128") from None
    if problem := _proxy_problem(url, host):
        raise ValueError(problem)
    return f"{url.scheme}://{host_port(host, port or DEFAULT_PORTS[url.scheme])}"


def _proxy_problem(url: SplitResult, host: str) -> str:
    if "@" in url.netloc:
        return "must not hold a user name or password; use username and password_file"
    if url.scheme not in DEFAULT_PORTS:
        return "must start with http:// or https://"
    if not is_host(host):
        return "must name a host, as in http://proxy.corp.example:3128"
    if url.path not in {"", "/"} or url.query or url.fragment:
        return "must end after the port"
    return ""


def parse_arc_gateway(text: str) -> str:
    """Read the URL or the prefix of an Azure Arc gateway; return the prefix, in lower case.

    The message never repeats it: there may be a password in it.
    """
    bare = "://" not in text and "." not in text
    try:
        url = urlsplit(
            f"https://{text}.{ARC_GATEWAY_DOMAIN}" if bare else text if "://" in text else f"https://{text}"
        )
        host, port = (url.hostname or "").removesuffix("."), url.port
    except ValueError:
        raise ValueError(f"must be a URL such as {_ARC_GATEWAY}") from None
    if "@" in url.netloc:
        raise ValueError(f"must not hold a user name or password; write it as {_ARC_GATEWAY}")
    prefix, _, domain = host.partition(".")
    if domain != ARC_GATEWAY_DOMAIN or not _ARC_PREFIX.fullmatch(prefix) or not text.isprintable():
        raise ValueError(f"must be a URL below {ARC_GATEWAY_DOMAIN}, such as {_ARC_GATEWAY}")
    if url.scheme != "https" or port not in (None, 443):
        raise ValueError(f"must be reached by https on port 443, as in {_ARC_GATEWAY}")
    if url.path not in {"", "/"} or "?" in text or "#" in text:
        raise ValueError(f"must end after the host, as in {_ARC_GATEWAY}")
    return prefix


def parse_network(text: str) -> str:
    """Check a network in CIDR notation."""
    try:
        ip_network(text)
    except ValueError:
        raise ValueError(f"must be a network such as 10.0.0.0/8, not {text[:60]!r}") from None
    return text


def parse_bypass(text: str) -> str:
    """Check an entry of the bypass list: a name, `.suffix`, `*.suffix`, an address, a network, or `*`."""
    if "/" in text:
        return parse_network(text)
    host = text if text.count(":") != 1 and not text.startswith("[") else split_host_port(text)[0]
    if host != "*" and not is_host(host.lower().removeprefix("*").removeprefix(".")):
        raise ValueError(f"must be a host, .suffix, address or network, not {text[:60]!r}")
    return text


def parse_host(text: str) -> str:
    """Read a host name or an IP address, in lower case and without the root's dot."""
    host = text.lower().removesuffix(".")
    if not host or not is_host(host):
        raise ValueError(f"must be a host name or an IP address, not {text[:60]!r}")
    return host


def parse_pattern(text: str) -> str:
    """Read a host with `*` or a placeholder in it: `*.corp.example`, `azgn*.corp`, `{vault}.corp.example`."""
    pattern = text.lower().removesuffix(".")
    if "*" not in pattern and not PLACEHOLDER.search(pattern):
        raise ValueError("must have a * or a {placeholder} in it; for a single host use host")
    plain = PLACEHOLDER.sub("x", pattern)
    first, dot, _ = plain.partition(".")
    stars = plain.count("*")
    if stars > 1 or (stars and ("*" not in first or not dot)) or not is_host(plain.replace("*", "x")):
        raise ValueError(
            "must be a host name with one * in its first label, such as *.corp.example, or {placeholders}"
        )
    if RESOLVER in pattern and pattern != RESOLVER:
        raise ValueError(f"{RESOLVER} must be the whole pattern")
    return pattern


def parse_match(text: str) -> str:
    """Check `host:port` where either may be or hold `*`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not re.fullmatch(r"[0-9*]{1,5}", port):
        raise ValueError('must be host:port, where * stands for anything, such as "*:443"')
    return text


def parse_url(text: str) -> str:
    """Check an `http://` or `https://` URL; it stays as it is written."""
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise ValueError("must be a URL such as https://hooks.corp.example/egressd") from None
    if problem := _url_problem(text, url, host):
        raise ValueError(problem)
    return text


def parse_base_url(text: str) -> str:
    """Check a URL that more is appended to; a slash at the end is taken off."""
    url = urlsplit(parse_url(text))
    if url.query or text.endswith("?"):
        raise ValueError("must have no query: a path is appended to it")
    return text.rstrip("/")


def is_exposed(url: str) -> bool:
    """Return whether what is sent to a URL can be read on the way: plain HTTP that leaves this host."""
    found = urlsplit(url)
    return found.scheme == "http" and not is_loopback_host(found.hostname or "")


def is_loopback_host(host: str) -> bool:
    """Return whether a host is this one."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def _url_problem(text: str, url: SplitResult, host: str) -> str:
    if "@" in url.netloc:
        return "must not hold a user name or password; use username and password_file"
    if url.scheme not in {"http", "https"}:
        return "must start with http:// or https://"
    if not is_host(host):
        return "must name a host, as in https://hooks.corp.example/egressd"
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return "must hold no spaces and nothing but ASCII; write the rest as %XX"
    return "must have no fragment (#...)" if "#" in text else ""
