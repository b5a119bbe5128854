"""Expand rows to concrete hosts: every sample, or a note that says why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from egressd.model.catalog import Discovery
from egressd.model.endpoint import Direction, Endpoint, Protocol, SampleKind
from egressd.model.settings import Resolver
from egressd.planning.pattern import pattern_covers, replace_wildcard
from egressd.planning.placeholder import (
    NEEDS_REGION,
    RESOLVER,
    PlaceholderValues,
    Substitution,
    is_host,
    lacking,
    substitute,
    substitute_known,
    why_missing,
)
from egressd.planning.select import SelectedRow

MOST_DISCOVERED = 8
"""Hosts probed of a discovered list, which may name hundreds."""
MOST_SIBLINGS = 4
"""Hosts whose addresses a random label may borrow."""
REGION = ("region",)
"""What a row lacks without a region."""
HOST = ("endpoints",)
"""What a wildcard lacks of which no host is known: one of the operator's own, under `endpoints`."""
NOT_CALLED = "not called"
"""Why a discovery call has no answer yet: it is made when a sweep begins."""


class ExpansionContext(Struct, frozen=True, kw_only=True):
    """What expansion needs besides the rows."""

    values: PlaceholderValues
    discoveries: Mapping[str, Discovery]
    calls: Mapping[str, str]
    """Why a discovery call has no answer, by its name."""
    label: str
    resolvers: tuple[Resolver, ...]


class Sample(Struct, frozen=True, kw_only=True):
    """A concrete host."""

    host: str
    port: int
    kind: SampleKind
    siblings: tuple[str, ...] = ()


class Expansion(Struct, frozen=True, kw_only=True):
    """A row and its samples; without any, `why` says why."""

    row: SelectedRow
    pattern: str
    """The pattern with its placeholders substituted, as far as they are known."""
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    """What the operator could give, for want of which samples are missing: `region`, keys of `values`, or
    `endpoints` with a host of the wildcard."""

    @property
    def why(self) -> str:
        """Why the row has no sample."""
        return "; ".join(self.notes) or "no sample is documented, and none can be made"


def expand(rows: Iterable[SelectedRow], context: ExpansionContext) -> tuple[Expansion, ...]:
    """Expand every row; random labels last, because they borrow the addresses of other samples."""
    concrete = [_concrete(row, context) for row in rows]
    hosts = tuple(dict.fromkeys(sample.host for one in concrete for sample in one.samples))
    places = frozenset((sample.host, sample.port) for one in concrete for sample in one.samples)
    return tuple(_lacking_host(_with_random(one, hosts, context), places, context) for one in concrete)


def _lacking_host(one: Expansion, places: frozenset[tuple[str, int]], context: ExpansionContext) -> Expansion:
    """Say of a wildcard without a sample that a host of the operator's would have it probed.

    One that is among the `places` is probed as a row of its own. The operator's own wildcards are rules.
    """
    endpoint = one.row.endpoint
    known = one.samples or one.lacks or endpoint.samples.discovered
    if known or one.row.own or not endpoint.is_wildcard:
        return one
    if endpoint.port is None or _why_not_probed(one.row, context.values) is not None:
        return one
    patterns = substitute(endpoint.pattern, context.values)
    given = (host for host, port in places if port == endpoint.port and _covered(endpoint, patterns, host))
    return one if any(True for _ in given) or not patterns.texts else replace(one, lacks=HOST)


def _concrete(row: SelectedRow, context: ExpansionContext) -> Expansion:
    endpoint = row.endpoint
    blank = Expansion(row=row, pattern=substitute_known(endpoint.pattern, context.values))
    why = _why_not_probed(row, context.values)
    if endpoint.port is None or why is not None:
        return replace(blank, notes=(why or "",), lacks=REGION if why == NEEDS_REGION else ())
    if endpoint.pattern == RESOLVER and "resolver" not in context.values.given:
        return _resolver_samples(blank, context)
    filled = substitute(endpoint.pattern, context.values)
    if filled.missing:
        missing = why_missing(filled.missing, context.values)
        return replace(blank, notes=(missing,), lacks=lacking(filled.missing, context.values))
    if endpoint.is_wildcard:
        return _wildcard(blank, filled, context, port=endpoint.port)
    hosts, refused = _hosts(filled)
    kind = _sample_kind(row, filled, context.values)
    samples = tuple(Sample(host=host, port=endpoint.port, kind=kind) for host in hosts)
    return replace(blank, samples=samples, notes=refused)


