"""Files that people name: whatever a path leads to, reading ends soon, with the bytes or with one error."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from egressd import inputfile
from egressd.errors import UnreadableFileError
from egressd.inputfile import is_file, is_folder, read_file, read_file_or_pipe

KINDS = ("missing", "folder", "pipe", "socket", "loop", "through", "long", "longer", "null", "surrogate")


def place(kind: str, folder: Path) -> Path:
    """Make something that is no readable file; return its path."""
    match kind:
        case "folder":
            (folder / kind).mkdir()
        case "pipe":
            os.mkfifo(folder / kind)
        case "socket":
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(folder / kind))
        case "loop":
            (folder / kind).symlink_to(folder / kind)
        case "through":
            (folder / "file").write_text("x", encoding="ascii")
            return folder / "file" / "inside"
    names = {"long": "x" * 300, "longer": "d/" * 3000 + "x", "null": "a\0b", "surrogate": "\ud800"}
    return folder / names.get(kind, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_one_error(kind: str, tmp_path: Path) -> None:
    """Every path that leads to no regular file is the same error, and no file; nothing waits."""
    path = place(kind, tmp_path)
    with pytest.raises(UnreadableFileError, match="cannot read "):
        read_file(path, limit=10)
    assert not is_file(path)
    assert is_folder(path) == (kind == "folder")


@pytest.mark.parametrize("kind", [one for one in KINDS if one != "pipe"])
def test_what_is_no_file_and_no_pipe_is_one_error(kind: str, tmp_path: Path) -> None:
    """The reader that takes pipes refuses everything else in the same way."""
    with pytest.raises(UnreadableFileError, match="cannot read "):
        read_file_or_pipe(place(kind, tmp_path), limit=10)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/urandom"])
def test_an_endless_device_is_read_up_to_the_limit(device: str) -> None:
    """A device that never ends gives one byte beyond the limit, and is no file."""
    assert len(read_file_or_pipe(Path(device), limit=5000)) == 5001
    with pytest.raises(UnreadableFileError, match="it is a device, not a file"):
        read_file(Path(device), limit=10)


def test_an_empty_device_is_empty() -> None:
    """`/dev/null` is an empty file."""
    assert read_file_or_pipe(Path("/dev/null"), limit=10) == b""


def test_the_limit_is_exceeded_by_one(tmp_path: Path) -> None:
    """A reader sees that there is more than it wants, and reads no more."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert len(read_file(path, limit=10)) == len(read_file_or_pipe(path, limit=10)) == 11
    assert len(read_file(path, limit=100)) == 100


def test_a_slow_writer_of_a_pipe_is_waited_for(tmp_path: Path) -> None:
    """A pipe is read to its end, though its writer comes late and pauses."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        time.sleep(0.2)
        with pipe.open("wb", buffering=0) as file:
            file.write(b"first ")
            time.sleep(0.2)
            file.write(b"second")

    writer = threading.Thread(target=write)
    writer.start()
    assert read_file_or_pipe(pipe, limit=100) == b"first second"
    writer.join()


def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody opens is an error after a while, not an empty file."""
    monkeypatch.setattr(inputfile, "FIRST_WRITER", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UnreadableFileError, match="nothing came from it"):
        read_file_or_pipe(pipe, limit=100)


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_writer_that_never_ends_is_not_waited_for(drip: bytes) -> None:
    """A pipe that stays open, silent or dripping, is an error after the time limit."""
    reader, writer = os.pipe()
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.02):
            os.write(writer, drip)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with pytest.raises(UnreadableFileError, match=r"not complete after|gave no end"):
            read_file_or_pipe(Path(f"/dev/fd/{reader}"), limit=100_000, complete=0.3)
    finally:
        done.set()
        thread.join()
        os.close(reader)
        os.close(writer)
