"""A plan as data, for scripts: what is probed, from where and by which way; and what is not."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import to_builtins

from egressd.model.plan import Plan, Probe, Target
from egressd.model.settings import Proxy

SCHEMA = "egressd.plan/1"


def plan_document(plan: Plan) -> Mapping[str, object]:
    """Return a plan as JSON has it; nothing secret is in it."""
    probes: dict[str, list[Probe]] = {}
    for probe in plan.probes:
        for target in probe.targets:
            probes.setdefault(target, []).append(probe)
    return {
        "schema": SCHEMA,
        "catalog": {"revision": plan.catalog_revision, "digest": plan.catalog_digest},
        "config_digest": plan.config_digest,
        "site": plan.site,
        "cloud": plan.cloud,
        "region": plan.region,
        "strict": plan.strict,
        "private_link": plan.private_link,
        "sources": [to_builtins(one) for one in plan.sources],
        "resolvers": [to_builtins(one) for one in plan.resolvers],
        "proxy": _proxy(plan.proxy),
        "plain_proxy": _proxy(plan.plain_proxy),
        "arc_gateway": plan.arc_gateway,
        "routes": [{"name": one.name, "proxy": _proxy(one.proxy), "why": one.why} for one in plan.routes],
        "targets": [_target(one, probes.get(one.id, [])) for one in plan.targets],
        "not_probed": [to_builtins(one) for one in plan.unsampled],
        "coverage": [to_builtins(one) for one in plan.coverage],
        "controls": [
            {"id": one.id, "host": one.host or None, "address": one.address, "port": one.port, "why": one.why}
            for one in plan.controls
        ],
        "notes": list(plan.notes),
    }


def _target(one: Target, probes: list[Probe]) -> Mapping[str, object]:
    return {
        "id": one.id,
        "endpoint": one.endpoint,
        "service": one.service,
        "profiles": one.profiles,
        "pattern": one.pattern,
        "sample": one.sample,
        "host": one.host,
        "port": one.port,
        "protocol": one.protocol,
        "path": one.path,
        "need": one.need,
        "condition": one.condition,
        "roles": one.roles,
        "one_of": one.one_of,
        "service_tags": one.service_tags,
        "arc_gateway": to_builtins(one.gateway) if one.gateway else None,
        "probes": [_probe(probe) for probe in probes],
    }


def _probe(one: Probe) -> Mapping[str, object]:
    return {
        "source": one.source,
        "route": one.route,
        "via_proxy": one.via_proxy,
        "bypassed_by": one.bypassed_by or None,
        "to_compare": one.contrast,
        "connect_to": to_builtins(one.connect_to) if one.connect_to else None,
    }


def _proxy(one: Proxy | None) -> Mapping[str, object] | None:
    """Return a proxy without its credentials."""
    if one is None:
        return None
    return {"url": one.url, "bypass": one.bypass, "carries": one.carries, "origin": one.origin or None}
