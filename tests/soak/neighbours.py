"""Hostile peers of every kind in a process of their own, which change what they do all the time.

`python -m tests.soak.neighbours SEED` prints the ports as JSON, and serves until stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from contextlib import AsyncExitStack

from egressd.lab.leaf import LeafKind
from tests.hostile.peers import HEADS, Edit, Ending, Script, running

KINDS = ("broken", "odd", "h2", "http")
PEERS = 2
CHANGE_EVERY = 2.0
"""Seconds between two changes of what the peers do."""
EDITS = ("flip", "cut", "insert", "overwrite", "repeat", "replace")


def any_script(choose: random.Random) -> Script:
    """Return what a peer does for some seconds."""

    def edits() -> tuple[Edit, ...]:
        return tuple(
            Edit(choose.choice(EDITS), choose.random(), choose.randbytes(choose.randrange(1, 40)))
            for _ in range(choose.choice((0, 0, 1, 2)))
        )

    return Script(
        flight=edits(),
        certificates=edits(),
        kind=choose.choice(tuple(LeafKind)),
        tls12=choose.random() < 0.5,
        head=choose.choice(HEADS),
        http=edits(),
        frames=edits(),
        ending=choose.choice(tuple(Ending)),
    )


async def serve(seed: str) -> None:
    """Serve until stdin ends."""
    choose = random.Random(seed)
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(running(any_script(choose))) for _ in range(PEERS)]
        ports = {f"{kind}-{number}": one.ports[kind] for number, one in enumerate(peers) for kind in KINDS}
        print(json.dumps(ports), flush=True)  # noqa: T201 - the parent reads it
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        while not ended.done():
            for one in peers:
                one.script = any_script(choose)
            await asyncio.wait([ended], timeout=CHANGE_EVERY)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
