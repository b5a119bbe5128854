"""`egressd catalog drift`: a document against the catalog, row by row."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egressd.cli.app import app

BRIDGE = Path(__file__).parents[1] / "documents" / "data" / "bridge-list.md"
PLANTED = "| Planted service | 443 | `planted.example.com` | Appliance VM IPs need outbound connection. | |"


def drift(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["catalog", "drift", "--against", *map(str, words)], env={"COLUMNS": "80"})


def lines(done: Result) -> list[str]:
    """Return the lines of drift, each on one line."""
    text = re.sub(r"\n {6}(?! )", " ", done.stdout)
    return [
        one.strip() for one in text.splitlines() if re.match(r"  (came|went|changed|covered|known) ", one)
    ]


def changed_bridge() -> str:
    """Return the list with one row planted, one removed and one port changed."""
    text = BRIDGE.read_text("utf-8")
    rows = text.splitlines()
    removed = next(at for at, one in enumerate(rows) if "login.windows.net" in one)
    rows[removed] = PLANTED
    moved = next(at for at, one in enumerate(rows) if "`mcr.microsoft.com`" in one)
    rows[moved] = rows[moved].replace("443", "8443")
    return "\n".join(rows)


THREE = [
    "came     planted.example.com 443 (public), line 22: Planted service",
    "went     login.windows.net 443 (public): rb-entra-windows",
    "changed  mcr.microsoft.com 8443 (public): port 8443, was 443: rb-mcr",
]


def test_a_document_that_did_not_change() -> None:
    """The list as it was read is no drift; what was assumed is said, and what was not compared."""
    done = drift(BRIDGE)
    assert (done.exit_code, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "(2026-09-09) of resource-bridge, by its rows; cloud public, usgov" in text
    assert "no drift: 0 came, 0 went, 0 changed, 52 unchanged, 2 rows not compared" in text


def test_three_changes_are_three_lines(tmp_path: Path) -> None:
    """A row planted, one removed and one at another port are exactly these lines, as text and as JSON."""
    path = tmp_path / "network-requirements.md"
    path.write_text(changed_bridge(), encoding="utf-8")
    done = drift(path)
    assert done.exit_code == 1
    assert lines(done) == THREE
    done = drift(path, "--format", "json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["schema"] == "egressd.catalog-drift/1"
    (one,) = document["documents"]
    assert (one["profiles"], one["assumed"], one["clouds"]) == (
        ["resource-bridge"],
        "rows",
        ["public", "usgov"],
    )
    assert [(row["pattern"], row["port"], row["cloud"], row["line"]) for row in one["came"]] == [
        ("planted.example.com", "443", "public", 22)
    ]
    assert [(row["pattern"], row["endpoints"]) for row in one["went"]] == [
        ("login.windows.net", ["rb-entra-windows"])
    ]
    assert [(row["endpoints"], row["changes"]) for row in one["changed"]] == [
        (["rb-mcr"], [{"key": "port", "before": "443", "after": "8443"}])
    ]


def test_the_name_of_a_file_can_say_what_it_is(tmp_path: Path) -> None:
    """A file at the path of the document is that document, however much it changed."""
    folder = tmp_path / "articles" / "azure-arc" / "resource-bridge" / "includes"
    folder.mkdir(parents=True)
    path = folder / "network-requirements.md"
    path.write_text(changed_bridge(), encoding="utf-8")
    done = drift(path)
    assert lines(done) == THREE
    assert "by its path" in " ".join(done.stdout.split())


def saved_page(text: str) -> str:
    """Return the list as a browser saves its page: tabs are sections, hosts are code, the rest is around."""
    parts = [
        "<!DOCTYPE html><html><head><title>x</title><script>a = '<td>no.example.com</td>'</script></head>"
    ]
    parts.append(
        "<body><nav><ul><li><code>https://nav.example.com</code></li></ul></nav><h1>Requirements</h1>"
    )
    parts.append('<div class="tabGroup"><ul role="tablist"><li><a href="#x">Azure Cloud</a></li></ul>')
    for line in text.splitlines():
        tab = re.search(r"\[(.*)\]\(#tab/(.*)\)", line)
        cells = [one.strip() for one in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if tab:
            parts.append("" if len(parts) == 3 else "</tbody></table></div></section>")
            parts.append(
                f'<section id="tabpanel_1_{tab[2]}" role="tabpanel" data-tab="{tab[2]}"><div><table>'
            )
        elif cells and "Service" in cells[0]:
            parts.append(
                "<thead><tr>" + "".join(f"<th><strong>{one.strip('*')}</strong></th>" for one in cells)
            )
            parts.append("</tr></thead><tbody>")
        elif cells and not set(line) <= set("|- "):
            made = [
                re.sub(r"`([^`]*)`", lambda found: f"<code>{html.escape(found[1])}</code>", one)
                for one in cells
            ]
            parts.append("<tr>" + "".join(f"<td>{one}</td>\n" for one in made) + "</tr>")
    return "\n".join([*parts, "</tbody></table></div></section></div><footer>&copy;</footer></body></html>"])


def test_a_page_saved_from_a_browser(tmp_path: Path) -> None:
    """The same page as HTML gives the same lines, but for their numbers."""
    path = tmp_path / "Requirements.html"
    path.write_text(saved_page(BRIDGE.read_text("utf-8")), encoding="utf-8")
    assert (drift(path).exit_code, lines(drift(path))) == (0, [])
    path.write_text(saved_page(changed_bridge()), encoding="utf-8")
    done = drift(path)
    assert done.exit_code == 1
    assert [re.sub(r", line \d+", "", one) for one in lines(done)] == [
        re.sub(r", line \d+", "", one) for one in THREE
    ]


EXPORTS = [
    ("resource-bridge", "public", "eastus", "csv"),
    ("connected-machine", "usgov", "usgovvirginia", "json"),
    ("connected-machine", "china", "chinaeast2", "md"),
    ("azure-local", "public", "westeurope", "csv"),
    ("configuration-manager", "public", "eastus", "md"),
    ("scvmm", "public", "westeurope", "json"),
]


@pytest.mark.parametrize(("profile", "cloud", "region", "fmt"), EXPORTS)
def test_our_own_export_is_no_drift(tmp_path: Path, profile: str, cloud: str, region: str, fmt: str) -> None:
    """What `catalog export` writes is what the catalog has, with inbound rows, ranges and placeholders."""
    path = tmp_path / f"rules.{fmt}"
    words = ["--profile", profile, "--cloud", cloud, "--region", region, "--output", str(path)]
    made = CliRunner().invoke(
        app, ["catalog", "export", "--format", {"md": "markdown"}.get(fmt, fmt), *words]
    )
    assert made.exit_code == 0, made.stderr
    done = drift(path)
    assert (done.exit_code, lines(done)) == (0, [])
    assert profile in done.stdout


@pytest.mark.parametrize("fmt", ["csv", "json", "markdown"])
def test_changes_of_an_export(tmp_path: Path, fmt: str) -> None:
    """One rule planted, one removed, one at another port are three lines, also in our own formats."""
    path = tmp_path / f"rules.{fmt.replace('markdown', 'md')}"
    words = ["--profile", "resource-bridge", "--region", "eastus", "--format", fmt, "--output", str(path)]
    assert CliRunner().invoke(app, ["catalog", "export", *words]).exit_code == 0
    text = path.read_text("utf-8")
    if fmt == "json":
        document = json.loads(text)
        rules = {one["destination"]: one for one in document["rules"]}
        document["rules"].remove(rules["login.windows.net"])
        rules["mcr.microsoft.com"]["port"] = 8443
        document["rules"].append(
            rules["sts.windows.net"] | {"destination": "planted.example.com", "endpoints": []}
        )
        text = json.dumps(document)
    else:
        rows = text.splitlines()
        gone = next(one for one in rows if "login.windows.net" in one)
        moved = next(one for one in rows if re.search(r"[`,]mcr\.microsoft\.com", one))
        planted = re.sub(
            r" rb-[a-z-]+$|,rb-[a-z-]+$", ",", gone.replace("login.windows.net", "planted.example.com")
        )
        rows[rows.index(gone)] = planted
        rows[rows.index(moved)] = re.sub(r"443", "8443", moved, count=1)
        text = "\n".join(rows)
    path.write_text(text, encoding="utf-8")
    done = drift(path)
    assert done.exit_code == 1
    assert [one.split()[:2] for one in lines(done)] == [
        ["came", "planted.example.com"],
        ["went", "login.windows.net"],
        ["changed", "mcr.microsoft.com"],
    ]


def test_a_row_for_other_machines(tmp_path: Path) -> None:
    """Two rows of one host are for two kinds of machines: the one that is gone is told from the other."""
    path = tmp_path / "list.md"
    rows = BRIDGE.read_text("utf-8").splitlines()
    rows = [one for one in rows if not ("Azure CLI" in one and "blob.core.windows.net" in one)]
    path.write_text("\n".join(rows), encoding="utf-8")
    assert lines(drift(path)) == ["went     *.blob.core.windows.net 443 (public): rb-cli-installer"]


def test_a_host_that_a_wildcard_covers(tmp_path: Path) -> None:
    """It is said and by what, and is no drift: the rules let it through."""
    path = tmp_path / "list.md"
    text = BRIDGE.read_text("utf-8").replace(
        "|Custom Location|", "|Store| 443 | `some.blob.core.windows.net` | | |\n|Custom Location|"
    )
    path.write_text(text, encoding="utf-8")
    done = drift(path)
    assert done.exit_code == 0
    (line,) = lines(done)
    assert line.startswith("covered  some.blob.core.windows.net 443 (public)")
    assert "by *.blob.core.windows.net" in line


def test_another_products_host_is_news(tmp_path: Path) -> None:
    """In a list of one product, a host that only another has came, and the line says who has it."""
    path = tmp_path / "list.md"
    text = BRIDGE.read_text("utf-8").replace(
        "|Custom Location|", "|Gallery| 443 | `www.powershellgallery.com` | | |\n|Custom Location|"
    )
    path.write_text(text, encoding="utf-8")
    (line,) = lines(drift(path))
    assert line.startswith("came     www.powershellgallery.com 443 (public)")
    assert "other products have it: al-modules" in line


def test_withdrawn_rows_are_not_gone_and_not_news(tmp_path: Path) -> None:
    """A row that Microsoft took off the list is not asked for; an old copy that has it is no news."""
    path = tmp_path / "list.md"
    text = BRIDGE.read_text("utf-8").replace(
        "|Custom Location|", "|Telemetry| 443 | `adhs.events.data.microsoft.com` | | |\n|Custom Location|"
    )
    path.write_text(text, encoding="utf-8")
    assert (drift(path).exit_code, lines(drift(path))) == (0, [])


REGIONAL = """\
| Id | Azure Local Component | Endpoint URL | Port | Notes | Arc gateway support | Required for |
|----|----|----|----|----|----|----|
| 1 | ARB | eastus.dp.prod.appliances.azure.com | 443 | x | Yes | Deployment |
| 2 | Arc | https://eastus.obo.arc.azure.com | 8084 | x | No | Deployment |
| 3 | Arc | eastus-gas.guestconfiguration.azure.com | 443 | x | Yes | Deployment |
| 4 | Gateway | yourarcgatewayendpointid.gw.arc.azure.com | 443 | x | No | Deployment |
"""


def test_regions_and_names_of_the_reader(tmp_path: Path) -> None:
    """A region's host is the row of every region; another region's is news when the region is given."""
    path = tmp_path / "eastus.md"
    path.write_text(REGIONAL, encoding="utf-8")
    done = drift(path, "--profile", "azure-local", "--format", "json")
    (one,) = json.loads(done.stdout)["documents"]
    assert (one["region"], one["came"], one["covered"], one["unchanged"]) == ("eastus", [], [], 4)
    done = drift(path, "--profile", "azure-local", "--region", "westeurope", "--format", "json")
    (one,) = json.loads(done.stdout)["documents"]
    assert [row["pattern"] for row in one["came"]] == [
        "eastus.obo.arc.azure.com",
        "eastus-gas.guestconfiguration.azure.com",
    ]
    assert [row["covered_by"] for row in one["covered"]] == ["*.dp.prod.appliances.azure.com"]


def test_a_list_that_is_no_copy_accuses_nobody(tmp_path: Path) -> None:
    """Of a handful of hosts it can't be told what went; --profile says that they are meant to be all."""
    path = tmp_path / "hosts.txt"
    path.write_text("mcr.microsoft.com:443\ngraph.microsoft.com\nplanted.example.com\n", encoding="utf-8")
    done = drift(path)
    assert [one.split()[:2] for one in lines(done)] == [["came", "planted.example.com,"]]
    assert "whether rows went can't be told" in " ".join(done.stdout.split())
    done = drift(path, "--profile", "resource-bridge")
    kinds = [one.split()[0] for one in lines(done)]
    assert (kinds.count("came"), kinds.count("went") > 15) == (1, True)


