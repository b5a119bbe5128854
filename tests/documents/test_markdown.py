"""Markdown as Microsoft's documents are written: tables, tabs, lists, code, and what only looks like it."""

from __future__ import annotations

from egressd.model.endpoint import Cloud, Role
from tests.documents.reading import read, read_data, rules, shown

BRIDGE = """\
---
ms.topic: include
ms.date: 09/09/2026
---

## Inbound connectivity requirements

|**Service**|**Port**|**IP/machine**|**Direction**|**Notes**|
|--|--|--|--|--|
|SSH| 22 | `appliance VM IPs` and `Management machine` | Bidirectional | x |

### Firewall list

### [Azure Cloud](#tab/azure-cloud)

|**Service**|**Port**|**URL**|**Direction**|**Notes**|
|--|--|--|--|--|
|DNS servers | 53 | Your DNS server IPs | Management machine and appliance VM IPs need outbound connection. | Names |
|Images| 443 | `*.blob.example.net, ecpacr.example.io`| Appliance VM IPs need outbound connection. | Pull |
|Time| 123 | `time.example` | Management machine & Appliance VM IPs need outbound connection on UDP | Time|
|Bus | 443 | `*.bus.example.net`| Appliance VM IPs. Outbound WebSocket (wss://) must be allowed. | Control |

### [Azure Government](#tab/azure-government)

| **Service** | **Port** | **Azure US Government URL** | **Direction** | **Notes** |
| --- | --- | --- | --- | --- |
| ARM | 443 | `login.example.us` <br> `<region>.login.example.us` | Management machine. | Tokens. <br> For example x |
| Old | 80, 443 | `old.example.us` | Outbound | |

---

## After the tabs

| Endpoint | Description |
|---|---|
| `after.example` | no cloud |
"""  # noqa: E501 - as documents are written


def test_a_table_with_tabs() -> None:
    """Each tab is a cloud; a cell has several hosts, prose or a placeholder; the direction names roles."""
    listing = read(BRIDGE)
    assert [(one.line, shown(one), one.cloud) for one in listing.rows] == [
        (18, "{resolver} 53 -", Cloud.PUBLIC),
        (19, "*.blob.example.net 443 -", Cloud.PUBLIC),
        (19, "ecpacr.example.io 443 -", Cloud.PUBLIC),
        (20, "time.example 123 -", Cloud.PUBLIC),
        (21, "*.bus.example.net 443 wss", Cloud.PUBLIC),
        (27, "login.example.us 443 -", Cloud.USGOV),
        (27, "{region}.login.example.us 443 -", Cloud.USGOV),
        (28, "old.example.us 80 -", Cloud.USGOV),
        (28, "old.example.us 443 -", Cloud.USGOV),
        (36, "after.example - -", None),
    ]
    assert listing.count == 7
    assert listing.rows[0].prose
    assert listing.rows[0].roles == (Role.MANAGEMENT, Role.APPLIANCE)
    assert listing.rows[1].roles == (Role.APPLIANCE,)
    assert (listing.rows[3].service, listing.rows[3].purpose) == ("Time", "Time")
    assert listing.rows[5].section == "Azure Government (azure-government)"
    assert listing.rows[9].section == "After the tabs"


def test_the_documents_the_project_began_with() -> None:
    """The first has a table of 13 rows that name 13 hosts, one row in words alone; the others have none."""
    overview = read_data("scvmm-overview.md")
    assert overview.count == 13
    assert len({one.pattern for one in overview.rows if not one.prose}) == 13
    assert [one.text for one in overview.rows if one.prose] == ["URL of the SCVMM management server"]
    assert [one.port for one in overview.rows] == ["443"] * 9 + ["80"] + ["443"] * 4
    for name in ("agent-prerequisites.txt", "vm-management.md", "configuration-manager.md"):
        assert read_data(name).rows == ()


