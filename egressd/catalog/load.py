"""Load a catalog: that of the package from its compiled form, if that is fresh, any other from its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from egressd.catalog.compiled import read_compiled
from egressd.errors import ConfigError
from egressd.inputfile import is_file, why_unusable
from egressd.model.catalog import Catalog
from egressd.yamlfile import read_text

DATA = Path(__file__).parent / "data"
COMPILED = DATA / "compiled.json"
REGIONS = "regions.yaml"
FEATURES = "features.yaml"


def load_catalog(directory: Path | None = None) -> Catalog:
    """Return the catalog of a directory's `*.yaml`; the package's own where none is given.

    Raises ConfigError with every problem of every file: file, line, row id.
    """
    texts = _texts(DATA if directory is None else directory)
    if directory is None and COMPILED.exists():
        compiled = read_compiled(COMPILED.read_text(encoding="utf-8"), digest_of(texts))
        if compiled is not None:
            return compiled
    # Importing pydantic and YAML takes longer than reading the compiled catalog.
    from egressd.catalog.read import read_catalog  # noqa: PLC0415

    return read_catalog(texts)


def digest_of(texts: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 over names and texts of files."""
    digest = hashlib.sha256()
    for name, text in texts:
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()


def _texts(directory: Path) -> list[tuple[str, str]]:
    """Return the name and text of every file, in the order of their names."""
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".yaml" and is_file(path))
    except (OSError, ValueError) as error:
        raise ConfigError(
            (f"{directory}: cannot read the catalog: {why_unusable(directory, error)}",)
        ) from None
    if not any(path.name == REGIONS for path in paths):
        raise ConfigError((f"{directory}: cannot read the catalog: there is no {REGIONS}",))
    return [(path.name, read_text(path)) for path in paths]
