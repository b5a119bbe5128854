"""The languages that rules are written in, by the name that `--format` takes.

Each says what its device can and can't express: what is allowed beside what is asked for, what is not
allowed, and what was left out stand in the text as comments.
"""

from __future__ import annotations

from collections.abc import Mapping

from egressd.firewall.languages.devices import dnsmasq_nftables, edl, fortigate, paloalto, squid
from egressd.firewall.languages.devices.azure import arm, bicep, terraform
from egressd.firewall.languages.devices.kubernetes import calico, cilium
from egressd.firewall.languages.language import Language
from egressd.firewall.languages.people import csv, json, markdown, plain

LANGUAGES: Mapping[str, Language] = {
    one.name: one
    for one in (
        plain.LANGUAGE,
        edl.LANGUAGE,
        csv.LANGUAGE,
        json.LANGUAGE,
        markdown.LANGUAGE,
        squid.LANGUAGE,
        dnsmasq_nftables.LANGUAGE,
        arm.LANGUAGE,
        bicep.LANGUAGE,
        terraform.LANGUAGE,
        paloalto.LANGUAGE,
        fortigate.LANGUAGE,
        cilium.LANGUAGE,
        calico.LANGUAGE,
    )
}

__all__ = ["LANGUAGES", "Language"]
