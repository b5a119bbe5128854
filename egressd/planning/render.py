"""A plan as text for people: what is probed, from where, and why; and what is not.

Lines are as wide as asked for where the names in them allow it.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Sequence

from egressd.model.endpoint import Need, SampleKind
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe, Target
from egressd.model.settings import ALL_ROLES, Source, Traffic
from egressd.wording import count, host_port

WIDTH = 100
WIDEST_NAME = 66
"""Columns for a target's name at most."""
NARROWEST_NAME = 28
"""Columns for it at least, however long the rest of the line is."""
INDENT = " " * 4
CARRIED = {Traffic.TUNNELS: "TLS", Traffic.PLAIN: "plain HTTP"}


def render_plan(plan: Plan, *, width: int = WIDTH) -> str:
    """Render a plan; nothing secret is in it."""
    parts = [
        _heading(plan, width=width),
        _routes(plan, width=width),
        _targets(plan, width=width),
        _unsampled(plan, width=width),
        _coverage(plan, width=width),
        _controls(plan, width=width),
        _bullets("Notes", plan.notes, width=width),
    ]
    return "\n".join(part for part in parts if part)


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ", width: int = WIDTH) -> str:
    """Lay out rows in columns, the first row as the heading; the last column wraps at the width."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    start = len(indent) + sum(one + 2 for one in widths[:-1])
    lines: list[str] = []
    for row in rows:
        left = indent + "".join(f"{cell:<{one}}  " for cell, one in zip(row[:-1], widths, strict=False))
        space = max(24, width - start)
        last = textwrap.wrap(row[-1], space, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append((left + last[0]).rstrip())
        lines += [" " * start + more for more in last[1:]]
    return "\n".join(lines) + "\n"


def wrap(text: str, *, first: str = "", rest: str = "      ", width: int = WIDTH) -> str:
    """Wrap a line at the width, never inside a name."""
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _heading(plan: Plan, *, width: int) -> str:
    resolvers = ", ".join(one.name for one in plan.resolvers) or "none"
    size = f"{count(len(plan.targets), 'target')} by {count(len(plan.probes), 'probe')}"
    place = f"cloud {plan.cloud}, region {plan.region or 'not given'}"
    lines = [
        f"Plan: {size}, {place}, catalog of {plan.catalog_revision}",
        *([f"Site: {plan.site}"] if plan.site else []),
        f"DNS: {resolvers}",
        f"Path: {_path(plan)}",
        *([f"Azure Arc gateway: {plan.arc_gateway}"] if plan.arc_gateway else []),
        "",
        "Sources",
        *(f"  {_source(one)}" for one in plan.sources),
    ]
    return "\n".join(wrap(line, width=width) for line in lines) + "\n"


def _path(plan: Plan) -> str:
    """Describe which proxy carries what, and where its settings come from."""
    proxies = [one for one in (plan.proxy, plan.plain_proxy) if one is not None]
    parts = []
    for one in proxies:
        what = "" if len(one.carries) > 1 else f"{CARRIED[one.carries[0]]} "
        origin = f" ({one.origin})" if one.origin else ""
        parts.append(f"{what}through {one.url}{origin} unless bypassed")
    if len(parts) == 1 and len(proxies[0].carries) == 1:
        parts.append("the rest direct")
    return ", ".join(parts) or "direct"


def _routes(plan: Plan, *, width: int) -> str:
    """List the ways besides the configured path."""
    lines = (
        f"{one.name}: {f'through {one.proxy.url}' if one.proxy else 'direct'}: {one.why}"
        for one in plan.routes
    )
    return _bullets("Routes", lines, width=width)


def _source(one: Source) -> str:
    where = " on ".join(part for part in (one.address, one.interface) if part) or "chosen by the kernel"
    roles = "every role" if set(one.roles) == set(ALL_ROLES) else f"roles {', '.join(one.roles)}"
    return f"{one.name}: {where}; {roles}"


def _targets(plan: Plan, *, width: int) -> str:
    """List the hosts of each row under it, with sample kind and sources."""
    asked: dict[str, list[Probe]] = {}
    for probe in plan.probes:
        for target in probe.targets:
            asked.setdefault(target, []).append(probe)
    rests = {one.id: _sample_and_sources(one, asked.get(one.id, [])) for one in plan.targets}
    room = width - len(INDENT) - max(map(len, rests.values()), default=0)
    space = min(WIDEST_NAME, max(NARROWEST_NAME, room))
    lines: list[str] = ["Targets"]
    for endpoint, some in itertools.groupby(plan.targets, key=lambda one: one.endpoint):
        targets = list(some)
        heading = f"{endpoint}: {targets[0].service} ({_need(targets[0])}){_gateway(targets[0])}"
        lines.append(wrap(heading, first="  ", width=width))
        lines += [_target(one, rests[one.id], space=space) for one in targets]
    return "\n".join(lines if plan.targets else [*lines, "  none"]) + "\n"


def _need(target: Target) -> str:
    return f"{target.need}: {target.condition}" if target.condition else target.need


def _gateway(target: Target) -> str:
    """Say what the Azure Arc gateway in use means for a row, and why."""
    if target.gateway is None:
        return ""
    word = target.gateway.word
    return "; gateway: not documented" if word is None else f"; gateway: {word}, {target.gateway.why}"


def _target(one: Target, rest: str, *, space: int) -> str:
    """Lay out a target; a name that leaves no room for the rest gets a line of its own."""
    host = one.pattern if one.sample is SampleKind.RANDOM else one.host
    url = f"{one.protocol}://{host_port(host, one.port)}"
    first = f"{url:<{space}}" if len(url) <= space else f"{url}\n{INDENT}{'':<{space}}"
    return f"{INDENT}{first}{rest}"


def _sample_and_sources(one: Target, probes: list[Probe]) -> str:
    """Render a target's sample kind, and its sources and paths."""
    sources = dict.fromkeys(_source_and_path(probe) for probe in probes)
    return f"  {one.sample:<10}  {', '.join(sources)}".rstrip()


