"""Load settings from the configuration file and flags.

Every mistake is reported at once, with file, line and key path. A secret is read from a file of its own
and never shown.
"""

from egressd.config.flags import Flags
from egressd.config.load import load_settings

__all__ = ["Flags", "load_settings"]
