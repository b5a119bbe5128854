"""Documents of a folder, what they include, and what lies outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from egressd.documents.folder import read_folder
from egressd.documents.named import read_named
from egressd.errors import UnreadableFileError, UsageError
from egressd.model.endpoint import Cloud
from tests.documents.reading import shown

TABLE = "| URL | Port |\n|---|---|\n| {host} | 443 |\n"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_includes_stand_where_they_are_included(tmp_path: Path) -> None:
    """An include has the cloud of the tab around it, and is no document beside its page."""
    write(
        tmp_path,
        {
            "a/page.md": (
                "### [Azure Cloud](#tab/azure-cloud)\n[!INCLUDE [x](../includes/cloud.md)]\n"
                "### [Azure Government](#tab/azure-government)\n[!INCLUDE [x](includes/gov.md?a=b#c)]\n---\n"
                "[!INCLUDE [root](~/includes/root.md)]\n"
            ),
            "includes/cloud.md": TABLE.format(host="cloud.example"),
            "includes/root.md": TABLE.format(host="root.example"),
            "a/includes/gov.md": "---\nms.topic: include\n---\n" + TABLE.format(host="gov.example"),
            "alone.md": TABLE.format(host="alone.example"),
            "words.md": "# Nothing\n",
            ".hidden/x.md": TABLE.format(host="hidden.example"),
            "bad.json": "{",
        },
    )
    found = read_folder(tmp_path)
    assert [
        (one.name, [(shown(row), row.cloud, row.origin) for row in one.rows]) for one in found.listings
    ] == [
        ("alone.md", [("alone.example 443 -", None, "alone.md")]),
        (
            "a/page.md",
            [
                ("cloud.example 443 -", Cloud.PUBLIC, "includes/cloud.md"),
                ("gov.example 443 -", Cloud.USGOV, "a/includes/gov.md"),
                ("root.example 443 -", None, "includes/root.md"),
            ],
        ),
    ]
    assert found.notes[0] == "1 file without a list: words.md"
    assert found.notes[1].startswith("1 file that can't be read: bad.json (")


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    """Neither a path upwards, nor an absolute one, nor a link leads out."""
    write(tmp_path, {"secret.md": TABLE.format(host="secret.example"), "in/a.md": ""})
    (tmp_path / "in" / "link.md").symlink_to(tmp_path / "secret.md")
    paths = [
        "../secret.md",
        str(tmp_path / "secret.md"),
        "link.md",
        "~/../secret.md",
        "no.md",
        "..\\secret.md",
        ".",
    ]
    page = "".join(f"[!INCLUDE [x]({one})]\n" for one in paths) + TABLE.format(host="a.example")
    (tmp_path / "in" / "a.md").write_text(page, encoding="utf-8")
    (listing,) = read_folder(tmp_path / "in").listings
    assert [shown(one) for one in listing.rows] == ["a.example 443 -"]
    assert [one.endswith("which is not there") for one in listing.notes] == [True] * len(paths)


def test_files_that_include_each_other(tmp_path: Path) -> None:
    """A circle ends, and is said."""
    write(
        tmp_path,
        {
            "a.md": "[!INCLUDE [x](b.md)]\n" + TABLE.format(host="a.example"),
            "b.md": "[!INCLUDE [x](a.md)]\n" + TABLE.format(host="b.example"),
            "c.md": "[!INCLUDE [x](a.md)]\n",
        },
    )
    found = read_folder(tmp_path)
    assert {shown(row) for one in found.listings for row in one.rows} == {
        "a.example 443 -",
        "b.example 443 -",
    }
    assert any("which includes this file again" in note for one in found.listings for note in one.notes)


def test_many_includes_end(tmp_path: Path) -> None:
    """Files that include each other often would be read for ever: the number is bounded."""
    for number in range(8):
        inside = f"[!INCLUDE [x](f{number + 1}.md)]\n" * 8
        (tmp_path / f"f{number}.md").write_text(inside or "x", encoding="utf-8")
    (tmp_path / "f8.md").write_text(TABLE.format(host="a.example"), encoding="utf-8")
    assert len(read_folder(tmp_path).listings) <= 1


def test_what_is_named(tmp_path: Path) -> None:
    """A file, a folder or the bytes of stdin; what can't be read is said."""
    write(tmp_path, {"a.md": TABLE.format(host="a.example")})
    assert read_named(tmp_path / "a.md").listings[0].count == 1
    assert read_named(tmp_path).listings[0].count == 1
    assert read_named(Path("-"), b"a.example\n").listings[0].name == "stdin"
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_named(tmp_path / "no")
    with pytest.raises(UsageError, match="cannot read stdin: line 1: not UTF-8"):
        read_named(Path("-"), b"\xff")