def _source_and_path(probe: Probe) -> str:
    to = probe.connect_to
    path = " via proxy" if probe.via_proxy else f" direct ({probe.bypassed_by})" if probe.bypassed_by else ""
    if probe.route is not None:
        path = f" by {probe.route}" + (f", direct ({probe.bypassed_by})" if probe.bypassed_by else "")
    if probe.contrast:
        path = f"{path or ' direct'} to compare"
    return probe.source + path + (f" to {host_port(to.address, to.port)}" if to else "")


def _unsampled(plan: Plan, *, width: int) -> str:
    if not plan.unsampled:
        return ""
    rows = [("ENDPOINT", "NEED", "WHY")]
    rows += [(one.endpoint, one.need, f"{one.pattern}: {one.why}") for one in plan.unsampled]
    required = sum(one.need is Need.REQUIRED for one in plan.unsampled)
    return f"Not probed ({required} required)\n" + table(rows, width=width)


def _coverage(plan: Plan, *, width: int) -> str:
    """List sampled wildcards; the others are listed as not probed."""
    lines = (
        f"{one.pattern} ({one.endpoint}): {', '.join(one.kinds)}" + (f"; {one.note}" if one.note else "")
        for one in plan.coverage
        if one.kinds
    )
    return _bullets("Wildcards and their samples", lines, width=width)


def _controls(plan: Plan, *, width: int) -> str:
    lines = (f"{one.id}: {_action(one)}: {one.why}" for one in plan.controls)
    return _bullets("Controls", lines, width=width)


def _action(control: ControlPlan) -> str:
    if control.kind is ControlKind.KNOWN_GOOD:
        return f"probe {control.protocol}://{host_port(control.host, control.port)}"
    place = host_port(control.address, control.port) if control.address is not None else "every resolver"
    return f"query {control.host} at {place}" if control.host else f"connect to {place}"


def _bullets(title: str, lines: Iterable[str], *, width: int) -> str:
    found = [wrap(line, first="  - ", rest="    ", width=width) for line in lines]
    return "\n".join([title, *found]) + "\n" if found else ""