def test_rows_of_the_configuration_are_known(tmp_path: Path) -> None:
    """A row that the operator added is no news."""
    path, config = tmp_path / "list.md", tmp_path / "own.yml"
    path.write_text(changed_bridge(), encoding="utf-8")
    config.write_text(
        "endpoints: [{id: own, host: planted.example.com, port: 443, protocol: https}]\n", encoding="utf-8"
    )
    assert lines(drift(path, "--config.file", config)) == THREE[1:]


def test_a_folder(tmp_path: Path) -> None:
    """Each file is a document of its own, and what is included takes the tab that it stands under."""
    (tmp_path / "includes").mkdir()
    public, gov = BRIDGE.read_text("utf-8").split("### [Azure Government](#tab/azure-government)")
    table = public.partition("(#tab/azure-cloud)")[2]
    (tmp_path / "includes" / "cloud.md").write_text(table, encoding="utf-8")
    (tmp_path / "includes" / "gov.md").write_text(gov, encoding="utf-8")
    (tmp_path / "page.md").write_text(
        "### [Azure Cloud](#tab/azure-cloud)\n\n[!INCLUDE [x](includes/cloud.md)]\n\n"
        "### [Azure Government](#tab/azure-government)\n\n[!INCLUDE [x](includes/gov.md)]\n",
        encoding="utf-8",
    )
    (tmp_path / "other.md").write_text("# Nothing\n\nwords\n", encoding="utf-8")
    done = drift(tmp_path, "--format", "json")
    assert done.exit_code == 0, done.stdout
    document = json.loads(done.stdout)
    assert [(one["name"], one["clouds"], one["drifted"]) for one in document["documents"]] == [
        ("includes/cloud.md", ["public"], False),
        ("includes/gov.md", ["usgov"], False),
    ]
    assert document["notes"] == ["1 file without a list: other.md"]


