"""What operators write as one word about alerts: URLs, labels, mail addresses, calendar expressions.

Law of the file: each function reads one such word and raises ValueError with the rest of a sentence
that starts with the key. A URL is never repeated: it may be a secret, or hold one.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from egressd.fields.parse import split_host_port
from egressd.planning.placeholder import is_address, is_host

OWN_LABELS = frozenset(
    {
        *(
            "alertname",
            "severity",
            "instance",
            "job",
            "target",
            "source",
            "endpoint",
            "service",
            "host",
            "port",
        ),
        *("protocol", "need", "profiles", "profile", "phase", "reason", "blame", "receiver"),
    }
)
"""Labels that alerts have already: another value would make two alerts of one."""
MAIL_PORTS = {"starttls": 587, "tls": 465, "none": 25}
FACILITIES = {
    name: number
    for number, name in enumerate(
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"]
        + [""] * 4
        + [f"local{number}" for number in range(8)]
    )
    if name
}
"""Names of syslog's facilities and their numbers (RFC 5424, 6.2.1)."""
REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)
"""From here a schedule is tried: a file is right or wrong whatever day it is."""
LONGEST_SCHEDULE = 100

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@([^@]+)")


def read_url(text: str) -> str:
    """Check an `http://` or `https://` URL; it stays as it is written."""
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise ValueError("must be a URL such as https://hooks.corp.example/egressd") from None
    if problem := _problem(text, url, host):
        raise ValueError(problem)
    return text


def read_base_url(text: str) -> str:
    """Check a URL that more is appended to; a slash at the end is taken off."""
    url = urlsplit(read_url(text))
    if url.query or text.endswith("?"):
        raise ValueError("must have no query: a path is appended to it")
    return text.rstrip("/")


def is_exposed(url: str) -> bool:
    """Say whether what is sent to a URL can be read on the way: plain HTTP that leaves this host."""
    found = urlsplit(url)
    return found.scheme == "http" and not is_loopback(found.hostname or "")


def is_loopback(host: str) -> bool:
    """Say whether a host is this one."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def _problem(text: str, url: SplitResult, host: str) -> str:
    if "@" in url.netloc:
        return "must not hold a user name or password; use username and password_file"
    if url.scheme not in {"http", "https"}:
        return "must start with http:// or https://"
    if not is_host(host):
        return "must name a host, as in https://hooks.corp.example/egressd"
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return "must hold no spaces and nothing but ASCII; write the rest as %XX"
    return "must have no fragment (#...)" if "#" in text else ""


def read_label_name(text: str) -> str:
    """Check the name of a label, by Prometheus' rules."""
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", text) or len(text) > 64:
        raise ValueError("must be a label's name: up to 64 letters, digits and _, and no digit first")
    if text.startswith("__"):
        raise ValueError("must not start with __: such labels are Prometheus' own")
    if text in OWN_LABELS:
        hint = f"; set alerts.{text}" if text in {"job", "instance"} else ""
        raise ValueError(f"is a label that alerts have already{hint}")
    return text


def read_line(text: str) -> str:
    """Check a text of one line, of 1 to 200 characters."""
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise ValueError("must be one line of 1 to 200 characters")
    return text


def read_glob(text: str) -> str:
    """Check a pattern, where `*` stands for anything."""
    if not text or len(text) > 200 or not text.isprintable() or " " in text:
        raise ValueError("must be a pattern of 1 to 200 characters without spaces, where * is anything")
    return text


def read_mail_address(text: str) -> str:
    """Check one mail address, without a name for people."""
    found = _MAIL.fullmatch(text)
    if found is None or len(text) > 254 or not is_host(found[2].lower()):
        raise ValueError("must be one mail address, such as egressd@corp.example")
    return text


def read_mail_server(text: str) -> tuple[str, int | None]:
    """Read `host`, `host:port` or `[v6]:port`."""
    try:
        host, port = split_host_port(text, default=0)
    except ValueError:
        host, port = "", 0
    if not host or not is_host(host.lower()):
        raise ValueError(f"must be a mail server as host or host:port, not {text[:60]!r}")
    return host.lower(), port or None


def read_syslog_address(text: str) -> tuple[str, str, int]:
    """Read `/dev/log`, `udp://host:port` or `tcp://host:port` as transport, place and port."""
    if text.startswith("/") and "\0" not in text:
        return "unix", text, 0
    transport, separator, place = text.partition("://")
    if not separator or transport not in {"udp", "tcp"}:
        raise ValueError('must be the path of a socket, "udp://host:port" or "tcp://host:port"')
    try:
        host, port = split_host_port(place, default=514)
    except ValueError as error:
        raise ValueError(str(error)) from None
    if not is_host(host.lower()):
        raise ValueError("must name a host or an address after ://")
    return transport, host.lower(), port


def read_schedule(text: str) -> str:
    """Check five fields of cron."""
    wanted = 'must be five fields of cron, such as "0 2 * * SAT"'
    if len(text) > LONGEST_SCHEDULE or len(text.split()) != 5:
        raise ValueError(f"{wanted} (minute, hour, day of month, month, day of week)")
    try:
        next(CronSim(text, REFERENCE))
    except CronSimError as error:
        why = str(error).removeprefix("Bad ")
        raise ValueError(f"{wanted}; the {why} can't be right") from None
    except StopIteration:
        raise ValueError(f"{wanted}; no day is ever like this one") from None
    return " ".join(text.split())


def read_timezone(text: str) -> str:
    """Check the name of a time zone."""
    try:
        ZoneInfo(text)
    except (LookupError, ValueError, OSError):
        near = difflib.get_close_matches(text, sorted(available_timezones()), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"must be a time zone such as Europe/Berlin, not {text[:60]!r}{hint}") from None
    return text