def _why_not_probed(row: SelectedRow, values: PlaceholderValues) -> str | None:
    """Return why a row is not probed, or can't be: then it is a rule to ask for only; None if it can."""
    endpoint = row.endpoint
    if row.waits_for is not None:
        return f"feature {row.waits_for} is not in use"
    if endpoint.unprobed is not None:
        return endpoint.unprobed
    if endpoint.direction is Direction.INBOUND:
        return "the connection comes from the other side: only a probe over there can prove it"
    if endpoint.protocol is Protocol.ICMP or endpoint.port is None:
        return "ICMP is not probed: no program depends on its answer"
    if endpoint.protocol is Protocol.UDP:
        return "UDP without a known protocol can't be verified"
    if endpoint.last_port is not None:
        return f"a range of ports: which of {endpoint.ports} answers depends on the server"
    if endpoint.regions and values.region is None:
        return NEEDS_REGION
    return None


def _sample_kind(row: SelectedRow, filled: Substitution, values: PlaceholderValues) -> SampleKind:
    """Return the sample kind of a row without a wildcard."""
    if row.own or filled.given:
        return SampleKind.GIVEN
    if filled.texts == (row.endpoint.pattern,):
        return SampleKind.EXACT
    return SampleKind.TEMPLATED if values.region_known else SampleKind.DERIVED


def _hosts(filled: Substitution) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split substituted texts into hosts, and notes on texts that are none."""
    names = [text.strip().lower().removesuffix(".") for text in filled.texts]
    refused = tuple(f"{name[:80]!r} is not a host name" for name in names if not is_host(name))
    return tuple(dict.fromkeys(name for name in names if is_host(name))), refused


def _resolver_samples(blank: Expansion, context: ExpansionContext) -> Expansion:
    """Make a sample of each DNS server, at the port it listens on."""
    servers = dict.fromkeys((one.address, one.port) for one in context.resolvers if one.address is not None)
    if not servers:
        return replace(blank, notes=("the name servers of this host are not known",))
    samples = tuple(Sample(host=host, port=port, kind=SampleKind.GIVEN) for host, port in servers)
    return replace(blank, samples=samples)


def _wildcard(blank: Expansion, patterns: Substitution, context: ExpansionContext, *, port: int) -> Expansion:
    """Collect documented, templated, discovered and derived hosts, each once, under its first kind."""
    found: dict[str, SampleKind] = {}
    notes: list[str] = []
    missing: list[str] = []
    endpoint, own = blank.row.endpoint, blank.row.own
    for text in endpoint.samples.documented:
        found.setdefault(text.lower(), SampleKind.GIVEN if own else SampleKind.DOCUMENTED)
    for text, kind in _forms(endpoint, context.values):
        filled = substitute(text, context.values)
        missing += filled.missing
        hosts, refused = _hosts(filled)
        notes += refused
        for host in hosts:
            found.setdefault(host, SampleKind.GIVEN if own or filled.given else kind)
    kept = {host: kind for host, kind in found.items() if _covered(endpoint, patterns, host)}
    notes += [f"{host} is outside the pattern" for host in found if host not in kept]
    hosts, discovery_notes = _discovered(endpoint, patterns, context)
    guessed = [host for host, kind in kept.items() if kind is SampleKind.DERIVED]
    kept |= {host: SampleKind.DISCOVERED for host in guessed if host in hosts}
    chosen = _evenly_spaced([host for host in hosts if host not in kept])
    if len(chosen) < len(hosts):
        discovery_notes = (*discovery_notes, f"{len(chosen)} of {len(hosts)} discovered hosts are probed")
    kept |= dict.fromkeys(chosen, SampleKind.DISCOVERED)
    if missing := [name for name in missing if name != "his" or not hosts]:
        notes.append(why_missing(missing, context.values))
    samples = sorted(
        (Sample(host=host, port=port, kind=kind) for host, kind in kept.items()),
        key=lambda one: one.kind is SampleKind.DERIVED,
    )
    needs_region = NEEDS_REGION in discovery_notes
    return replace(
        blank,
        samples=tuple(samples),
        notes=tuple(dict.fromkeys((*notes, *discovery_notes))),
        lacks=tuple(dict.fromkeys((*lacking(missing, context.values), *(REGION if needs_region else ())))),
    )


def _forms(endpoint: Endpoint, values: PlaceholderValues) -> Iterator[tuple[str, SampleKind]]:
    """Yield the names to fill in, with what vouches for them: a document, or egressd alone."""
    samples = endpoint.samples
    shown = values.region_known and values.region in (samples.templated_in or (values.region,))
    for text in samples.templated:
        yield text, SampleKind.TEMPLATED if shown else SampleKind.DERIVED
    for text in samples.derived:
        yield text, SampleKind.DERIVED


def _discovered(
    endpoint: Endpoint, patterns: Substitution, context: ExpansionContext
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the discovered hosts that the pattern covers, and notes on the call."""
    name = endpoint.samples.discovered
    if name is None:
        return (), ()
    answer = context.discoveries.get(name)
    if answer is None or not answer.hosts:
        why = (answer.note if answer else "") or context.calls.get(name, "no such call is known")
        if why == NOT_CALLED:
            return (), (f"discovery {name} is called when a sweep begins",)
        return (), (why if why == NEEDS_REGION else f"discovery {name} failed: {why}",)
    clean, _ = _hosts(Substitution(texts=answer.hosts))
    hosts = tuple(host for host in clean if _covered(endpoint, patterns, host))
    if len(hosts) == len(clean) > 0:
        return hosts, ()
    return hosts, (f"{len(clean) - len(hosts)} names from discovery {name} are outside the pattern",)


