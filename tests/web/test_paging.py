"""`/api/v1/targets` in pages: nothing twice, nothing left out, and every mistake said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from egressd.web.api import paging
from tests.metrics.snapshots import Row, make_snapshot, make_sweep
from tests.web.conftest import Running, Start

SWEEP = make_sweep(*(Row(host=f"host-{number}.example") for number in range(7)))
IDS = [one.id for one in SWEEP.recording.plan.targets]


async def ask(running: Running, **query: str) -> dict[str, Any]:
    """Ask for a page."""
    status, text = await running.get("/api/v1/targets", params=query)
    assert status == 200, text
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_pages_have_every_target_once(start: Start, limit: int) -> None:
    """Going on after `next` until there is none gives all targets, in their order."""
    running = await start(make_snapshot(SWEEP))
    page = await ask(running, limit=str(limit))
    found = [one["id"] for one in page["targets"]]
    while page["next"] is not None:
        page = await ask(running, limit=str(limit), after=page["next"])
        assert 1 <= len(page["targets"]) <= limit
        found += [one["id"] for one in page["targets"]]
    assert (found, page["total"]) == (IDS, len(IDS))


async def test_one_page_is_bounded_where_nobody_asks(start: Start) -> None:
    """A site that is larger than a page says where to go on; before the first sweep there is nothing."""
    running = await start()
    assert await ask(running) == {**await ask(running), "total": 0, "next": None, "targets": []}
    many = make_sweep(*(Row(host=f"h{number}.example") for number in range(paging.MOST_LISTED + 1)))
    running.holder.update(sweep=many)
    page = await ask(running)
    assert len(page["targets"]) == paging.MOST_LISTED
    last = await ask(running, after=page["next"])
    assert ([one["host"] for one in last["targets"]], last["next"]) == (
        [f"h{paging.MOST_LISTED}.example"],
        None,
    )


@pytest.mark.parametrize(
    "query",
    [
        [("limit", "0")],
        [("limit", "5001")],
        [("limit", "-1")],
        [("limit", "\u0663")],
        [("limit", "9" * 5000)],
        [("limit", "1"), ("limit", "2")],
        [("after", "gone/nowhere.example:443")],
        [("page", "2")],
    ],
)
async def test_what_can_not_be_is_refused(start: Start, query: list[tuple[str, str]]) -> None:
    """A page that can't be told is an error of its own, without a word of the request."""
    running = await start(make_snapshot(SWEEP))
    status, text = await running.get("/api/v1/targets", params=query)
    assert (status, list(json.loads(text))) == (400, ["error"])
    assert "gone/nowhere" not in text
