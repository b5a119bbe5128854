"""What a device's language can say of a name, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from msgspec import Struct

from egressd.firewall.document import RuleSet


class Depth(StrEnum):
    """How many labels a device's form of a leading `*` covers."""

    NONE = "none"
    """It has no wildcards."""
    ONE = "one label"
    ANY = "any depth"
    AS_ASKED = "one label or any depth"
    """It has a form for each."""
    UNKNOWN = "not documented"


class Wildcards(Struct, frozen=True, kw_only=True):
    """The names that a device can say."""

    exact: bool = True
    """Whether a plain host is that host alone, without the names below it."""
    depth: Depth
    apex: bool | None
    """Whether the form for `*.x` covers `x` as well; None: not documented."""
    inside_label: bool
    """Whether a `*` can be a part of a label, as in `azgn*.x`."""
    leading_part: bool = False
    """Whether a `*` that begins the name can be a part of a label, as in `*gn.x`; it then has any depth."""
    matched_on: str
    """What the device compares: `SNI or Host`, `DNS answers`, ..."""


class Language(Struct, frozen=True, kw_only=True):
    """One output of `egressd rules`."""

    name: str
    title: str
    suffix: str
    """That of its files, with the dot."""
    comment: str
    """What begins a comment line; empty: the language has none."""
    wildcards: Wildcards
    document: str
    """The vendor's document that the forms are taken from, with version or date; empty: our own format."""
    tried: str
    """The programs that its output was run with; empty: it was not tried on a device."""
    render: Callable[[RuleSet], str]
    remarks: tuple[str, ...] = ()
    """What one must know before pasting; they stand above the rules."""
    notes: Callable[[RuleSet], Iterable[str]] = lambda _: ()
    """What a text without comments can't say itself: what it allows besides, and what it lacks."""
