"""Headers of every answer: whose it is, that nothing keeps it, and what a browser may do with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.conftest import Start
from tests.web.test_access import hashed, write

EVERY = {
    "Server": "egressd",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/metrics", 200),
        ("GET", "/-/healthy", 200),
        ("GET", "/-/ready", 503),
        ("GET", "/api/v1/sweep", 503),
        ("GET", "/api/v1/targets", 200),
        ("GET", "/probe?target=x", 403),
        ("POST", "/-/reload", 403),
        ("GET", "/nothing", 404),
        ("DELETE", "/metrics", 405),
        ("OPTIONS", "/api/v1/alerts", 405),
    ],
)
async def test_every_answer_has_them(start: Start, method: str, path: str, status: int) -> None:
    """Pages, refusals and errors say whose they are and may not be kept, framed or embedded."""
    running = await start()
    async with running.session.request(method, running.url(path)) as answer:
        assert answer.status == status
        assert {name: answer.headers.get(name) for name in EVERY} == EVERY
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_refused_login_and_an_unknown_expectation_have_them(start: Start, tmp_path: Path) -> None:
    """What is refused before any page is asked has them too."""
    running = await start(config_file=write(tmp_path, f'basic_auth_users: {{ops: "{hashed("x")}"}}\n'))
    for headers, status in (({}, 401), ({"Expect": "a miracle"}, 417)):
        async with running.session.post(running.url("/-/reload"), headers=headers) as answer:
            assert answer.status == status
            assert {name: answer.headers.get(name) for name in EVERY} == EVERY
