"""The catalog: YAML rows into values, and values into the rules to ask for.

Law of the room: files are read here and nowhere else; whatever is wrong with them is said at once,
with file, line and row. Renderers are pure.
"""

from egressd.catalog.load import load_catalog

__all__ = ["load_catalog"]
