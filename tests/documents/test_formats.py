"""Each format in which lists come: what counts as a row, and how many."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.documents.read import decode_document, format_of
from egressd.errors import ConfigError, EgressdError, UsageError
from egressd.model.endpoint import Cloud, Need, Role
from tests.documents.reading import read, rules, shown

TARGETS = [
    {
        "Service": ["Arc For Servers"],
        "Title": "Installation script",
        "Name": "Arc_Script",
        "Severity": "Warning",
        "Description": "For resolving the download script.",
        "Endpoint": ["aka.example/targets", "second.example:8084"],
        "Protocol": ["https"],
        "Mandatory": True,
        "OperationType": ["Deployment", "Update"],
        "Tags": {"Group": "x"},
        "Region": "Global",
        "ARCGateway": True,
    },
    {
        "Service": ["Azure Local"],
        "Title": "Revocation",
        "Severity": "CRITICAL",
        "Endpoint": ["crl.example/pki"],
        "Protocol": ["http"],
        "Region": "EastUs",
        "ARCGateway": False,
    },
    {
        "Service": ["System"],
        "Title": "DNS",
        "Severity": "Critical",
        "Endpoint": ["name.example"],
        "Protocol": [],
        "Region": "AzureLocal",
        "ARCGateway": False,
    },
    {
        "Service": ["System"],
        "Title": "User Proxy",
        "Severity": "Critical",
        "Endpoint": None,
        "Protocol": [],
        "ARCGateway": False,
    },
    {
        "Service": ["Fairfax"],
        "Title": "Arc",
        "Severity": "INFORMATIONAL",
        "Endpoint": ["gov.example.us"],
        "Protocol": ["https"],
        "Region": "usgovvirginia",
        "ARCGateway": False,
    },
]


def test_targets_of_the_environment_checker() -> None:
    """Lists of endpoints and protocols, regions in any case, the gateway; a name alone is no rule."""
    listing = read(json.dumps(TARGETS, indent="\t"), "Targets.json")
    assert listing.format == "targets of the Environment Checker"
    assert [(shown(one), one.path, one.region, one.cloud, one.gateway, one.need) for one in listing.rows] == [
        ("aka.example 443 https", "/targets", None, None, True, Need.OPTIONAL),
        ("second.example 8084 https", None, None, None, True, Need.OPTIONAL),
        ("crl.example 80 http", "/pki", "eastus", None, False, Need.REQUIRED),
        ("gov.example.us 443 https", None, "usgovvirginia", Cloud.USGOV, False, Need.OPTIONAL),
    ]
    assert listing.count == 3
    assert [one.split(": ", 1)[1] for one in listing.notes] == [
        "name.example: DNS: asks for a name at most, no port",
        "no host: User Proxy: asks for a name at most, no port",
    ]
    assert listing.unused == ()


def manifest(targets: str) -> str:
    return f"""\ufeff<?xml version="1.0" encoding="utf-8"?>
<Objects>
<Object Type="AzStackHciConnectivityManifest">
  <Property Name="Title" Type="System.String">Endpoint Definitions</Property>
  <Property Name="Targets" Type="System.Management.Automation.PSObject[]">
{targets}
  </Property>
