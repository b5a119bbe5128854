"""Strategies for values of the model that are well-typed and otherwise as a hostile peer would like them."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from datetime import UTC
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union

from hypothesis import strategies as st
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, replace

from egressd.model.observation import Observation, Phase
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
from egressd.wording import stamp
from tests.attribution.recordings import ADDRESS, HOST, NOW, RESOLVER, SECOND, SOURCE

BAD_TEXTS = (
    "",
    " ",
    "\0",
    "\x1b[31mred\x1b]0;title\x07",
    "line\r\nSet-Cookie: x=1\n\n---\n# heading",
    "\u202egpj.exe\u200b\ufeff",
    "[bold red]markup[/] [/nothing]",
    "{} {0} {phase} %s %(x)s ${HOME} {{7*7}}",
    "</td><script>alert('x')</script><!-- ]]> &amp;",
    '",=1+1,"',
    "=cmd|' /C calc'!A0",
    '"\\"} 1\negressd_target_up 0',
    "|" * 40,
    "`*_~#",
    "日本語\U0001f525\u0301" * 20,
    "a" * 3000,
    "-1",
    "NaN",
    "1e999",
    "None",
    "::ffff:203.0.113.9%eth0",
    "[::1",
    "http://[::1",
    "http://proxy.example:99999",
    "https://user:password@host/%ff?#",
    "0001-01-01T00:00:00.000Z",
    "9" * 400,
)
GOOD_TEXTS = (
    ADDRESS,
    HOST,
    RESOLVER,
    SECOND,
    SOURCE,
    "direct",
    "system",
    "h2",
    "xn--nxasmq6b",
    "2001:db8::1",
)
TEXTS = st.one_of(
    st.sampled_from(BAD_TEXTS),
    st.sampled_from(GOOD_TEXTS),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
NUMBERS = st.one_of(
    st.sampled_from((0, 1, -1, 53, 80, 443, 517, 65535, 65536, 2**31, 2**63, -(2**63) - 1, 10**400)),
    st.integers(),
)
FLOATS = st.one_of(
    st.sampled_from((0.0, -1.0, 0.5, 8000.0, 1e18, 1e308, -1e308, 5e-324)),
    st.floats(allow_nan=False, allow_infinity=False),
)
"""Durations and offsets; JSON has no others."""
MOMENTS = st.one_of(
    st.just(NOW),
    st.datetimes(timezones=st.just(UTC)).map(stamp),
    st.sampled_from(("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "1969-12-31T23:59:59.000Z")),
)
Place = tuple[tuple[str | int, ...], Any]
"""Where a value stands, by fields and numbers, and its type."""
HEADER_NAMES = (
    "age", "cache-control", "content-length", "content-range", "content-type", "date", "location",
    "retry-after", "proxy-authenticate", "server", "set-cookie", "via", "www-authenticate", "x-cache",
    "x-squid-error",
)  # fmt: skip
HEADER_VALUES = (
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 1 Jan 0001 00:00:00 +9999",
    "0 0 0",
    "max-age=99999999999999999999, s-maxage=1",
    "max-age=" + "9" * 12,
    "bytes 0-0/*",
    "Basic realm=",
    "text/html; charset=\x00",
    "https://[v6/",
    "//host:port/path",
)
ADDRESSES = ("10.0.0.1", "127.0.0.1", "0.0.0.0", "198.18.0.1", "100.64.0.1", "203.0.113.9", "fe80::1", "::")
_LIKELY = {
    "address": ADDRESSES,
    "answers": ADDRESSES,
    "offender": ADDRESSES,
    "remote_address": ADDRESSES,
    "rcode": ("NXDOMAIN", "SERVFAIL", "REFUSED", "NOTIMP", "YXDOMAIN"),
    "version": ("TLSv1.2", "TLSv1.3", "1.1", "2"),
    "issuer": ("CN=Corp CA,O=Zscaler Inc.", "CN=Public CA", ","),
    "status": (100, 200, 302, 403, 407, 500, 511, 999),
    "verify_code": (0, 2, 10, 18, 19, 20, 21, 62),
    "description": (0, 40, 48, 70, 80, 112, 116, 255),
    "errno": (1, 13, 24, 101, 104, 110, 111, 113),
    "type": (3, 11, 1),
    "code": (1, 3, 9, 10, 13, 15, 17),
}
"""What rules look for, by field; it is drawn as often as anything else."""
_TIMES = frozenset({"started", "finished", "not_before", "not_after"})


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for every value of a type."""
    if kind is float:
        return FLOATS
    if kind is int:
        return NUMBERS
    if kind is str:
        return TEXTS
    if kind is bool:
        return st.booleans()
    if kind in (None, NoneType):
        return st.none()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return records(kind)
    return _generic(kind)