def test_a_table_without_ports() -> None:
    """Where no column has ports, none is said, but for those in a URL or in the words beside it."""
    text = """\
| Agent resource | Description | When required| Private link capable |
|---------|---------|--------|---------|
|`aka.example`|Script|At installation time, only| Public |
|`a.example`, `*.a.example`|Notifications|Always| Public |
|`www.example/pkiops/certs`| (note: uses HTTP/TCP 80 and HTTPS/TCP 443) | If using ESUs | Public |
| `*.<region>.data.example` <sup>1</sup> | SQL | Always | Public |

<sup>1</sup> For details, see [Data](/sql/data).
"""
    listing = read(text)
    assert [shown(one) for one in listing.rows] == [
        "aka.example - -",
        "a.example - -",
        "*.a.example - -",
        "www.example 80 -",
        "www.example 443 -",
        "*.{region}.data.example - -",
    ]
    assert listing.rows[3].path == "/pkiops/certs"
    assert listing.rows[3].when == "If using ESUs"
    assert listing.unused == ()


def test_a_column_for_each_cloud() -> None:
    """One row names a host per cloud, and is one row."""
    text = """\
| Service | Azure Cloud | Azure Government | Azure operated by 21Vianet | Port |
|---|---|---|---|---|
| ARM | `a.example.com` | `a.example.us` | `a.example.cn` | 443 |
| Only public | `b.example.com` | N/A | - | 8443 |
"""
    listing = read(text)
    assert [(shown(one), one.cloud) for one in listing.rows] == [
        ("a.example.com 443 -", Cloud.PUBLIC),
        ("a.example.us 443 -", Cloud.USGOV),
        ("a.example.cn 443 -", Cloud.CHINA),
        ("b.example.com 8443 -", Cloud.PUBLIC),
    ]
    assert listing.count == 2


def test_seven_columns() -> None:
    """A list of a region: hosts with and without scheme, paths, whether the gateway carries it."""
    text = """\
**This list was last updated on November 27th, 2025**

| Id | Azure Local Component       | Endpoint URL                | Port | Notes | Arc gateway support | Required for |
|----|-----------------------------|-----------------------------|------|-------|---------------------|--------------|
| 1 |Azure Local AKS infra         | mcr.example.com             | 443  | Site  | Yes. 2408 or later  | Deployment   |
| 2 |Azure Local AKS infra         | https://eastus.obo.example  | 8084 | OBO   | No                  | Deployment   |
| 3 |Azure Local benefits          | http://crl3.example/*       | 80   | CRL   | No                  | Deployment   |
| 4 |Azure Local authentication    | yourhcikeyvaultname.vault.example.net | 443 | Vault | No | Deployment & Post deployment
"""  # noqa: E501 - as documents are written
    listing = read(text)
    assert [(shown(one), one.gateway) for one in listing.rows] == [
        ("mcr.example.com 443 -", True),
        ("eastus.obo.example 8084 https", False),
        ("crl3.example 80 http", False),
        ("{yourhcikeyvaultname}.vault.example.net 443 -", False),
    ]
    assert (listing.rows[0].service, listing.rows[0].when) == ("Azure Local AKS infra", "Deployment")
    assert listing.unused == ()


def test_a_table_without_outer_pipes() -> None:
    """Neither the first nor the last pipe of a line is needed, nor a space."""
    assert rules("Domain name | Ports\n--- | ---\na.example | 443\nb.example|80\n") == [
        "a.example 443 -",
        "b.example 80 -",
    ]


def test_a_table_in_a_note() -> None:
    """A table may stand in a block quote; a pipe after a backslash is text."""
    text = "> | URL | Port | Notes |\n> |---|---|---|\n> | a.example | 443 | this \\| that |\n"
    listing = read(text)
    assert [shown(one) for one in listing.rows] == ["a.example 443 -"]
    assert listing.rows[0].purpose == "this | that"


def test_ports_and_protocols_in_words() -> None:
    """Ports stand in words, with ranges, and with a protocol for all or for each of them."""
    text = """\
| Host | Port | Protocol |
|---|---|---|
| a.example | 5985 and 5986 (default) | TCP |
| b.example | 49152 - 65535 | TCP |
| c.example | TCP/8084 | HTTPS |
| d.example | 80, 443 | HTTP/HTTPS |
| e.example | 53 | TCP/UDP |
| f.example | 123 | UDP |
| g.example | N/A | ICMP |
| h.example | 514 | UDP |
| i.example | 5671 | TCP/UDP |
| j.example | 443 | HTTPS + WebSocket (wss://) |
"""
    assert rules(text) == [
        "a.example 5985 tcp",
        "a.example 5986 tcp",
        "b.example 49152-65535 tcp",
        "c.example 8084 https",
        "d.example 80 http",
        "d.example 443 https",
        "e.example 53 dns",
        "f.example 123 ntp",
        "g.example - icmp",
        "h.example 514 udp",
        "i.example 5671 tcp",
        "i.example 5671 udp",
        "j.example 443 wss",
    ]


