"""The documented calls that expand wildcards at plan time. Bounded; a miss is a note, not an error."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import replace

from egressd.model.catalog import Discovery, DiscoveryCall
from egressd.model.endpoint import Protocol
from egressd.model.observation import Observation
from egressd.model.plan import Probe
from egressd.net.exchange import fetch
from egressd.probe.budget import Deadline, run_until
from egressd.probe.candidates import Candidate, find_candidates
from egressd.probe.context import ProbeContext
from egressd.probe.conversation import ALPN, Conversation, build_request
from egressd.probe.via_proxy import connect_to_proxy, find_proxy_candidates, proxy_of

SECONDS = 6.0
"""All calls together; they run at the same time."""
MOST_BYTES = 256 * 1024
MOST_HOSTS = 2000
HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63})+")


async def discover(
    calls: Iterable[DiscoveryCall], context: ProbeContext, *, region: str, stop: asyncio.Event
) -> tuple[Discovery, ...]:
    """Make the calls and return what each gave; `stop` ends them early.

    A call leaves along the path that the probe of its host has in the plan.
    """
    calls = tuple(calls)
    known = {(one.host, one.port): one for one in context.plan.probes if not one.contrast}
    found: dict[str, Discovery] = {}

    async def ask(call: DiscoveryCall) -> None:
        found[call.name] = await _call(call, context, region=region, known=known.get((call.host, 443)))

    await run_until(stop, [ask(call) for call in calls], seconds=SECONDS)
    late = "no answer in time"
    return tuple(found.get(call.name) or Discovery(name=call.name, hosts=(), note=late) for call in calls)


async def _call(call: DiscoveryCall, context: ProbeContext, *, region: str, known: Probe | None) -> Discovery:
    if known is None:
        return Discovery(name=call.name, hosts=(), note=f"{call.host} was not asked: no probe of its own")
    probe = replace(
        known, protocol=Protocol.HTTPS, url_path=call.path.replace("{region}", region), siblings=()
    )
    seen: list[Observation] = []
    body = await _get(probe, context, seen)
    hosts = parse_hosts(call.answer, body) if body is not None else ()
    if hosts:
        return Discovery(name=call.name, hosts=hosts)
    return Discovery(name=call.name, hosts=(), note=_note(call, seen))


async def _get(probe: Probe, context: ProbeContext, seen: list[Observation]) -> bytes | None:
    """Fetch over the first address that answers; None where none did."""
    deadline = Deadline.after(SECONDS)
    find = find_proxy_candidates if probe.via_proxy else find_candidates
    candidates, trails = await find(probe, context, source=context.source(probe.source), deadline=deadline)
    seen.extend(one for trail in trails for one in trail.observations)
    for candidate in candidates:
        conversation = Conversation(
            probe=probe, context=context, deadline=deadline, seen=seen, store=context.store
        )
        try:
            body = await _ask(conversation, candidate)
        finally:
            conversation.close()
        if body is not None:
            return body
    return None


async def _ask(conversation: Conversation, candidate: Candidate) -> bytes | None:
    """Make the request at one address, or by the proxy at that address."""
    probe, deadline = conversation.probe, conversation.deadline
    if not await _reach(conversation, candidate) or not await conversation.start_tls(probe.host, alpn=ALPN):
        return None
    if conversation.stream is None:
        return None
    observation, body = await fetch(
        conversation.stream,
        build_request(probe),
        alpn=conversation.alpn,
        timeout=deadline.left(SECONDS),
        limit=MOST_BYTES,
    )
    conversation.seen.append(observation)
    return body if observation.status == 200 else None


async def _reach(conversation: Conversation, candidate: Candidate) -> bool:
    probe = conversation.probe
    if not probe.via_proxy:
        return await conversation.dial(candidate.dial_address, candidate.dial_port or probe.port)
    proxy = proxy_of(probe, conversation.context)
    return await connect_to_proxy(conversation, proxy, candidate.dial_address) and await conversation.tunnel(
        proxy
    )


def _note(call: DiscoveryCall, seen: list[Observation]) -> str:
    """Say in one line why a call gave nothing."""
    failed = next((one for one in reversed(seen) if one.failure is not None), None)
    if failed is None:
        return f"{call.host} answered, but named no host"
    return f"{call.host} could not be asked: {failed.phase} {failed.failure}"


def parse_hosts(answer: str, body: bytes) -> tuple[str, ...]:
    """Return the host names of an answer, in order, without repeats; () where it is no such answer.

    `json-hosts` is an array of names; `his-region` is one name or URL, bare or inside JSON.
    """
    text = body.decode("utf-8", "replace").strip()
    if answer == "json-hosts":
        return _hosts(_strings(text))
    return _hosts(HOST.findall(text.lower()))


def _strings(text: str) -> list[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _hosts(found: Iterable[str]) -> tuple[str, ...]:
    names = (one.strip().lower().removeprefix("https://").split("/")[0] for one in found)
    return tuple(dict.fromkeys(name for name in names if HOST.fullmatch(name)))[:MOST_HOSTS]
