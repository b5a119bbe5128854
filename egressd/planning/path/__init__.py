"""The path of a conversation: directly, or through which proxy, and why."""

from __future__ import annotations
