"""The catalog: YAML rows into values, and values into the firewall rules to request.

Every problem of the files is reported at once, with file, line and row. Renderers are pure.
"""

from egressd.catalog.load import load_catalog

__all__ = ["load_catalog"]