</Object>
</Objects>"""


TARGET = """\
    <Property Type="AzStackHciConnectivityTarget">
      <Property Name="Title" Type="System.String">Script &amp; more</Property>
      <Property Name="Severity" Type="System.String">Critical</Property>
      <Property Name="Tags" Type="System.Management.Automation.PSCustomObject">
        <Property Name="OperationType" Type="System.Object[]">
          <Property Type="System.String">Deployment</Property>
        </Property>
      </Property>
      <Property Name="EndPoint" Type="System.String[]">
        <Property Type="System.String">aka.example/targets</Property>
        <Property Type="System.String">*.b.example:8084</Property>
      </Property>
      <Property Name="Protocol" Type="System.String[]"><Property Type="System.String">https</Property></Property>
      <Property Name="Region" Type="System.String">Global</Property>
      <Property Name="ArcGateway" Type="System.Boolean">True</Property>
    </Property>"""  # noqa: E501 - as PowerShell writes it


def test_the_manifest_of_the_environment_checker() -> None:
    """Properties in properties, as ConvertTo-Xml writes them."""
    listing = read(manifest(TARGET + TARGET.replace("aka.example", "c.example")), "manifest.xml")
    assert [(shown(one), one.gateway, one.purpose) for one in listing.rows][:2] == [
        ("aka.example 443 https", True, "Script & more"),
        ("*.b.example 8084 https", True, "Script & more"),
    ]
    assert (listing.count, len(listing.rows)) == (2, 4)
    assert listing.rows[0].line == 6


def test_targets_that_are_objects_themselves() -> None:
    """A list that was converted without the object around it."""
    inner = (
        TARGET.strip()
        .removeprefix('<Property Type="AzStackHciConnectivityTarget">')
        .removesuffix("</Property>")
    )
    assert (
        len(read(f"<Objects><Object>{inner}</Object><Object>{inner}</Object></Objects>", "x.xml").rows) == 4
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
            "document type",
        ),
        ("<!DOCTYPE lolz [<!ENTITY a 'lol'><!ENTITY b '&a;&a;'>]><Objects>&b;</Objects>", "document type"),
        ("<Objects><Object>", "not valid XML"),
        ("<Objects/>", "without a property called Targets"),
        ("<a>" * 60 + "</a>" * 60, "deeper than 40 levels"),
        ("<Objects>&undefined;</Objects>", "not valid XML"),
        (manifest("<Property>text</Property>"), "must have named properties"),
    ],
)
def test_xml_that_is_refused(text: str, message: str) -> None:
    """No entity is expanded and no file is opened; what is no manifest is said."""
    with pytest.raises(UsageError, match=message):
        read(text, "a.xml")


RESULT = """\
"RowID","URL","Port","ArcGateway","IsWildcard","Source","IPAddress","Layer7Status","Note","TCPStatus"
"1","*.blob.example.net","443","True","True","Wildcard GitHub URL","N/A","Skipped","Wildcard URL, tested by a","N/A"
"2","aka.example/targets","443","True","False","Environment Checker URL","1.2.3.4","Success","For resolving","N/A"
"43","eastus.obo.example:8084","8084","False","False","Environment Checker URL","1.2.3.4","Success","x","Success"
"96","time.example","123","False","False","GitHub URL","N/A","Skipped","OS time sync","Skipped"
"N/A","Download speed: 131.58 Megabits/second",,,,,,,,
"N/A","Azure Region = EastUS",,,,,,,,
"""  # noqa: E501 - as the checker writes it


def test_a_result_of_the_environment_checker() -> None:
    """Two lines at the end are no rows; one of them says the region."""
    listing = read(RESULT, "Result.csv")
    assert [(shown(one), one.path, one.gateway) for one in listing.rows] == [
        ("*.blob.example.net 443 -", None, True),
        ("aka.example 443 -", "/targets", True),
        ("eastus.obo.example 8084 -", None, False),
        ("time.example 123 -", None, False),
    ]
    assert (listing.count, listing.region, listing.unused) == (4, "eastus", ())
    assert [one.rpartition(": ")[0] for one in listing.notes] == [
        "Result.csv:6: Download speed: 131.58 Megabits/second",
        "Result.csv:7: Azure Region = EastUS",
    ]


def test_community_lists() -> None:
    """Keys in camel case, in a list below a name; a region may be the key of its list."""
    rows = [
        {"endpointUrl": "*.a.example", "port": "80, 443", "arcGatewaySupport": "Yes",
         "requiredFor": "Deployment", "wildcard": True, "notes": "x"},
        {"endpointUrl": "https://b.example", "port": 443, "arcGatewaySupport": False, "wildcard": False},
    ]  # fmt: skip
    listing = read(json.dumps({"generated": "2026", "eastus": rows, "westeurope": rows[1:]}), "eastus.json")
    assert [(shown(one), one.region, one.gateway) for one in listing.rows] == [
        ("*.a.example 80 -", "eastus", True),
        ("*.a.example 443 -", "eastus", True),
        ("b.example 443 https", "eastus", False),
        ("b.example 443 https", "westeurope", False),
    ]
    assert (listing.count, listing.unused) == (3, ())


def test_a_key_called_endpoint() -> None:
    """A list of one's own may call the host so, and has ports beside it."""
    text = json.dumps([{"endpoint": "a.example", "port": 8443, "protocol": "HTTPS", "severity": "critical"}])
    assert rules(text, "x.json") == ["a.example 8443 https"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('["a.example", "https://b.example:8443/x"]', "x.json"),
        ("a.example\nhttps://b.example:8443/x\n", "hosts"),
        ("# comment\na.example # why\n\n; other\nhttps://b.example:8443/x // z\n", "hosts.txt"),
        ("endpoints: [a.example, 'https://b.example:8443/x']", "x.yaml"),
        ("host\ta\na.example\t\nhttps://b.example:8443/x\t\n", "x.tsv"),
        ("- a.example\n- https://b.example:8443/x\n", "-"),
        ("sep=;\nURL;Owner\na.example;me\nhttps://b.example:8443/x;me\n", "x.csv"),
    ],
)
def test_hosts_alone(text: str, name: str) -> None:
    """A list may have hosts and nothing else."""
    assert [one.rpartition(" ")[0] for one in rules(text, name)] == ["a.example -", "b.example 8443"]


