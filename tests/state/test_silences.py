"""Silences in `maintenance.json`: round trip, permissions, links, damaged files, limits."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.alert import Silence
from egressd.model.notification import Scope
from egressd.state.silences import (
    FILE,
    LARGEST,
    MOST,
    SilencesFileError,
    locked,
    read_silences,
    write_silences,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ONE = Silence(
    name="change-7",
    began="2026-11-21T11:00:00.000Z",
    ends="2026-11-21T13:00:00.000Z",
    reason="new firewall, größer",
    by="root",
    scope=Scope(sources=("appliance-1",), targets=("*.corp.example", "a")),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Silences are read back equal; expired ones are not."""
    over = replace(ONE, name="over", ends="2026-11-21T12:00:00.000Z")
    other = replace(ONE, name="other", reason="", by="", scope=Scope())
    write_silences(tmp_path, (ONE, over, other), now=NOW)
    assert read_silences(tmp_path) == (ONE, other)
    assert [one.name for one in tmp_path.iterdir()] == [FILE]


def test_nothing_is_open_without_a_file(tmp_path: Path) -> None:
    """A missing file or folder means no silences."""
    assert read_silences(tmp_path) == ()
    assert read_silences(tmp_path / "absent") == ()


def test_the_daemons_user_can_read_what_root_wrote(tmp_path: Path) -> None:
    """The file's mode is 0644 with any umask."""
    before = os.umask(0o077)
    try:
        write_silences(tmp_path, (ONE,), now=NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o644


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    """A symbolic link is replaced, so that nothing is written or read elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept", encoding="utf-8")
    state = tmp_path / "state"
    state.mkdir()
    (state / FILE).symlink_to(elsewhere)
    with pytest.raises(SilencesFileError, match="cannot read"):
        read_silences(state)
    write_silences(state, (ONE,), now=NOW)
    assert elsewhere.read_text(encoding="utf-8") == "kept"
    assert read_silences(state) == (ONE,)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_pipe, _folder])
def test_a_path_that_is_no_regular_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe or folder is an error at once; reading a pipe without a writer would hang."""
    make(tmp_path / FILE)
    with pytest.raises(SilencesFileError, match=f"cannot read {tmp_path / FILE}: "):
        read_silences(tmp_path)


def row(**changes: Any) -> dict[str, Any]:
    """Return a silence's JSON object, with changes."""
    made = {
        "name": "a",
        "began": ONE.began,
        "ends": ONE.ends,
        "reason": "",
        "by": "",
        "sources": [],
        "targets": [],
    }
    return {**made, **changes}


def document(*rows: Any, **changes: Any) -> bytes:
    """Return the file's text."""
    return json.dumps({"schema": "egressd.maintenance/1", "windows": list(rows), **changes}).encode()


def test_the_base_row_of_the_damaged_files_is_valid(tmp_path: Path) -> None:
    """The row that the damaged ones are made from is valid."""
    (tmp_path / FILE).write_bytes(document(row()))
    assert [one.name for one in read_silences(tmp_path)] == ["a"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (LARGEST + 1) + b"{}",
        document(schema="egressd.maintenance/2"),
        document(more=1),
        document(windows={}),
        document(*[row(name=f"n{number}") for number in range(MOST + 1)]),
        document(row(), row()),
        document("a"),
        document({}),
        document(row(more=1)),
        document(row(name="")),
        document(row(name=5)),
        document(row(reason="two\nlines")),
        document(row(reason="x" * 301)),
        document(row(ends="later")),
        document(row(ends="2026-11-21T13:00:00")),
        document(row(ends="2026-11-21T13:00:00+01:00")),
        document(row(ends=ONE.began)),
        document(row(sources="a")),
        document(row(targets=[5])),
        document(row(targets=["a"] * 101)),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, data: bytes) -> None:
    """A damaged file is an EgressdError with the path and the remedy."""
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(SilencesFileError) as caught:
        read_silences(tmp_path)
    said = str(caught.value)
    assert said.startswith(f"cannot use {tmp_path / FILE}: ")
    assert said.endswith("; remove it and open your silences again")
    assert "\n" not in said
    assert len(said) < 600


@settings(max_examples=150)
@given(data=st.binary(max_size=300) | st.dictionaries(st.text(max_size=8), st.text()).map(document))
def test_any_bytes_are_silences_or_an_error(tmp_path: Path, data: bytes) -> None:
    """Any bytes give silences or an EgressdError, never another exception."""
    (tmp_path / FILE).write_bytes(data)
    try:
        found = read_silences(tmp_path)
    except SilencesFileError:
        return
    assert found == ()


def test_too_many_silences_are_refused(tmp_path: Path) -> None:
    """Silences beyond the limit are refused, and the file is unchanged."""
    write_silences(tmp_path, (ONE,), now=NOW)
    many = [replace(ONE, name=f"n{number}") for number in range(MOST + 1)]
    with pytest.raises(SilencesFileError, match="are open already"):
        write_silences(tmp_path, many, now=NOW)
    large = [replace(ONE, name=f"n{number}", scope=Scope(targets=("x" * 300,) * 100)) for number in range(20)]
    with pytest.raises(SilencesFileError, match="too many patterns"):
        write_silences(tmp_path, large, now=NOW)
    assert read_silences(tmp_path) == (ONE,)


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    """Where the file can't be replaced, the temporary file is deleted."""
    (tmp_path / FILE / "x").mkdir(parents=True)
    with pytest.raises(SilencesFileError, match="cannot write to"):
        write_silences(tmp_path, (ONE,), now=NOW)
    assert [one.name for one in tmp_path.iterdir()] == [FILE]


def test_writers_are_locked(tmp_path: Path) -> None:
    """A lock keeps concurrent writers from overwriting each other; a missing folder is an error."""
    with (
        locked(tmp_path),
        pytest.raises(SilencesFileError, match="another process is changing"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        write_silences(tmp_path, (ONE,), now=NOW + timedelta(minutes=1))
    with pytest.raises(SilencesFileError, match="no state directory"), locked(tmp_path / "absent"):
        pass
