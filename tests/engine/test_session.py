"""A session without a sweep: what it reads again while it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.engine.session import Session
from egressd.errors import ConfigError
from egressd.lab import Lab


@pytest.mark.parametrize("text", [None, "half of a certif"])
async def test_a_trust_store_that_is_gone_does_not_end_the_daemon(tmp_path: Path, text: str | None) -> None:
    """It is read once an hour, perhaps while it is written; what was read before stays meanwhile."""
    store = tmp_path / "roots.pem"
    async with Lab() as lab:
        given = lab.settings()
        shutil.copy(str(given.trust.store), store)
        settings = replace(given, trust=replace(given.trust, store=str(store)))
        session = Session(settings, lab.catalog)
        before = session.context.store
        store.unlink()
        if text is not None:
            store.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError):
            Session(settings, lab.catalog)
        await session.refresh()
        assert session.context.store is before
        shutil.copy(str(given.trust.store), store)
        await session.refresh()
        assert session.context.store is not before