def _covered(endpoint: Endpoint, patterns: Substitution, host: str) -> bool:
    return any(pattern_covers(pattern, host, deep=endpoint.deep) for pattern in patterns.texts)


def _is_apex(patterns: Substitution, host: str) -> bool:
    return any(pattern.lower() == f"*.{host}" for pattern in patterns.texts)


def _evenly_spaced(hosts: list[str]) -> list[str]:
    """Choose evenly spaced hosts of the sorted list, so that they are the same every time."""
    ordered = sorted(hosts)
    if len(ordered) <= MOST_DISCOVERED:
        return ordered
    return [ordered[index * len(ordered) // MOST_DISCOVERED] for index in range(MOST_DISCOVERED)]


def _with_random(one: Expansion, hosts: tuple[str, ...], context: ExpansionContext) -> Expansion:
    """Add a random label, which proves the firewall rule itself, if the row wants one."""
    endpoint = one.row.endpoint
    patterns = substitute(endpoint.pattern, context.values)
    sends_name = endpoint.protocol.encrypted or endpoint.protocol.speaks_http
    random = endpoint.is_wildcard and endpoint.samples.random and sends_name
    port, why = endpoint.port, _why_not_probed(one.row, context.values)
    if port is None or why is not None or not (random and patterns.texts):
        return one
    sure = (sample.host for sample in one.samples if sample.kind is not SampleKind.DERIVED)
    siblings = (
        tuple(sure)
        or tuple(sample.host for sample in one.samples)
        or tuple(host for host in hosts if _covered(endpoint, patterns, host))
    )
    # A wildcard does not cover its apex, but one front end usually serves both, and only the rule is tested.
    siblings = siblings or tuple(host for host in hosts if _is_apex(patterns, host))
    if not siblings:
        note = "no host of the pattern is known, so there is no address to send a random name to"
        return replace(one, notes=one.notes or (note,))
    hosts = tuple(replace_wildcard(pattern.lower(), context.label) for pattern in patterns.texts)
    labels = tuple(
        Sample(host=host, port=port, kind=SampleKind.RANDOM, siblings=siblings[:MOST_SIBLINGS])
        for host in hosts
        if is_host(host)
    )
    return replace(one, samples=(*one.samples, *labels))
