"""One probe through an explicit proxy: connect to the proxy, open a tunnel, run the same phases inside it.

The proxy resolves the target's name, so only the proxy's name is looked up here.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from egressd.destination import DEFAULT_PORTS
from egressd.model.endpoint import Protocol
from egressd.model.observation import Phase
from egressd.model.plan import ControlPlan, Probe
from egressd.model.recording import Trail
from egressd.model.settings import SYSTEM_RESOLVER, Proxy, Resolver, Source
from egressd.net.tunnel import proxy_auth_headers
from egressd.probe.budget import Deadline
from egressd.probe.candidates import Candidate, find_candidates
from egressd.probe.context import ProbeContext
from egressd.probe.conversation import Conversation, build_request, tls_and_http


def proxy_of(probe: Probe, context: ProbeContext) -> Proxy:
    """Return the proxy that a probe goes through."""
    proxy = context.plan.proxy_of(probe)
    if proxy is None:
        raise RuntimeError(f"probe {probe.id} goes through a proxy, but the plan has none")
    return proxy


async def find_proxy_candidates(
    probe: Probe, context: ProbeContext, *, source: Source, deadline: Deadline
) -> tuple[tuple[Candidate, ...], tuple[Trail, ...]]:
    """Return the addresses of the proxy of a probe, and a trail for each DNS answer that adds none."""
    host = urlsplit(proxy_of(probe, context).url).hostname or ""
    hop = replace(probe, host=host, siblings=(), connect_to=None)
    if host == "localhost":  # no question for DNS servers (RFC 6761 section 6.3)
        context = replace(context, resolvers=(Resolver(name=SYSTEM_RESOLVER),))
    return await find_candidates(hop, context, source=source, deadline=deadline)


async def run_probe_via_proxy(
    probe: Probe, context: ProbeContext, *, source: Source, deadline: Deadline
) -> tuple[Trail, ...]:
    """Run a probe through its proxy.

    In each attempt the addresses of the proxy are tried in turn, as clients do, until one accepts the
    connection. Attempts are made as planned. Every try leaves a trail.
    """
    proxy = proxy_of(probe, context)
    candidates, others = await find_proxy_candidates(probe, context, source=source, deadline=deadline)
    if not candidates:
        return tuple(replace(trail, path=proxy.url) for trail in others)
    trails: list[Trail] = []
    for attempt in range(1, context.limits.attempts + 1):
        for candidate in candidates:
            conversation = Conversation(probe=probe, context=context, deadline=deadline)
            await converse_via_proxy(conversation, proxy, candidate.dial_address)
            trails.append(candidate.trail(source, seen=conversation.seen, path=proxy.url, attempt=attempt))
            if not _connect_failed(trails[-1]) or deadline.left(1.0) == 0.0:
                break
        if deadline.left(1.0) == 0.0:
            break
    return tuple(trails)


def _connect_failed(trail: Trail) -> bool:
    return trail.last is not None and trail.last.phase is Phase.TCP and trail.last.failure is not None


async def converse_via_proxy(
    conversation: Conversation, proxy: Proxy, address: str, *, authority: str = ""
) -> None:
    """Run all phases through the proxy at an address, then close the connection."""
    probe = conversation.probe

    async def connect() -> bool:
        return await connect_to_proxy(conversation, proxy, address) and await conversation.tunnel(
            proxy, authority=authority
        )

    try:
        if probe.protocol is Protocol.HTTP:
            request = replace(build_request(probe, absolute=True), headers=proxy_auth_headers(proxy))
            if await connect_to_proxy(conversation, proxy, address):
                await conversation.request(request)
        elif await connect():
            await tls_and_http(conversation, build_request(probe), reconnect=connect)
    finally:
        conversation.close()


async def connect_to_proxy(conversation: Conversation, proxy: Proxy, address: str) -> bool:
    """Connect to the proxy, with TLS for `https://`; return whether that succeeded."""
    url = urlsplit(proxy.url)
    if not await conversation.dial(address, url.port or DEFAULT_PORTS[url.scheme]):
        return False
    store = conversation.context.store_of(proxy)
    return url.scheme != "https" or await conversation.start_tls(url.hostname or "", alpn=(), store=store)


async def tunnel_via_proxy(conversation: Conversation, address: str, *, authority: str) -> bool:
    """Open a tunnel through the proxy of a conversation at an address; return whether it was granted."""
    proxy = proxy_of(conversation.probe, conversation.context)
    connected = await connect_to_proxy(conversation, proxy, address)
    return connected and await conversation.tunnel(proxy, authority=authority)


async def run_control_via_proxy(conversation: Conversation, control: ControlPlan) -> str:
    """Run a control in a tunnel to its `tunnel` authority; return the path, the proxy's URL."""
    proxy = proxy_of(conversation.probe, conversation.context)
    if control.address is None:
        raise RuntimeError(f"control {control.id} does not say where the proxy is")
    await converse_via_proxy(conversation, proxy, control.address, authority=control.tunnel)
    return proxy.url
