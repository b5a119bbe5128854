"""What a command names to be read: a file, a folder, or the text of stdin."""

from __future__ import annotations

from pathlib import Path

from egressd.documents.folder import FolderListings, read_folder
from egressd.documents.read import MOST_BYTES, decode_document, read_document
from egressd.errors import UsageError
from egressd.inputfile import is_folder, read_file_or_pipe


def read_named(path: Path, stdin: bytes | None = None) -> FolderListings:
    """Read a file, all documents of a folder, or the bytes of stdin if they are given.

    Raises:
        UnreadableFileError: the file can't be read.
        UsageError: it holds no list, or more than can be read.
        ConfigError: it is not valid in its format.
    """
    if stdin is None and is_folder(path):
        return read_folder(path)
    name = "stdin" if stdin is not None else str(path)
    try:
        text = decode_document(stdin if stdin is not None else read_file_or_pipe(path, limit=MOST_BYTES))
    except UsageError as error:
        raise UsageError(f"cannot read {name}: {error}") from None
    return FolderListings(listings=(read_document(text, name),), notes=())
