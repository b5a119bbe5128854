"""Detector of revocation and issuer servers that are out of reach, or replaced by a device on the way.

These are findings about the path, without targets: the TLS sessions themselves work. What ended alike is one
finding, so that each asks for one thing, of the one who can give it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from egressd.attribution.advice import source_address, values_of_control
from egressd.attribution.blame.parties import BEHIND_PROXY, NAME_PARTIES
from egressd.attribution.blame.suspects import (
    REVOCATION_ABSENT,
    REVOCATION_ANSWER,
    REVOCATION_CUT,
    REVOCATION_NAME,
    REVOCATION_UNREACHABLE,
    Signature,
)
from egressd.attribution.detectors.build import finding_about_path, titled
from egressd.attribution.detectors.revocation_answer import FailedFetch, FetchEnd, end_of, same_pages
from egressd.attribution.evidence import control_lines
from egressd.attribution.facts.certificate import certificate_urls
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.reasons import REASONS
from egressd.model.observation import Failure, Observation
from egressd.model.plan import ControlKind
from egressd.model.recording import Control
from egressd.model.verdict import Blame, Confidence, Finding
from egressd.wording import host_port, name_first

UNREACHABLE, TAMPERED = "pki_revocation_unreachable", "pki_revocation_tampered"
SUSPECTS: Mapping[FetchEnd, Signature] = {
    FetchEnd.NAME: REVOCATION_NAME,
    FetchEnd.SILENT: REVOCATION_UNREACHABLE,
    FetchEnd.CUT: REVOCATION_CUT,
    FetchEnd.REPLACED: REVOCATION_ANSWER,
    FetchEnd.ABSENT: REVOCATION_ABSENT,
}
USUAL = frozenset({FetchEnd.SILENT, FetchEnd.REPLACED})
"""The usual end of its reason: the finding needs no more to be told from others."""
MARKED = "the answer names a device, or has a status that only a device on the way gives"
SAME_PAGE = "the same page came for hosts of different owners"
MOST_LINES = 8
MOST_IN_TITLE = 4


def revocation(index: SweepIndex) -> list[Finding]:
    """Return one finding for each way in which fetches ended."""
    groups: defaultdict[FetchEnd, list[FailedFetch]] = defaultdict(list)
    for one in _failed_fetches(index):
        groups[one.end].append(one)
    return [_finding(index, end, groups[end]) for end in FetchEnd if end in groups]


def _failed_fetches(index: SweepIndex) -> Iterator[FailedFetch]:
    fetches = [one for one in index.recording.controls if one.kind is ControlKind.REVOCATION]
    urls = {
        (source, url.at.host, url.at.port, url.at.path): url
        for source in dict.fromkeys(one.source for one in fetches)
        for url in certificate_urls(index, source)
    }
    for control in fetches:
        url = urls.get((control.source, control.host, control.port, control.url))
        last = _last(control)
        if url is not None and last is not None and (end := end_of(url, last)) is not None:
            yield FailedFetch(url=url, control=control, last=last, end=end)


def _last(control: Control) -> Observation | None:
    """Return the last observation of the best trail."""
    ends = [trail.last for trail in control.trails if trail.last is not None]
    return next((one for one in ends if one.failure is None), ends[0] if ends else None)


def _finding(index: SweepIndex, end: FetchEnd, some: list[FailedFetch]) -> Finding:
    code = TAMPERED if end is FetchEnd.REPLACED else UNREACHABLE
    hosts = list(dict.fromkeys(one.url.at.host for one in some))
    sources = tuple(dict.fromkeys(one.control.source for one in some))  # in the order of the plan
    known = values_of_control(index, some[0].control)
    addresses = dict.fromkeys(source_address(index, one) for one in sources)
    return finding_about_path(
        code,
        "" if end in USUAL else end.value,
        sure=_sure(some),
        title=titled(REASONS[code], name_first(hosts, most=MOST_IN_TITLE), sources, index.recording.plan),
        evidence=_evidence(some, sources),
        values=known
        | {name: ", ".join(hosts) for name in ("host", "destination")}
        | {"source": ", ".join(addresses)},
        suspects=_suspects(end, some),
        ruled_out=_ruled_out(some),
        sources=sources,
        places=tuple(dict.fromkeys(host_port(one.url.at.host, one.url.at.port) for one in some)),
    )


def _evidence(some: list[FailedFetch], sources: tuple[str, ...]) -> tuple[str, ...]:
    """Return the connection of each source, then every URL, then other connections up to a limit."""
    lines = {
        source: [line for one in some if one.control.source == source for line in control_lines(one.control)]
        for source in sources
    }
    firsts = [line for seen in lines.values() for line in seen[:1]]
    named = [f"{one.url.at.url} is named for {one.url.kind}" for one in some]
    others = [line for seen in lines.values() for line in seen[1:]]
    return tuple(dict.fromkeys((*firsts, *named, *others[: MOST_LINES - 1])))


def _sure(some: list[FailedFetch]) -> Confidence:
    """Return medium for a single silence, which is no proof."""
    silent = all(one.last.failure is Failure.TIMEOUT for one in some)
    return Confidence.MEDIUM if silent and len(some) == 1 else Confidence.HIGH


def _suspects(end: FetchEnd, some: list[FailedFetch]) -> Signature:
    """Return who can have caused it; where the configured proxy carried all, it comes first."""
    usual = SUSPECTS[end]
    if not all(one.via_proxy for one in some):
        return usual
    behind = (BEHIND_PROXY.get(one, one) for one in usual.parties if one not in NAME_PARTIES)
    return Signature(parties=tuple(dict.fromkeys((Blame.EXPLICIT_PROXY, *behind))))


def _ruled_out(some: list[FailedFetch]) -> dict[Blame, str]:
    """Return that the certificate authorities did not do it, where the answers show that."""
    if all(one.is_signed_by_device for one in some):
        return {Blame.PKI_ENDPOINT: MARKED}
    if any(same_pages(some)):
        return {Blame.PKI_ENDPOINT: SAME_PAGE}
    return {}
