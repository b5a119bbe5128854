"""The log stream: it never fails and never waits; what it loses it counts, and says once it can."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from egressd.cli.log.stream import LogStream

PATIENCE = 30.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: its reading and its writing end."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_lines_arrive_in_order(pipe: tuple[int, int]) -> None:
    """Lines of several threads arrive whole."""
    stream = LogStream(pipe[1])
    writers = [
        threading.Thread(target=lambda: [stream.write(f"{'x' * 500}\n") for _ in range(50)]) for _ in range(4)
    ]
    for one in writers:
        one.start()
    with os.fdopen(os.dup(pipe[0]), "rb") as file:
        assert [len(file.readline()) for _ in range(200)] == [501] * 200
    for one in writers:
        one.join()
    assert stream.lost == 0


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_never_reads_stops_nobody(pipe: tuple[int, int], *, blocking: bool) -> None:
    """With the pipe full, writing returns at once; what is too much is lost, and said once it is read."""
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    stream = LogStream(writer, waiting=10_000)
    for number in range(500):
        stream.write(f"{number:04}{'x' * 995}\n")
    lost = stream.lost
    assert lost > 400
    stream.write("the end\n")
    counts, seen = list[int](), list[bytes]()
    with os.fdopen(os.dup(reader), "rb") as file:
        while sum(counts) < stream.lost or b"the end\n" not in seen:
            seen.append(file.readline())
            if b" log lines were lost" in seen[-1]:
                counts.append(int(seen[-1].split()[0]))
            if len(seen) == 500 - lost:  # the queue has room again
                stream.write("the end\n")
    assert sum(counts) == stream.lost
    assert all(len(one) in (8, 1000) for one in seen if b"lost" not in one)


def test_a_closed_pipe_loses_lines_until_it_is_open_again(tmp_path: Path) -> None:
    """Lines without a reader are lost; the next reader sees how many they were, and no part of them."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    first = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    stream = LogStream(writer)
    os.close(first)
    for _ in range(3):
        stream.write("nobody hears\n")
    stream.drain(PATIENCE)
    assert stream.lost == 3
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        stream.write("two\n")
        stream.drain(PATIENCE)
        assert file.read() == b"two\n3 log lines were lost\n"
        stream.write("three\n")
        stream.drain(PATIENCE)
        assert file.read() == b"three\n"
    os.close(writer)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EBADF, errno.EPIPE, errno.EDQUOT])
def test_a_torn_line_is_ended(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A line of which a part was written does not run into the next one."""
    write, fail = os.write, threading.Event()

    def sometimes(target: int, data: memoryview) -> int:
        if target != pipe[1]:
            return write(target, data)
        if fail.is_set():
            raise OSError(number, os.strerror(number))
        if bytes(data).startswith(b"torn"):
            fail.set()
            return write(target, data[:4])
        return write(target, data)

    monkeypatch.setattr(os, "write", sometimes)
    stream = LogStream(pipe[1])
    stream.write("torn line\n")
    stream.write("lost\n")
    stream.drain(PATIENCE)
    fail.clear()
    stream.write("whole\n")
    stream.drain(PATIENCE)
    assert os.read(pipe[0], 1000) == b"torn\nwhole\n2 log lines were lost\n"
    assert stream.lost == 2


def test_any_text_can_be_written(pipe: tuple[int, int]) -> None:
    """Half of a surrogate pair, as in a file's name, is escaped."""
    LogStream(pipe[1]).write("a\udcffb\n")
    assert os.read(pipe[0], 100) == b"a\\udcffb\n"
