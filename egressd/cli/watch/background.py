"""Tasks beside a block of code, which end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def in_background(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run coroutines until the block ends; the first error of any is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            yield
            for one in tasks:
                one.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
