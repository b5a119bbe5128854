"""What the page on firewall logs tells an administrator to paste is taken by the programs that are here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from egressd.model.observation import TcpObservation, TlsObservation

PAGE = (Path(__file__).parents[2] / "docs" / "firewall-logs.md").read_text(encoding="utf-8")
SQUID = shutil.which("squid") or shutil.which("squid", path="/usr/sbin")
NFT = shutil.which("nft") or shutil.which("nft", path="/usr/sbin")


def block(heading: str) -> str:
    """Return the first block of code below a heading."""
    _, _, text = PAGE.partition(f"\n## {heading}\n")
    found = re.search(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_fields_of_the_report_exist() -> None:
    """The JSON keys that are named are those of an observation."""
    keys = {"local_address", "local_port", "remote_address", "remote_port", "started", "sni"}
    for key in keys:
        assert f"`{key}`" in PAGE or f".{key}`" in PAGE
    assert keys <= {*TcpObservation.__struct_fields__, *TlsObservation.__struct_fields__}


@pytest.mark.skipif(SQUID is None, reason="squid is not installed (Debian's package squid-openssl)")
def test_squid_takes_the_log_format(tmp_path: Path) -> None:
    """`squid -k parse` accepts the lines, in a file of their own."""
    file = tmp_path / "squid.conf"
    lines = block("squid").replace("/var/log/squid", str(tmp_path))
    file.write_text(f"http_port 127.0.0.1:3128\npid_filename none\n{lines}", encoding="utf-8")
    assert SQUID is not None
    done = subprocess.run([SQUID, "-k", "parse", "-f", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.search("ERROR|FATAL|unrecognized", done.stderr, re.IGNORECASE), done.stderr


@pytest.mark.skipif(NFT is None, reason="nft is not installed (Debian's package nftables)")
def test_nftables_takes_the_rule(tmp_path: Path) -> None:
    """`nft --check` accepts the rule in the chain it names."""
    chain = (
        "add table inet egressd\nadd chain inet egressd outward { type filter hook forward priority 0; }\n"
    )
    file = tmp_path / "rules.nft"
    file.write_text(chain + block("nftables, iptables"), encoding="utf-8")
    assert NFT is not None
    done = subprocess.run([NFT, "--check", "-f", file], capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft --check asks the kernel, which takes root")
    assert (done.returncode, done.stderr) == (0, "")
