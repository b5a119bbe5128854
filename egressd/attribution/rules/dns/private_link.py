"""Conditions about private endpoints: dead, forgotten, split between resolvers, mixed with public ones.

Where the configuration says whether a private link scope is in use, answers are held to that.
"""

from __future__ import annotations

from collections import defaultdict

from egressd.attribution.control_results.resolvers import (
    given_address,
    name_answered,
    other_resolver_answers,
    other_type_answered,
    says_blocked,
)
from egressd.attribution.facts.address import AddressKind
from egressd.attribution.facts.peer_comparison import ARC_SCOPE, PRIVATE_LINK, NameView, scope_of
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.clue import Clue
from egressd.attribution.rules.condition import needs, on_failure
from egressd.attribution.rules.dns.lookup import nodata, nxdomain
from egressd.model.observation import Phase
from egressd.model.settings import SYSTEM_RESOLVER
from egressd.model.verdict import Confidence, Outcome

_PUBLIC = (AddressKind.ORDINARY, AddressKind.LEGACY)


def _has_alias(context: TrailContext) -> bool:
    return context.dns is not None and PRIVATE_LINK in " ".join(context.dns.cnames).lower()


def private_link(context: TrailContext) -> bool:
    """Whether a private endpoint's address was given by way of a private-link alias."""
    if not name_answered(context) or not _has_alias(context):
        return False
    return context.index.kind_of_address(given_address(context)) is AddressKind.PRIVATE


def _scope_in_use(context: TrailContext) -> bool | None:
    """Return what the configuration says of a private link scope; None where it says nothing."""
    return context.index.recording.plan.private_link


def expects_private(context: TrailContext) -> bool:
    """Whether the name belongs to the private link scope in use, so that it must not be public.

    A key vault or Resource Manager may have a private endpoint of its own: both answers are right for those.
    A random or a guessed name proves nothing about a zone.
    """
    return _scope_in_use(context) is True and context.target.is_proof and _is_in_scope(context)


def _is_in_scope(context: TrailContext) -> bool:
    in_scope = context.owned or scope_of(context.probe.host) == ARC_SCOPE
    return in_scope and is_private_link_capable(context)


def _view(context: TrailContext) -> NameView | None:
    return context.index.peers.view(context.source, context.probe.host)


def is_overruled(context: TrailContext) -> bool:
    """Whether programs do not get this answer: the private address is in the hosts file of this host."""
    view = _view(context) if name_answered(context) and expects_private(context) else None
    return view is not None and not view.gives(given_address(context))


def _is_public(context: TrailContext) -> bool:
    kind = context.index.kind_of_address(given_address(context))
    return name_answered(context) and kind is AddressKind.ORDINARY


@needs(Clue.SCOPE)
def public_in_one_family(context: TrailContext) -> bool:
    """Whether a name of the scope is private in the other address family, and public in this one."""
    view = _view(context) if expects_private(context) and _is_public(context) else None
    return view is not None and bool(view.private) and context.trail.family not in view.private


@needs(Clue.SCOPE)
def public_in_scope(context: TrailContext) -> bool:
    """Whether a name of the private link scope in use has a public address.

    Where resolvers disagree and it works, that is what is wrong.
    """
    if not (_is_public(context) and expects_private(context)):
        return False
    view = _view(context)
    return not (context.complete and view is not None and view.private)


def outcome_of_public(context: TrailContext) -> Outcome | None:
    """Call it degraded where the public address can be used."""
    return Outcome.DEGRADED if context.complete else Outcome.BLOCKED


@on_failure
def record_missing(context: TrailContext) -> bool:
    """Whether a private zone hides the public record and has none of its own.

    With a scope in use, a name of it that does not exist has most likely no record there.
    """
    absent = nxdomain(context) or nodata(context)
    if absent and _has_alias(context):
        return True
    return absent and expects_private(context) and not (says_blocked(context) or other_type_answered(context))


def sure_of_missing_record(context: TrailContext) -> Confidence:
    """Return medium where no alias leads into the zone: a filter could say the same."""
    return Confidence.HIGH if _has_alias(context) else Confidence.MEDIUM


@on_failure
def private_link_dead(context: TrailContext) -> bool:
    """Whether the private endpoint does not answer; a wrong chain is an answer."""
    no_hello = context.tls is not None and not context.tls.server_hello
    dead = context.failed_in is Phase.TCP or (context.failed_in is Phase.TLS and no_hello)
    return dead and private_link(context)


@needs(Clue.ADDRESS)
def private_link_works(context: TrailContext) -> bool:
    """Whether the private endpoint answers."""
    return private_link(context) and not private_link_dead(context)


@needs(Clue.ADDRESS)
def private_link_undocumented(context: TrailContext) -> bool:
    """Whether a private endpoint works for a name that is public by the documents, or as configured."""
    if context.target.internal:
        return False
    if _scope_in_use(context) is False and _is_in_scope(context):
        return private_link_works(context)
    if context.given or is_private_link_capable(context):
        return False
    by_any_way = _scope_in_use(context) is True and not context.random and context.complete
    return private_link_works(context) or (by_any_way and _has_private_address(context))


def _has_private_address(context: TrailContext) -> bool:
    kind = context.index.kind_of_address(given_address(context))
    return name_answered(context) and kind is AddressKind.PRIVATE


def is_private_link_capable(context: TrailContext) -> bool:
    """Whether any catalog row documents a private endpoint for the host."""
    return context.target.private_link or context.probe.host.lower() in context.index.private_hosts


@needs(Clue.ADDRESS)
def private_link_split(context: TrailContext) -> bool:
    """Whether another resolver gives a public address for the same name."""
    kind = context.index.kind_of_address
    if expects_private(context) and context.trail.resolver == SYSTEM_RESOLVER:
        return False  # each nameserver is judged by its own trails
    return private_link(context) and any(
        one.answers and all(kind(answer) in _PUBLIC for answer in one.answers)
        for one in other_resolver_answers(context)
    )


@needs(Clue.ADDRESS)
def private_link_mixed(context: TrailContext) -> bool:
    """Whether this name is private, and another name of the same scope is public here."""
    own = context.dns
    if own is None or not private_link(context) or private_link_split(context):
        return False
    if _scope_in_use(context) is True:
        return False  # then the public ones are wrong
    return (context.source, scope_of(own.name)) in context.index.once(_mixed_scopes)


def _mixed_scopes(index: SweepIndex) -> frozenset[tuple[str, str]]:
    """Return, by source, the private link scopes whose names are private in part."""
    kinds: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
    for (source, name), view in index.peers.names.items():
        scope = scope_of(name) if view.private or view.public else None
        if scope is not None:
            kinds[source, scope].add(bool(view.private))
    return frozenset(key for key, some in kinds.items() if len(some) > 1)