def test_a_port_that_is_none_is_a_problem() -> None:
    """`Any` and 99999 are no ports: the row says so."""
    listing = read(
        "| URL | Port |\n|---|---|\n| a.example | Any |\n| b.example | 99999 |\n| c.example | 20-10 |\n"
    )
    assert [one.problems for one in listing.rows] == [
        ("port 'Any' is not a number or a range",),
        ("port 99999 is not a port or a range",),
        ("port 20-10 is not a port or a range",),
    ]


def test_lists_of_urls() -> None:
    """Bullets that begin with a host are rows; the protocol comes from the scheme, a cloud from the words."""
    text = """\
## Updates

- `*.akamaiedge.example`

- `configmgrbits.example.net`

    > [!IMPORTANT]
    > This endpoint only supports TLS 1.2.

- http://windowsupdate.example

- https://\\*.update.example

1. `management.example.com` (Azure public cloud)
1. `management.example.us` (Azure US Government cloud)
* `https://a.example` and `https://b.example/fwlink/?linkid=1` to support deploying
* Starting March 2, 2021: `https://omex.example/file.cab`

## Before you begin

- Run `az login`, and register `Microsoft.HybridCompute`
- Sign in to the [portal](https://portal.example)
- For more, see `docs.example.com`
- Nothing
"""
    assert [(shown(one), one.cloud) for one in read(text).rows] == [
        ("*.akamaiedge.example - -", None),
        ("configmgrbits.example.net - -", None),
        ("windowsupdate.example 80 http", None),
        ("*.update.example 443 https", None),
        ("management.example.com - -", Cloud.PUBLIC),
        ("management.example.us - -", Cloud.USGOV),
        ("a.example 443 https", None),
        ("b.example 443 https", None),
        ("omex.example 443 https", None),
    ]


def test_code() -> None:
    """A fence of hosts, one a line with a port at most, is a list; commands and JSON are not."""
    text = """\
```
*.arc.example.net
*.obo.arc.example.com:8084
www.example.com:80
```

```rest
GET https://guestnotificationservice.example/urls/allowlist?location=<region>
```

```
az arcgateway list
curl https://a.example
```

```bash
a.example.com
b.example.com
```

~~~text
c.example.com

# a comment
d.example.com
~~~

```
single.example.com
```
"""
    assert rules(text) == [
        "*.arc.example.net - -",
        "*.obo.arc.example.com 8084 -",
        "www.example.com 80 -",
        "c.example.com - -",
        "d.example.com - -",
    ]


def test_tables_that_hold_no_endpoints() -> None:
    """A table counts by its columns and by the hosts in them."""
    for header in (
        "| Name | Value |",
        "| Capability | Configuration Manager |",
        "| Endpoint Description | Notes |",
    ):
        assert rules(f"{header}\n|---|---|\n| see https://a.example | b.example |\n") == []
    assert rules("| Endpoint | Meaning |\n|---|---|\n| The left one | nothing |\n") == []


def test_an_html_comment_is_not_read() -> None:
    """What an author commented out is no row, and lines keep their numbers."""
    listing = read(
        "<!--\n| URL | Port |\n|---|---|\n| old.example | 1 |\n-->\n"
        "| URL | Port |\n|---|---|\n| a.example | 2 |\n"
    )
    assert [(one.line, shown(one)) for one in listing.rows] == [(8, "a.example 2 -")]


def test_what_is_included_is_said() -> None:
    """A single file's includes are not read, and named."""
    (note,) = read("x\n\n[!INCLUDE [arc](../includes/arc-region-note.md)]\n").notes
    assert note == (
        "page.md:3: includes ../includes/arc-region-note.md, which is not read: "
        "name the folder to have it read"
    )