def _generic(kind: Any) -> st.SearchStrategy[Any]:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, UnionType):
        return st.one_of(*(values(part) for part in parts))
    if origin is tuple and parts[1:] == (...,):
        return st.lists(values(parts[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(part) for part in parts))
    raise TypeError(f"no strategy for {kind}")


def records(kind: type, **chosen: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a structure: any value in each field; those with a default often have it."""
    hints = typing.get_type_hints(kind)
    strategies: dict[str, st.SearchStrategy[Any]] = {}
    for one in fields(kind):
        strategy = chosen[one.name] if one.name in chosen else _field(one.name, hints[one.name])
        if one.default is not NODEFAULT and one.name not in chosen:
            strategy = st.just(one.default) | strategy
        strategies[one.name] = strategy
    return st.builds(kind, **strategies)


def _field(name: str, kind: Any) -> st.SearchStrategy[Any]:
    if name == "key":
        return values(kind).filter(lambda key: key != "")  # how 0.1.0 wrote that a certificate can't be read
    if name in _TIMES:
        return st.none() | MOMENTS if NoneType in typing.get_args(kind) else MOMENTS
    if name == "headers":
        return st.lists(st.tuples(st.sampled_from(HEADER_NAMES) | TEXTS, _HEADER_VALUE), max_size=4).map(
            tuple
        )
    if name in _LIKELY and typing.get_origin(kind) is not Literal:
        likely = st.sampled_from(_LIKELY[name])
        plain = likely.map(lambda one: (one,)) if typing.get_origin(kind) is tuple else likely
        return plain | values(kind)
    return values(kind)


_HEADER_VALUE = st.sampled_from(HEADER_VALUES) | TEXTS
OBSERVATIONS: st.SearchStrategy[Observation] = values(Observation)
TRAILS: st.SearchStrategy[Trail] = records(
    Trail,
    source=st.just(SOURCE),
    observations=st.lists(OBSERVATIONS, max_size=5)
    .map(lambda seen: sorted(seen, key=lambda one: list(Phase).index(one.phase)))
    .map(tuple),
)
KINDS = st.sampled_from(ControlKind)


@st.composite
def mutated(draw: st.DrawFn, whole: Any) -> Any:
    """Return a structure with up to four values of its observations exchanged for others."""
    places = list(_places(whole))
    for _ in range(draw(st.integers(1, 4)) if places else 0):
        path, kind = draw(st.sampled_from(places))
        try:
            whole = _with(whole, path, draw(_field(str(path[-1]), kind)))
        except (AttributeError, IndexError, TypeError):
            continue  # an earlier exchange has taken the place away
    return whole


def _places(value: Any, path: tuple[str | int, ...] = (), *, inside: bool = False) -> Iterator[Place]:
    """Yield the path and type of every value of the observations in a value."""
    if isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from _places(one, (*path, number), inside=inside)
    elif isinstance(value, Struct):
        within = inside or isinstance(value, typing.get_args(Observation))
        hints = typing.get_type_hints(type(value)) if within else {}
        for name in value.__struct_fields__:
            if within:
                yield (*path, name), hints[name]
            yield from _places(getattr(value, name), (*path, name), inside=within)


def _with(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """Return a value with another one at a path."""
    if not path:
        return new
    head, *rest = path
    if isinstance(head, int):
        return (*value[:head], _with(value[head], tuple(rest), new), *value[head + 1 :])
    return replace(value, **{head: _with(getattr(value, head), tuple(rest), new)})