def test_only_one_cloud(tmp_path: Path) -> None:
    """With --cloud, the rows of other clouds are left alone."""
    path = tmp_path / "list.md"
    path.write_text(changed_bridge(), encoding="utf-8")
    done = drift(path, "--cloud", "usgov")
    assert (done.exit_code, lines(done)) == (0, [])


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("# Words\n\nonly\n", "a.md", "it holds no list of endpoints"),
        ("| URL | Port |\n|---|---|\n| a.example.com | 443 |\n", "a.md", "no row of it is in the catalog"),
        ("", "a.md", "it is empty"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><Objects/>", "a.xml", "a document type in XML is not allowed"),
        ("{", "a.json", "not valid YAML"),
    ],
)
def test_what_can_not_be_compared(tmp_path: Path, text: str, name: str, message: str) -> None:
    """It is a wrong use, said in one line, and never a finding of drift."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    done = drift(path)
    assert done.exit_code in {2, 78}
    assert message in done.stderr
    assert done.stdout == ""


def test_wrong_use(tmp_path: Path) -> None:
    """A missing file, an unknown profile, a region that does not exist: exit 2."""
    for words in (
        ["/nope.md"],
        [str(BRIDGE), "--profile", "nope"],
        [str(BRIDGE), "--region", "westeurop"],
        [str(tmp_path)],
    ):
        done = drift(*words)
        assert (done.exit_code, done.stdout) == (2, ""), words
        assert "Traceback" not in done.stderr


def test_pages_on_something_near_are_not_accused(tmp_path: Path) -> None:
    """In a folder, a page that shares hosts with a document is named, and nothing is said of its rows."""
    rows = BRIDGE.read_text("utf-8").splitlines()
    some = [one for one in rows[:22] if "graph" not in one]
    (tmp_path / "near.md").write_text("\n".join([*some, PLANTED]), encoding="utf-8")
    (tmp_path / "list.md").write_text("\n".join(rows), encoding="utf-8")
    done = drift(tmp_path, "--format", "json")
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [one["name"] for one in document["documents"]] == ["list.md"]
    assert document["notes"] == ["near.md: not compared: like no document of the catalog; name its --profile"]


def test_an_include_of_two_pages_is_one_document(tmp_path: Path) -> None:
    """Rows are counted once, whichever pages include their file."""
    (tmp_path / "list.md").write_text(changed_bridge(), encoding="utf-8")
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text("[!INCLUDE [x](list.md)]\n", encoding="utf-8")
    assert lines(drift(tmp_path)) == THREE
