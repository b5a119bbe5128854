"""Which hosts bypass the proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.planning.path.bypass import bypass_entry


@pytest.mark.parametrize(
    ("entry", "host", "expected"),
    [
        ("*", "anything.example", True),
        ("vmm.corp.example", "vmm.corp.example", True),
        ("vmm.corp.example", "VMM.corp.example.", True),
        ("corp.example", "vmm.corp.example", True),
        ("corp.example", "a.b.corp.example", True),
        ("corp.example", "evilcorp.example", False),
        ("corp.example", "corp.example.evil", False),
        (".corp.example", "vmm.corp.example", True),
        (".corp.example", "a.b.corp.example", True),
        (".corp.example", "corp.example", False),
        ("*.corp.example", "vmm.corp.example", True),
        ("*.corp.example", "corp.example", False),
        (" .corp.example ", "vmm.corp.example", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "vmm.corp.example", False),
        ("fd00::/8", "fd00::1", True),
        ("fd00::/8", "10.0.0.1", False),
        ("fd00::1", "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", True),
        ("[fd00::1]:80", "fd00::1", False),
        ("vmm.corp.example:443", "vmm.corp.example", True),
        ("vmm.corp.example:80", "vmm.corp.example", False),
        ("10.0.0.1:443", "10.0.0.1", True),
        ("10.0.0.1:80", "10.0.0.1", False),
        (".corp.example:443", "a.corp.example", True),
        ("", "vmm.corp.example", False),
        (".", "vmm.corp.example", False),
        ("10.0.0.0/99", "10.0.0.1", False),
        ("localhost", "localhost", True),
    ],
)
def test_entries(entry: str, host: str, expected: bool) -> None:
    """Entries mean what `no_proxy` means to the programs that will run there."""
    assert bypass_entry(host, 443, (entry,)) == (entry.strip() if expected else "")


def test_any_entry_will_do() -> None:
    """One matching entry is enough, none means the proxy."""
    assert bypass_entry("b.example", 443, ("a.example", "b.example")) == "b.example"
    assert not bypass_entry("b.example", 443, ())


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_entry_and_host_give_an_answer(entry: str, host: str) -> None:
    """An invalid entry matches or does not; it never raises."""
    assert bypass_entry(host, 443, (entry,)) in ("", entry.strip())