def test_a_list_of_hosts_with_ports() -> None:
    """`host port`, `host:port`, `host,port` and `tcp/port` are one row each; another line is named."""
    listing = read(
        "a.example 8443\nb.example:80\nc.example,443\nd.example tcp/22\nwords of prose here\n", "hosts.txt"
    )
    assert [shown(one) for one in listing.rows][:4] == [
        "a.example 8443 -",
        "b.example 80 -",
        "c.example 443 -",
        "d.example 22 tcp",
    ]
    assert listing.rows[4].problems == ("is not a host",)


def test_spreadsheets_formulas_stay_text() -> None:
    """A cell that an export armed against a spreadsheet is read as it was; a formula is no host."""
    listing = read("host,port,purpose\n'-a.example,443,'=1+1\n=HYPERLINK(x),443,y\n", "x.csv")
    assert listing.rows[0].purpose == "=1+1"
    assert all(not (one.pattern or "").startswith(("=", "'")) for one in listing.rows)


def test_our_own_configuration_and_catalog() -> None:
    """A row of `endpoints:` keeps every key; a catalog file's rows have its defaults."""
    own = "endpoints:\n- {id: a, host: a.example, port: 443, protocol: https, expect: {status: [200]}}\n"
    (row,) = read(own, "own.yml").rows
    assert dict(row.keys)["expect"] == {"status": [200]}
    catalog = (
        "schema: egressd.catalog/1\nprofile: {name: x}\n"
        "defaults: {port: 8443, protocol: https, roles: [machine]}\n"
        "endpoints:\n- {id: x-a, pattern: a.example, need: required, purpose: p, provenance: {document: d}}\n"
    )
    (row,) = read(catalog, "x.yaml").rows
    assert (shown(row), row.roles, row.need) == ("a.example 8443 https", (Role.MACHINE,), Need.REQUIRED)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ('{"values": [{"properties": {"addressPrefixes": ["10.0.0.0/8"]}}]}', "tags.json", "service tags"),
        ("{}", "x.json", "neither a list of endpoints nor has one in it"),
        ("a: 1\n", "x.yaml", "neither a list of endpoints nor has one in it"),
        ("a,b\n1,2\n", "x.csv", "no column is called host"),
        ("  \n", "x.csv", "it is empty"),
    ],
)
def test_what_is_no_list(text: str, name: str, message: str) -> None:
    """It is said what was expected."""
    with pytest.raises(UsageError, match=message):
        read(text, name)


