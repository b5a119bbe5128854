"""Discovery: documented HTTPS calls whose answer expands a wildcard. A failed call is only a note."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable

from msgspec.structs import replace

from egressd.bugs import report_bug
from egressd.clock import monotonic
from egressd.errors import Part, describe_bug
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
"""For all calls; they run concurrently."""
MAX_BYTES = 256 * 1024
MAX_HOSTS = 2000
HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63})+")


async def discover(
    calls: Iterable[DiscoveryCall], context: ProbeContext, *, region: str, stop: asyncio.Event
) -> tuple[Discovery, ...]:
    """Make the calls and return the hosts of each; `stop` ends them early.

    A call takes the path (direct or proxy) that the probe of its host has in the plan. Where this host paused
    meanwhile, all are made once more.
    """
    calls = tuple(calls)
    known = {(one.host, one.port): one for one in context.plan.probes if not one.contrast}
    found: dict[str, Discovery] = {}

    async def run(call: DiscoveryCall) -> None:
        try:
            found[call.name] = await _run_call(
                call, context, region=region, known=known.get((call.host, 443))
            )
        except Exception as bug:  # noqa: BLE001 - it is reported, and ends this call only
            report_bug(Part.DISCOVERY, bug, call=call.name)
            found[call.name] = Discovery(
                name=call.name, hosts=(), note=f"internal error: {describe_bug(bug)}"
            )

    with context.pauses.watch(context.limits):
        begun = monotonic()
        await run_until(stop, [run(call) for call in calls], seconds=SECONDS, pauses=context.pauses)
        if context.pauses.since(begun):
            await run_until(stop, [run(call) for call in calls], seconds=SECONDS)
    late = "no answer in time"
    return tuple(found.get(call.name) or Discovery(name=call.name, hosts=(), note=late) for call in calls)


async def _run_call(
    call: DiscoveryCall, context: ProbeContext, *, region: str, known: Probe | None
) -> Discovery:
    if known is None:
        note = f"{call.host} was not requested: the plan has no probe of it"
        return Discovery(name=call.name, hosts=(), note=note)
    probe = replace(
        known, protocol=Protocol.HTTPS, url_path=call.path.replace("{region}", region), siblings=()
    )
    seen: list[Observation] = []
    body = await _fetch_body(probe, context, seen)
    hosts = parse_hosts(call.answer, body) if body is not None else ()
    if hosts:
        return Discovery(name=call.name, hosts=hosts)
    return Discovery(name=call.name, hosts=(), note=_failure_note(call, seen))


async def _fetch_body(probe: Probe, context: ProbeContext, seen: list[Observation]) -> bytes | None:
    """Return the body from the first address that gives one; None where none does."""
    deadline = Deadline.after(SECONDS)
    find = find_proxy_candidates if probe.via_proxy else find_candidates
    candidates, trails = await find(probe, context, source=context.source(probe.source), deadline=deadline)
    seen.extend(one for trail in trails for one in trail.observations)
    for candidate in candidates:
        conversation = Conversation(probe=probe, context=context, deadline=deadline, seen=seen)
        try:
            body = await _fetch_from(conversation, candidate)
        finally:
            conversation.close()
        if body is not None:
            return body
    return None


async def _fetch_from(conversation: Conversation, candidate: Candidate) -> bytes | None:
    """Send the request to one address, of the host or of its proxy."""
    probe, deadline = conversation.probe, conversation.deadline
    if not await _connect(conversation, candidate) or not await conversation.start_tls(probe.host, alpn=ALPN):
        return None
    if conversation.stream is None:
        return None
    observation, body = await fetch(
        conversation.stream,
        build_request(probe),
        alpn=conversation.alpn,
        timeout=deadline.left(SECONDS),
        limit=MAX_BYTES,
    )
    conversation.seen.append(observation)
    return body if observation.status == 200 else None


async def _connect(conversation: Conversation, candidate: Candidate) -> bool:
    probe = conversation.probe
    if not probe.via_proxy:
        return await conversation.dial(candidate.dial_address, candidate.dial_port)
    proxy = proxy_of(probe, conversation.context)
    return await connect_to_proxy(conversation, proxy, candidate.dial_address) and await conversation.tunnel(
        proxy
    )


def _failure_note(call: DiscoveryCall, seen: list[Observation]) -> str:
    """Return in one line why a call gave no hosts."""
    failed = next((one for one in reversed(seen) if one.failure is not None), None)
    if failed is None:
        return f"{call.host} answered without a host name"
    return f"the request to {call.host} failed: {failed.phase} {failed.failure}"


def parse_hosts(answer: str, body: bytes) -> tuple[str, ...]:
    """Return the host names in an answer, in order, without duplicates; () where it has none.

    `json-hosts` is an array of names; `his-region` is one name or URL, bare or inside JSON.
    """
    text = body.decode("utf-8", "replace").strip()
    if answer == "json-hosts":
        return _valid_hosts(_json_strings(text))
    return _valid_hosts(HOST.findall(text.lower()))


def _json_strings(text: str) -> list[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _valid_hosts(found: Iterable[str]) -> tuple[str, ...]:
    names = (one.strip().lower().removeprefix("https://").split("/")[0] for one in found)
    return tuple(dict.fromkeys(name for name in names if HOST.fullmatch(name)))[:MAX_HOSTS]
