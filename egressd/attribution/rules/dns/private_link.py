"""Conditions about private endpoints: dead, forgotten, split between resolvers, mixed with public ones."""

from __future__ import annotations

from egressd.attribution.control_results.resolvers import given_address, name_answered, other_resolver_answers
from egressd.attribution.facts.address import AddressKind
from egressd.attribution.facts.peer_comparison import PRIVATE_LINK
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.dns.lookup import nodata, nxdomain
from egressd.model.observation import Phase

_PUBLIC = (AddressKind.ORDINARY, AddressKind.LEGACY)


def _has_alias(context: TrailContext) -> bool:
    return context.dns is not None and PRIVATE_LINK in " ".join(context.dns.cnames).lower()


def private_link(context: TrailContext) -> bool:
    """Whether a private endpoint's address was given by way of a private-link alias."""
    if not name_answered(context) or not _has_alias(context):
        return False
    return context.index.kind_of_address(given_address(context)) is AddressKind.PRIVATE


def record_missing(context: TrailContext) -> bool:
    """Whether a private zone hides the public record and has none of its own."""
    return (nxdomain(context) or nodata(context)) and _has_alias(context)


def private_link_dead(context: TrailContext) -> bool:
    """Whether the private endpoint does not answer; a wrong chain is an answer."""
    no_hello = context.tls is not None and not context.tls.server_hello
    dead = context.failed_in is Phase.TCP or (context.failed_in is Phase.TLS and no_hello)
    return dead and private_link(context)


def private_link_works(context: TrailContext) -> bool:
    """Whether the private endpoint answers."""
    return private_link(context) and not private_link_dead(context)


def private_link_undocumented(context: TrailContext) -> bool:
    """Whether a private endpoint works for a row of the catalog that has none by the documents."""
    if context.target.internal or context.given or is_private_link_capable(context):
        return False
    return private_link_works(context)


def is_private_link_capable(context: TrailContext) -> bool:
    """Whether any catalog row documents a private endpoint for the host."""
    return context.target.private_link or context.probe.host.lower() in context.index.private_hosts


def private_link_split(context: TrailContext) -> bool:
    """Whether another resolver gives a public address for the same name."""
    kind = context.index.kind_of_address
    return private_link(context) and any(
        one.answers and all(kind(answer) in _PUBLIC for answer in one.answers)
        for one in other_resolver_answers(context)
    )


def private_link_mixed(context: TrailContext) -> bool:
    """Whether this name is private, and another name of the same scope is public here."""
    own = context.dns
    if own is None or not private_link(context) or private_link_split(context):
        return False
    return context.index.peers.is_scope_mixed(context.source, own.name)