def test_bytes() -> None:
    """UTF-16 is read as PowerShell writes it; a workbook and other bytes are named."""
    assert decode_document("a.example".encode("utf-16")) == "a.example"
    assert decode_document(b"\xef\xbb\xbfa\r\nb\rc") == "a\nb\nc"
    for data, message in (
        (b"PK\x03\x04", "save the sheet as CSV"),
        (b"a\n\xff", "line 2: not UTF-8"),
        (b"a\0b", "null characters"),
        (b"x" * 4_000_001, "more than 4000000 bytes"),
    ):
        with pytest.raises(UsageError, match=message):
            decode_document(data)


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("# Title\n\n## Part\n", "stdin", "markdown"),
        ("| URL |\n|---|\n| a.example |\n", "stdin", "markdown"),
        ("<!DOCTYPE html>\n<html>", "stdin", "html"),
        ("<table><tr>", "page.txt", "html"),
        ("<Objects>", "stdin", "xml"),
        ("[1]", "stdin", "json"),
        ("host;port\n", "stdin", "csv"),
        ("a.example\n", "stdin", "hosts"),
        ("endpoints:\n- a\n", "stdin", "yaml"),
        ("words\n", "stdin", "markdown"),
    ],
)
def test_the_format_shows_in_the_content(text: str, name: str, found: str) -> None:
    """A name without an ending says nothing."""
    assert format_of(text, name) == found


@pytest.mark.parametrize("name", ["x.md", "x.html", "x.csv", "x.json", "x.xml", "x.yaml", "x"])
def test_too_many_rows(name: str) -> None:
    """A list of more than 5000 rows is refused, whatever it is written in."""
    hosts = [f"h{number}.example" for number in range(5001)]
    texts = {
        "x.md": "| URL |\n|---|\n" + "".join(f"| {one} |\n" for one in hosts),
        "x.html": "<table><tr><th>URL</th></tr>"
        + "".join(f"<tr><td>{one}</td></tr>" for one in hosts)
        + "</table>",
        "x.csv": "host,port\n" + "".join(f"{one},443\n" for one in hosts),
        "x.json": json.dumps(hosts),
        "x.xml": manifest(
            '<Property><Property Name="Protocol">https</Property><Property Name="Endpoint">'
            + "".join(f"<Property>{one}</Property>" for one in hosts)
            + "</Property></Property>"
        ),
        "x.yaml": "endpoints:\n" + "".join(f"- {one}\n" for one in hosts),
        "x": "\n".join(hosts),
    }
    with pytest.raises((UsageError, ConfigError), match="more than 5000 rows"):
        read(texts[name], name)


@pytest.mark.parametrize("name", ["x.md", "x.html", "x.csv", "x.json", "x.xml", "x.yaml", "x"])
@pytest.mark.parametrize(
    "part",
    ["<!--", "<![CDATA[", "<?", "<a ", '<a b="', "</", "<table>", "<td>", "<li>", "`", "[", "[a](", "|",
     "- `", "{", "<sup>", "${", "https://", "a,", "\\", "*", "&#", "<b", "</br", "]]>",
     "<pre><code>", "'", '"'],
)  # fmt: skip
def test_hostile_repetition_ends(name: str, part: str) -> None:
    """Whatever is repeated, every reader ends soon, with rows or a message: no cost grows with the square."""
    with suppress(EgressdError):
        read(part * 10_000, name)


PIECES = st.sampled_from(
    ["| URL | Port |\n", "|---|---|\n", "| `a.example` | 443 |\n", "# [x](#tab/y)\n", "```\n", "- `b.example`\n",  # noqa: E501
     "<table>", "<tr>", "<td>", "</td>", "</table>", "<section data-tab='x'>", "</section>", "<li>", "<pre>", "<code>",  # noqa: E501
     "&lt;", ",", ";", '"', "\n", "host,port\n", "c.example:443", "[!INCLUDE [x](y.md)]\n", "---\n", "{", "}", "[",  # noqa: E501
     "]", ":", "<sup>", "|", "\\", "<Objects>", "<Property Name='Targets'>", "</Property>", "https://", "<region>", "*",  # noqa: E501
     "\u202e", "\x00", "\ud800", "1"]
)  # fmt: skip
PIECE_NAMES = ["x.md", "x.html", "x.csv", "x.json", "x.xml", "x.yml", "x"]


@given(
    st.lists(PIECES, max_size=40),
    st.sampled_from(PIECE_NAMES),
)
def test_any_text_gives_rows_or_a_message(pieces: list[str], name: str) -> None:
    """Whatever stands in a document, it gives rows or a message for its author."""
    with suppress(EgressdError):
        for row in read("".join(pieces), name).rows:
            assert row.text.isprintable()
            assert row.pattern is None or row.pattern.isascii()
