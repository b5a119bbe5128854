"""A small valid catalog on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

BRIDGE = """\
schema: egressd.catalog/1
profile: {name: bridge, title: The bridge, summary: A bridge., includes: []}
documents:
  S1: {title: The list, path: owner/repo/list.md, date: "2026-09-09", commit: 0c23bce664bc}
defaults:
  port: 443
  protocol: https
  roles: [appliance]
  need: required
  provenance: {document: S1}
endpoints:
  - id: b-arm
    service: Resource Manager
    pattern: management.example
    purpose: Manage.
  - id: b-his
    service: Identity
    pattern: "*.his.example"
    purpose: Identify.
    samples:
      {documented: [gbl.his.example], templated: ["{his}.his.example"], discovered: his-region, random: true}
"""

MACHINE = """\
schema: egressd.catalog/1
profile: {name: machine, title: The machine, summary: A machine., includes: [bridge]}
documents: {S2: {title: The other list, path: owner/repo/other.md}}
endpoints:
  - id: m-time
    service: Time
    pattern: time.example
    port: 123
    protocol: ntp
    roles: [machine, management]
    need: conditional
    condition: there is no other clock
    purpose: Tell the time.
    provenance: {document: S2}
"""

REGIONS = """\
schema: egressd.regions/1
revision: 2026-11-20
regions:
  - {name: westeurope, cloud: public, his: weu, gas: we, values: {storage: wes1}}
  - {name: usgovvirginia, cloud: usgov, his: usgv}
discoveries:
  - name: his-region
    cloud: public
    host: gbl.his.example
    path: "/discovery?location={region}"
    answer: his-region
"""


@pytest.fixture
def catalog_dir(tmp_path: Path) -> Path:
    """A directory with a catalog that loads."""
    (tmp_path / "bridge.yaml").write_text(BRIDGE)
    (tmp_path / "machine.yaml").write_text(MACHINE)
    (tmp_path / "regions.yaml").write_text(REGIONS)
    return tmp_path
