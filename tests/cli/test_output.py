"""Reports go where they are asked to: files keep mode and links, and what can't be written is an error."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from egressd.cli import outputfile
from egressd.cli.outputfile import check_output, write_output
from egressd.errors import UsageError
from tests.ordinary_user import NOBODY, run_as_ordinary_user

LINE = "the report\n"


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Hold the umask of most users while a test runs."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    """Return the permissions of a file."""
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o400])
@pytest.mark.parametrize("linked", [False, True])
def test_a_file_keeps_its_mode_and_its_link(tmp_path: Path, mode: int, *, linked: bool) -> None:
    """What was private stays private, whatever the format asks for; a link still leads to the file."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old", encoding="ascii")
    real.chmod(mode)
    link.symlink_to("real")
    named = link if linked else real
    check_output(named)
    write_output(named, (LINE.encode(),), mode=0o644)
    assert (real.read_text(encoding="ascii"), mode_of(real), link.is_symlink()) == (LINE, mode, True)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    """Where root replaces a user's file, it stays the user's."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: only root can write a file of another user's")
    path = tmp_path / "file"
    path.write_text("old", encoding="ascii")
    os.chown(path, NOBODY, NOBODY)
    write_output(path, (LINE.encode(),), mode=None)
    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, NOBODY)


def test_a_new_file_has_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    """A new file has the mode of the umask, or that of its format; a dangling link gets its target."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name, mode, expected in (("a", None, 0o644), ("b", 0o600, 0o600), ("link", 0o640, 0o640)):
        check_output(tmp_path / name)
        write_output(tmp_path / name, (LINE.encode(),), mode=mode)
        assert mode_of(tmp_path / name) == expected
    assert (tmp_path / "link").is_symlink()


def test_a_file_of_another_user_is_replaced_and_not_opened_up(open_folder: Path) -> None:
    """Without the right to keep owner and group, a file gets no permission that others did not have."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: only root can make a file of another user's")
    folder = open_folder / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    path = folder / "file"
    path.write_text("old", encoding="ascii")
    path.chmod(0o640)
    (done,) = run_as_ordinary_user([("plan", "--output", str(path))])
    assert done.code == 0, done.stderr
    assert (path.stat().st_uid, mode_of(path)) == (NOBODY, 0o600)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing fails, the old file stays, and nothing else is left."""
    path = tmp_path / "file"
    path.write_text("old", encoding="ascii")

    def fail(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_output(path, (LINE.encode(),), mode=None)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_text(encoding="ascii") == "old"


def test_a_pipe_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets the report as soon as it is read; one that nobody reads is an error."""
    pipe, found = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    check_output(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, (LINE.encode(),) * 10_000, mode=None)
    reader.join()
    assert found == [LINE.encode() * 10_000]
    monkeypatch.setattr(outputfile, "FIRST_READER", 0.1)
    with pytest.raises(OSError, match="nobody reads"):
        write_output(pipe, (b"x",), mode=None)
    assert pipe.is_fifo()


def test_a_descriptor_is_appended_to(tmp_path: Path) -> None:
    """`--output /dev/stdout >> FILE` appends: the file is the shell's, and is not replaced."""
    path = tmp_path / "file"
    path.write_text("before\n", encoding="ascii")
    with path.open("ab") as file:
        write_output(Path(f"/dev/fd/{file.fileno()}"), (LINE.encode(),), mode=None)
        write_output(Path(f"/proc/self/fd/{file.fileno()}"), (LINE.encode(),), mode=None)
    assert path.read_text(encoding="ascii") == f"before\n{LINE}{LINE}"


@pytest.mark.parametrize("name", ["folder", "loop", "x" * 300, "file/inside", "nowhere/file"])
def test_a_path_that_can_t_be_written_is_wrong_usage(tmp_path: Path, name: str) -> None:
    """It is said before the work is done."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x", encoding="ascii")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UsageError, match="cannot write "):
        check_output(tmp_path / name)


def test_a_closed_folder_is_wrong_usage(open_folder: Path) -> None:
    """A folder that the user can't enter or write to is exit code 2, with no traceback."""
    folder = open_folder
    (folder / "closed").mkdir(mode=0o700 if os.geteuid() == 0 else 0)
    (folder / "other").mkdir(mode=0o555)
    paths = (folder / "closed" / "file", folder / "other" / "file")
    for done in run_as_ordinary_user(("plan", "--output", str(one)) for one in paths):
        assert (done.code, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        assert done.stderr.startswith("egressd: cannot write ")


def test_a_link_that_another_user_planted_is_not_followed(tmp_path: Path) -> None:
    """In a folder for everybody, the kernel forbids to follow another's link; so do we."""
    rule = Path("/proc/sys/fs/protected_symlinks")
    if os.geteuid() != 0 or not rule.exists() or rule.read_text(encoding="ascii").strip() != "1":
        pytest.skip("SKIPPED: needs root, and a kernel that protects links")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "report").symlink_to(tmp_path / "precious")
    os.chown(shared / "report", NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(UsageError, match="Permission denied"):
        check_output(shared / "report")


def test_stdout_that_another_program_made_non_blocking_gets_all(tmp_path: Path) -> None:
    """A report longer than a pipe holds arrives whole, though the pipe does not block."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    code = f"from egressd.cli.output import to_stdout; assert to_stdout({LINE!r} * 20000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=writer, cwd=tmp_path) as process:
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            assert file.read() == LINE.encode() * 20000
        assert process.wait(60) == 0
