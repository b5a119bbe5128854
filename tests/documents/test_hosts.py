"""Hosts as documents write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.documents.cells import hosts_in
from egressd.documents.hosts import placeholder_of, read_host, reads_as_host, split_cell, text_of_cell


@pytest.mark.parametrize(
    ("written", "pattern", "ports", "path"),
    [
        ("mcr.microsoft.com", "mcr.microsoft.com", (), None),
        ("MCR.Microsoft.COM.", "mcr.microsoft.com", (), None),
        ("`*.blob.core.windows.net`", "*.blob.core.windows.net", (), None),
        ("https://host.example:8084/", "host.example", ("8084",), None),
        ("http\\://update.example", "update.example", ("80",), None),
        ("\\*.update.example", "*.update.example", (), None),
        ("https\\://\\*.update.example/v\\_1", "*.update.example", ("443",), "/v_1"),
        ("https://<region>.obo.example:8084/", "{region}.obo.example", ("8084",), None),
        ("&lt;region&gt;.his.example", "{region}.his.example", (), None),
        ("<vault-name>.vault.example", "{vault_name}.vault.example", (), None),
        ("<Your URL prefix>.gw.example", "{your_url_prefix}.gw.example", (), None),
        ("[region].login.example", "{region}.login.example", (), None),
        ("${storage}.blob.example", "{storage}.blob.example", (), None),
        ("$(region).blob.example", "{region}.blob.example", (), None),
        ("{LOCATION}.data.example", "{region}.data.example", (), None),
        ("yourhcikeyvaultname.vault.azure.example", "{yourhcikeyvaultname}.vault.azure.example", (), None),
        ("yourphone.example.com", "yourphone.example.com", (), None),
        ("azgn*.servicebus.example", "azgn*.servicebus.example", (), None),
        ("san-af-*-prod.sites.example", "san-af-*-prod.sites.example", (), None),
        ("http(s)://*.update.example", "*.update.example", ("80", "443"), None),
        ("wss://bus.example", "bus.example", ("443",), None),
        ("host.example/path/*", "host.example", (), None),
        ("host.example/list?api-version=1", "host.example", (), "/list"),
        ("10.0.0.1:8443", "10.0.0.1", ("8443",), None),
        ("[2001:db8::1]:443", "2001:db8::1", ("443",), None),
        ("<https://aka.example>", "aka.example", ("443",), None),
        ("https://*.<RegionName>.logic.example:443", "*.{region}.logic.example", ("443",), None),
        ("host.example:<port>", "host.example", (), None),
    ],
)
def test_a_host_is_read(written: str, pattern: str, ports: tuple[str, ...], path: str | None) -> None:
    """Schemes, ports, paths, escapes and placeholders are told from the host."""
    found = read_host(written)
    assert found is not None
    assert (found.pattern, found.ports, found.path) == (pattern, ports, path)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "*",
            "-",
            "or",
            "Outbound",
            "https://:443",
            "2.1.3",
            "10.0.0.0/8",
            "a..b",
            "-x.example-",
            "a b.c",
        ),
        *(
            "host.example:99999",
            "host.example:x",
            "ho\u202est.example",
            "h\u00f6st.example",
            "x" * 300 + ".example",
        ),
        *("https://", "...", "*.*", "a.example\u0000.b", "$(rm -rf).example"),
    ],
)
def test_what_is_no_host(written: str) -> None:
    """Words, versions, networks, ports that are none and names in other scripts are no hosts."""
    assert read_host(written) is None


def test_a_login_in_a_url_is_not_kept() -> None:
    """Neither the host nor the text shows a user's name or password, nor a token of a query."""
    found = read_host("https://user:s3cret-word@host.example:8443/x?sig=s3cret-word")
    assert found is not None
    assert (found.pattern, found.port, found.path) == ("host.example", "8443", "/x")
    assert "s3cret-word@" not in found.text
    assert "s3cret-word" not in text_of_cell("see https://user:s3cret-word@host.example")


@pytest.mark.parametrize(
    ("cell", "hosts"),
    [
        ("`*.blob.example.net, ecpacr.example.io`", ["*.blob.example.net", "ecpacr.example.io"]),
        ("`a.example` <br> `<region>.a.example`", ["a.example", "{region}.a.example"]),
        (
            "`https://a.example`<br/>`https://b.example`</br>c.example",
            ["a.example", "b.example", "c.example"],
        ),
        ("a.example or b.example", ["a.example", "b.example"]),
        ("`a.example` and `b.example`; c.example", ["a.example", "b.example", "c.example"]),
        ("[a.example](https://a.example)", ["a.example"]),
        ("[the service](https://b.example/x)", ["b.example"]),
        ("[the service](/azure/page.md)", []),
        ("`*.<region>.data.example` <sup>1</sup>", ["*.{region}.data.example"]),
        ("a.example<sup>2</sup> b.example[^3]", ["a.example", "b.example"]),
        ("**`*.a.example`**", ["*.a.example"]),
        ("- `a.example` <br> <br> - `b.example`", ["a.example", "b.example"]),
        ("a.example a.example", ["a.example"]),
        ("Your DNS server IPs", []),
        ("<!-- a.example --> b.example", ["b.example"]),
        ("*login.example", ["*login.example"]),
        ("`<FQDN of the parent site>`", ["{fqdn_of_the_parent_site}"]),
    ],
)
def test_a_cell_may_hold_several_hosts(cell: str, hosts: list[str]) -> None:
    """Line breaks, commas, `or` and spaces separate hosts; footnotes and links are no part of them."""
    assert [one.pattern for one in hosts_in(cell)] == hosts


@pytest.mark.parametrize("word", ["https://a.example", "*.corp", "a.corp.example", "aka.ms", "mcr.azk8s.cn"])
def test_words_that_are_hosts_in_running_text(word: str) -> None:
    """A URL, a wildcard and a name in a zone that is known are hosts wherever they stand."""
    assert reads_as_host(word)


@pytest.mark.parametrize(
    "word", ["Microsoft.Compute", "setup.exe", "azcmagent.ps1", "config.json", "v1.2", "az"]
)
def test_words_that_are_no_hosts_in_running_text(word: str) -> None:
    """Providers, files and commands have dots, too."""
    assert not reads_as_host(word)


def test_words_become_a_placeholder() -> None:
    """What only words describe has a name that `values:` can fill in."""
    assert placeholder_of("URL of the WinRM service.") == "{url_of_the_winrm_service}"
    assert placeholder_of("443") is None
    assert placeholder_of("\u202e") is None


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    """Nothing raises, and no host has a character that a terminal, YAML or a shell would obey."""
    for word in split_cell(text):
        found = read_host(word, bare=True)
        if found is not None:
            assert found.pattern.isascii()
            assert not set(found.pattern) & set(" \t\n\r'\"#&|;$()<>`\\%!,?=@")
            assert found.text.isprintable()
