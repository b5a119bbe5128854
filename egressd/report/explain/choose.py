"""Which reason codes and blame words are meant: by name, by glob, or nearly."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec import Struct

from egressd.attribution.reasons import REASONS, Reason, find_reason
from egressd.errors import UsageError
from egressd.model.verdict import Blame
from egressd.wording import either_of

MOST_SUGGESTED = 5


class Explained(Struct, frozen=True, kw_only=True):
    """What is to be explained, each once, in the order it was asked for."""

    reasons: tuple[Reason, ...] = ()
    blames: tuple[Blame, ...] = ()


def choose_explained(words: Iterable[str]) -> Explained:
    """Return what codes, blame words and globs mean; without any word, every reason code.

    Raises:
        UsageError: every word that means nothing, with what may have been meant.
    """
    words = tuple(words)
    if not words:
        return Explained(reasons=tuple(REASONS.values()))
    found: dict[Reason | Blame, None] = {}
    unknown: list[str] = []
    for word in words:
        some = _meant(word)
        found |= dict.fromkeys(some)
        unknown += [] if some else [_unknown(word)]
    if unknown:
        raise UsageError("\n".join(unknown))
    return Explained(
        reasons=tuple(one for one in found if isinstance(one, Reason)),
        blames=tuple(one for one in found if isinstance(one, Blame)),
    )


def suggest(word: str) -> tuple[str, ...]:
    """Return up to five codes or blame words that may have been meant, the closest first."""
    asked = _normalized(word)[:80]
    known = (*REASONS, *Blame)
    within = [str(one) for one in known if len(asked) > 2 and asked in one]
    close = difflib.get_close_matches(asked, known, n=MOST_SUGGESTED, cutoff=0.6)
    return tuple(dict.fromkeys(str(one) for one in within + close))[:MOST_SUGGESTED]


def _meant(word: str) -> tuple[Reason | Blame, ...]:
    asked = _normalized(word)
    if any(sign in asked for sign in "*?["):
        codes = (one for one in REASONS.values() if fnmatchcase(one.code, asked))
        return (*codes, *(one for one in Blame if fnmatchcase(one.value, asked)))
    if (reason := find_reason(asked)) is not None:
        return (reason,)
    return (Blame(asked),) if asked in tuple(Blame) else ()


def _normalized(word: str) -> str:
    return word.strip().lower().replace("-", "_")


def _unknown(word: str) -> str:
    if any(sign in word for sign in "*?["):
        return f"no reason code or blame word matches {word!r}: `egressd explain` lists the codes"
    near = suggest(word)
    hint = f"did you mean {either_of(near)}?" if near else "`egressd explain` lists the codes"
    return f"no reason code or blame word is called {word!r}: {hint}"
