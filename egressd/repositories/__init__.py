"""What the package managers of this host are configured to use: the profile `this-host`.

Files are read, no program is run, nothing is sent.
"""

from egressd.repositories.read import with_this_host

__all__ = ["with_this_host"]
