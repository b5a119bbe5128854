"""The CA file of a receiver, read at each delivery: it may have become anything meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from egressd.notify.transport.tls import tls_context


@pytest.mark.parametrize("kind", ["pipe", "folder", "missing", "device"])
async def test_what_is_no_file_delays_no_delivery(tmp_path: Path, kind: str) -> None:
    """A pipe is not waited for: each try would hold a thread for ever."""
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "folder":
        path.mkdir()
    with pytest.raises(OSError, match=r"not a file|No such file"):
        await tls_context(str(path))
