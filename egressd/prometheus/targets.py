"""The targets of each site from series: the worst of its hosts and sources, as far as metrics say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from egressd.attribution.reasons import find_reason
from egressd.fleet.values import Onset, SiteTarget
from egressd.model.endpoint import Need, Protocol
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Confidence, Outcome
from egressd.net.scrub import scrub
from egressd.planning.pattern import CatalogHosts
from egressd.prometheus.answer import QuerySample, Series
from egressd.prometheus.hosts import LONGEST_NAME, HostIndex, HostKey, HostState, Samples, moment

Word = TypeVar("Word", bound=StrEnum)
UNKNOWN_INTERVAL = 60.0
"""Seconds between the sweeps of a host that does not say it."""
ResultKey = tuple[HostKey, str, str]
"""A host, a target's id and a source's name."""


class _Result(Struct, frozen=True, kw_only=True):
    """The last result of a target from a source of a host."""

    key: ResultKey
    outcome: Outcome
    not_needed: bool

    @property
    def rank(self) -> tuple[bool, int, ResultKey]:
        """Sorts the most telling result first: one that need not work tells least."""
        return self.not_needed, -self.outcome.severity, self.key


class TargetReader:
    """Makes the targets of sites of what was answered."""

    def __init__(
        self, found: Samples, index: HostIndex, catalog_hosts: CatalogHosts | Collection[str]
    ) -> None:
        self._index, self._catalog_hosts = index, catalog_hosts
        self._up = found["up"]
        self._unknown = frozenset(key for key, _ in self._keyed(found["unknown"]))
        self._failures = {key: one.metric for key, one in self._keyed(found["failure"])}
        self._since = {key: one.number for key, one in self._keyed(found["since"])}
        self._success = {key: one.number for key, one in self._keyed(found["success"])}
        self._worked = {key: one.number for key, one in self._keyed(found["worked"])}
        self._spared = frozenset(key for key, _ in self._keyed(found["not_needed"]))
        self._changing = frozenset(key for key, _ in self._keyed(found["changing"]))
        self._claims = {
            (key, one.metric.claim): one.metric.confidence for key, one in self._keyed(found["confidence"])
        }
        self._info: dict[tuple[HostKey, str], Series] = {}
        for one in found["info"]:
            if (host := index.key_of(one.metric)) is not None:
                self._info[host, one.metric.target] = one.metric

    def by_site(self) -> dict[str, tuple[SiteTarget, ...]]:
        """Return the targets of each site, by id. Those whose labels can't be read are left out."""
        worst: dict[tuple[str, str], _Result] = {}
        working: defaultdict[tuple[str, str], set[HostKey]] = defaultdict(set)
        for key, one in self._keyed(self._up):
            if not self._index.hosts[key[0]].reports:
                continue
            result, place = self._result(key, one), (key[0][0], key[1])
            if result.outcome.reachable:
                working[place].add(key[0])
            if place not in worst or result.rank < worst[place].rank:
                worst[place] = result
        made: dict[str, list[SiteTarget]] = {}
        for (site, name), result in sorted(worst.items()):
            others = working[site, name] - {result.key[0]}
            if (target := self._target(result, others)) is not None:
                made.setdefault(site, []).append(target)
        return {site: tuple(targets) for site, targets in made.items()}

    def _result(self, key: ResultKey, up: QuerySample) -> _Result:
        return _Result(key=key, outcome=self._outcome(key, up), not_needed=key in self._spared)

    def _keyed(self, samples: Iterable[QuerySample]) -> Iterator[tuple[ResultKey, QuerySample]]:
        for one in samples:
            host = self._index.key_of(one.metric)
            if host is not None and host in self._index.hosts:
                yield (host, one.metric.target, one.metric.source), one

    def _outcome(self, key: ResultKey, up: QuerySample) -> Outcome:
        """Return an outcome; whether it is blocked or down is what its reason usually means."""
        if up.number == 1:
            return Outcome.OK
        failure = self._failures.get(key)
        if failure is None or key in self._unknown:
            return Outcome.UNKNOWN
        reason = find_reason(failure.reason)
        usual = reason.severity if reason is not None else Outcome.DOWN
        return usual if usual in (Outcome.BLOCKED, Outcome.DOWN) else Outcome.DOWN

    def _target(self, result: _Result, working: Iterable[HostKey]) -> SiteTarget | None:
        """Return a target with its worst result; `working` are other hosts of the site that reach it."""
        key, info = result.key, self._info.get(result.key[:2])
        protocol = word_of(Protocol, info.protocol) if info is not None else None
        need = word_of(Need, info.need) if info is not None else None
        host = self._index.hosts[key[0]]
        seen = moment(host.seen)
        if info is None or protocol is None or need is None or seen is None or not info.port.isdecimal():
            return None
        name = scrub(info.host, LONGEST_NAME)
        fails = result.outcome in (Outcome.BLOCKED, Outcome.DOWN)
        failure = self._failures.get(key, Series()) if result.outcome is not Outcome.OK else Series()
        return SiteTarget(
            target=scrub(key[1], LONGEST_NAME),
            endpoint=scrub(info.endpoint, LONGEST_NAME),
            host=name,
            port=int(info.port[:5]),
            protocol=protocol,
            need=need,
            outcome=result.outcome,
            seen=seen,
            phase=word_of(Phase, failure.phase),
            reason=scrub(failure.reason, LONGEST_NAME) or None,
            confidence=word_of(Confidence, self._claims.get((key, "what"), "")) or Confidence.CONFIRMED,
            blame=word_of(Blame, failure.blame),
            blame_confidence=word_of(Confidence, self._claims.get((key, "who"), "")),
            not_needed=result.not_needed,
            proof="*" not in name,
            owned=not info.profiles and name not in self._catalog_hosts,
            onset=self._onset(key, host) if fails else None,
            comes_and_goes=key in self._changing,
            failed=int(fails),
            works_from=tuple(sorted(scrub(one[2], LONGEST_NAME) for one in working)) if fails else (),
        )

    def _onset(self, key: ResultKey, host: HostState) -> Onset | None:
        """Return when a failure began; without the metric for it, after the last success and by now."""
        since = self._since.get(key)
        by = since + host.offset if since is not None else host.seen
        after = self._after(key, host, by=by)
        began = moment(by)
        if began is None or (since is None and after is None):
            return None
        return Onset(by=began, after=moment(after) if after is not None else None)

    def _after(self, key: ResultKey, host: HostState, *, by: float) -> float | None:
        """Return when the last success before a failure was, in Unix seconds; None: none is known.

        A sample shows the result of a sweep up to an interval before it, and the last that worked is the one
        before the failure where both are so near.
        """
        if (success := self._success.get(key)) is not None:
            return min(success + host.offset, by)
        worked, interval = self._worked.get(key), host.interval or UNKNOWN_INTERVAL
        if worked is None:
            return None
        return min(by, by - interval if worked >= by - interval else worked - interval)


def failing_since_unknown(found: Samples) -> frozenset[str]:
    """Return the failing targets of which no series says when they last worked."""
    known = {(one.metric.job, one.metric.instance, one.metric.target) for one in found["success"]}
    failing = (one.metric for one in found["failure"])
    return frozenset(one.target for one in failing if (one.job, one.instance, one.target) not in known)


def word_of(kind: type[Word], text: str) -> Word | None:
    """Return a word of a closed set; None: it is none of them, such as one of a later version."""
    try:
        return kind(text)
    except ValueError:
        return None
