"""The real prober, without a sweep: what it reads again while it runs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from egressd.daemon.sweeping.prober import prepare
from egressd.errors import ConfigError
from egressd.lab import Lab


@pytest.mark.parametrize("text", [None, "half of a certif"])
async def test_a_trust_store_that_is_gone_does_not_end_the_daemon(tmp_path: Path, text: str | None) -> None:
    """It is read once an hour, perhaps while somebody writes it; what was read before stays meanwhile."""
    store = tmp_path / "roots.pem"
    async with Lab() as lab:
        given = lab.settings()
        shutil.copy(str(given.trust.store), store)
        settings = replace(given, trust=replace(given.trust, store=str(store)))
        prober = prepare(settings, lab.catalog, identity="here")
        before = prober.context.store
        store.unlink()
        if text is not None:
            store.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError):
            prepare(settings, lab.catalog, identity="here")
        await prober.refresh()
        assert prober.context.store is before
        shutil.copy(str(given.trust.store), store)
        await prober.refresh()
        assert prober.context.store is not before
