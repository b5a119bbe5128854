"""Addresses and Azure service tags: which tag has an address, and which tags an address rule lacks."""

from __future__ import annotations

from egressd.attribution.service_tags.ranges import tag_of

__all__ = ["tag_of"]
