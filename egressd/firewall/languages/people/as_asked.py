"""What the formats for people and programs share: names stand in them as they are asked for."""

from __future__ import annotations

from egressd.firewall.languages.language import Depth, Wildcards

AS_ASKED = Wildcards(
    depth=Depth.AS_ASKED, apex=False, inside_label=True, matched_on="nothing: for people and programs"
)
