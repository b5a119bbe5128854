"""A verdict on several sites in the words that every format shows: who, since when, where, what to ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from egressd.attribution.blame.claims import party_text, ruled_out_lines, sureness, suspect_lines
from egressd.fleet.values import FleetReport, FleetVerdict, FleetVerdictKind
from egressd.report.fleet.moments import began_text, short
from egressd.wording import count, name_first

MOST_SITES = 8
MOST_PLACES = 6
MOST_DECIDING = 3
KINDS = {
    FleetVerdictKind.SERVICE_DOWN: "the far end, not your firewalls",
    FleetVerdictKind.RULE_ROLLOUT: "a change that goes from site to site",
    FleetVerdictKind.COMMON_CHANGE: "a change at several sites at once",
    FleetVerdictKind.SHARED_DEVICE: "a device that the sites share",
    FleetVerdictKind.SITE_DIFFERS: "this site alone",
    FleetVerdictKind.SITE_CUT_OFF: "the site as a whole",
    FleetVerdictKind.SITE_SILENT: "no report",
    FleetVerdictKind.COMMON_FAILURE: "everywhere, and no cause shown",
    FleetVerdictKind.UNDECIDED: "not decided",
}
"""What each kind means, in short."""


class VerdictCard(Struct, frozen=True, kw_only=True):
    """A verdict, ready to be shown."""

    title: str
    kind: str
    meaning: str
    """What the kind means, in short."""
    tone: str
    """`far`, `site` or `unsure`: where to look."""
    facts: tuple[tuple[str, str], ...]
    """Names and values, in the order to read them."""
    ask: str
    decides: tuple[str, ...]
    ruled_out: tuple[str, ...]
    evidence: tuple[str, ...]


def verdict_cards(report: FleetReport) -> tuple[VerdictCard, ...]:
    """Return a card for each verdict of a fleet."""
    silent = {one.site: one.silent_since for one in report.sites if one.silent_since is not None}
    return tuple(_card(one, silent) for one in report.verdicts)


def _card(one: FleetVerdict, silent: dict[str, str]) -> VerdictCard:
    undecided = () if one.blame_confidence == "confirmed" else suspect_lines(one.suspects)
    return VerdictCard(
        title=one.title,
        kind=one.kind.value,
        meaning=KINDS[one.kind],
        tone=_tone(one),
        facts=tuple(_facts(one, silent)),
        ask=one.advice,
        decides=undecided[:MOST_DECIDING],
        ruled_out=ruled_out_lines(one.ruled_out),
        evidence=one.evidence,
    )


def _tone(one: FleetVerdict) -> str:
    match one.kind:
        case FleetVerdictKind.SERVICE_DOWN:
            return "far"
        case FleetVerdictKind.UNDECIDED | FleetVerdictKind.COMMON_FAILURE | FleetVerdictKind.SITE_SILENT:
            return "unsure"
        case _:
            return "site"


def _facts(one: FleetVerdict, silent: dict[str, str]) -> Iterator[tuple[str, str]]:
    if one.blame is not None:
        yield "who", party_text(one.blame, one.blame_confidence, one.suspects)
    if began := began_text(one):
        yield "since", began
    elif len(one.sites) == 1 and one.kind is FleetVerdictKind.SITE_SILENT and one.sites[0] in silent:
        yield "since", f"{short(silent[one.sites[0]])}, when it was last heard of"
    yield "sites", _sites(one)
    if any(place not in one.title for place in one.targets):
        yield "places", _named(one.targets, MOST_PLACES)
    codes = [text for text in (one.code, one.reason) if text]
    if codes:
        yield "reason", f"{', '.join(codes)}; {sureness(one.confidence)}"
    if one.need is not None:
        yield "need", one.need.value


def _sites(one: FleetVerdict) -> str:
    """Say at how many of how many sites it fails, and name them; then those that reach it or can't say."""
    if one.kind is FleetVerdictKind.SITE_CUT_OFF:  # it is about the site, and not about one place
        return _named(one.sites, MOST_SITES)
    known = len(one.sites) + len(one.working) + len(one.unknown)
    word = "silent" if one.kind is FleetVerdictKind.SITE_SILENT else "failing"
    parts = [f"{len(one.sites)} of {count(known, 'site')} {word}: {_named(one.sites, MOST_SITES)}"]
    if one.working:
        parts.append(f"{len(one.working)} reach the same: {_named(one.working, MOST_SITES)}")
    if one.unknown:
        parts.append(f"{len(one.unknown)} can't say: {_named(one.unknown, MOST_SITES)}")
    return "; ".join(parts)


def _named(names: Sequence[str], most: int) -> str:
    return name_first(names, most=most)
