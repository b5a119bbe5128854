"""`egressd catalog import` and `diff`: a list becomes configuration, and every skipped row is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from egressd.cli.app import app
from egressd.cli.importing.rows import import_rows
from egressd.config import Flags, load_settings
from egressd.documents.listed import ListedRow
from egressd.documents.read import read_document
from egressd.errors import EgressdError
from egressd.model.endpoint import Need, Protocol, Role


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["catalog", *words], input=stdin, env={"COLUMNS": "80"})


def rows(text: str, name: str = "list.csv") -> list[dict[str, object]]:
    return [one.row for one in import_rows(read_document(text, name).rows)]


def test_a_vendors_list_becomes_configuration(tmp_path: Path) -> None:
    """The written configuration loads, with the values of the list."""
    path = tmp_path / "vendor.csv"
    path.write_text(
        "\ufeffFQDN;Ports;Protocol;Need;Role;Description;Owner\r\n"
        "VMM01.corp.example;443;https;conditional;appliance;SCVMM;me\r\n"
        "https://repo.example/v2/;;;;;Repository;me\r\n"
        "time.example;123;UDP;;;;me\r\n"
        "pair.example;80, 443;;optional;;;me\r\n",
        encoding="utf-8",
    )
    done = run("import", str(path), "--output", str(tmp_path / "own.yml"))
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "egressd: columns that were not used: Owner\n"
    settings = load_settings(tmp_path / "own.yml", Flags())
    found = {one.id: one for one in settings.endpoints}
    assert list(found) == [
        "vmm01-corp-example-443",
        "repo-example-443",
        "time-example-123",
        "pair-example-80",
        "pair-example-443",
    ]
    vmm = found["vmm01-corp-example-443"]
    assert (vmm.roles, vmm.need, vmm.purpose) == ((Role.APPLIANCE,), Need.CONDITIONAL, "SCVMM")
    assert found["repo-example-443"].path == "/v2/"
    assert found["time-example-123"].protocol is Protocol.NTP
    assert found["pair-example-80"].protocol is Protocol.HTTP
    assert found["pair-example-443"].need is Need.OPTIONAL


@pytest.mark.parametrize("fmt", ["csv", "json", "markdown"])
def test_an_export_can_be_imported(tmp_path: Path, fmt: str) -> None:
    """The rules of `catalog export` are read; roles of one destination are one endpoint again."""
    rules = tmp_path / f"rules.{fmt.replace('markdown', 'md')}"
    export = (
        "export",
        "--format",
        fmt,
        "--profile",
        "resource-bridge",
        "--only",
        "rb-mcr",
        "--only",
        "rb-sfs-api",
    )
    assert run(*export, "--output", str(rules)).exit_code == 0
    done = run("import", str(rules))
    assert done.exit_code == 0, done.stderr
    found = {one["host"]: one for one in yaml.safe_load(done.stdout)["endpoints"]}
    assert set(found) == {"mcr.microsoft.com", "msk8s.api.cdp.microsoft.com"}
    assert found["mcr.microsoft.com"]["roles"] == ["management", "appliance", "control-plane"]
    assert found["mcr.microsoft.com"]["protocol"] == "https"


def test_every_bad_row_is_named_at_once(tmp_path: Path) -> None:
    """Every bad row is named with line and host; nothing is written unless they may be skipped."""
    path = tmp_path / "list.csv"
    path.write_text(
        "host,port,protocol,role,need\ngood.example,443,https,,\nany.example,any,https,,\n1.2.3,443,https,,\n"
        "odd.example,443,quic,,\n,443,https,,\nrole.example,443,https,gateway,\nneed.example,443,https,,maybe\n",
        encoding="utf-8",
    )
    done = run("import", str(path))
    assert (done.exit_code, done.stdout) == (78, "")
    places = dict.fromkeys(tuple(line.split(": ")[:2]) for line in done.stderr.splitlines())
    assert list(places) == [
        (f"{path}:3", "any.example"),
        (f"{path}:4", "1.2.3"),
        (f"{path}:5", "odd.example"),
        (f"{path}:6", "no host"),
        (f"{path}:7", "role.example"),
        (f"{path}:8", "need.example"),
    ]
    done = run("import", str(path), "--skip-bad")
    assert done.exit_code == 0
    assert [one["host"] for one in yaml.safe_load(done.stdout)["endpoints"]] == ["good.example"]
    assert done.stderr.count("left out: ") >= 6


def test_what_can_not_be_probed_is_kept(tmp_path: Path) -> None:
    """Wildcards, ranges, UDP, ICMP, placeholders and words are rules: written, loaded, and named."""
    path = tmp_path / "list.csv"
    path.write_text(
        "host,port,protocol\n*.wild.example,443,https\nrange.example,1-9,tcp\nlog.example,514,udp\n"
        "ping.example,,icmp\n<vault-name>.vault.example,443,https\nURL of the WinRM service,5985,http\n"
        "<region>.his.example,443,https\n",
        encoding="utf-8",
    )
    own = tmp_path / "own.yml"
    done = run("import", str(path), "--output", str(own))
    assert (done.exit_code, done.stdout) == (0, "")
    kept = "kept as a rule that is not probed"
    assert done.stderr.splitlines() == [
        f"{path}:2: *.wild.example: {kept}: no samples stand for the wildcard",
        f"{path}:3: range.example: {kept}: a range of ports",
        f"{path}:4: log.example: {kept}: udp can't be proved",
        f"{path}:5: ping.example: {kept}: icmp can't be proved",
        f"{path}:6: {{vault_name}}.vault.example: {kept}: needs values: vault_name",
        f"{path}:7: URL of the WinRM service: {kept}: needs values: url_of_the_winrm_service",
    ]
    own.write_text(own.read_text("utf-8") + "region: eastus\nprofiles: []\n", encoding="utf-8")
    plan = CliRunner().invoke(app, ["plan", "--config.file", str(own)], env={"COLUMNS": "200"})
    assert plan.exit_code == 0
    assert "Plan: 1 target " in plan.stdout
    assert "https://eastus.his.example:443" in plan.stdout
    for why in (
        "needs values: vault_name",
        "no sample is documented",
        "a range of ports",
        "ICMP is not probed",
    ):
        assert why in " ".join(plan.stdout.split())


def test_samples_stand_for_a_wildcard() -> None:
    """`samples` may come as a column, or as the catalog writes them."""
    (row,) = rows("pattern,port,samples\n*.cdn.example,443,a.cdn.example b.cdn.example\n")
    assert (row["pattern"], row["samples"]) == ("*.cdn.example", ["a.cdn.example", "b.cdn.example"])
    text = "endpoints:\n- {pattern: '*.cdn.example', port: 443, samples: {documented: [a.cdn.example]}}\n"
    (row,) = rows(text, "list.yaml")
    assert row["samples"] == ["a.cdn.example"]


def test_json_may_be_a_list() -> None:
    """A JSON list is read with numbers, lists and booleans."""
    text = json.dumps([{"host": "a.example", "port": [80, 443], "internal": True, "roles": ["machine"]}])
    assert [(one["port"], one["protocol"], one["internal"], one["roles"]) for one in rows(text, "-")] == [
        (80, "http", True, ["machine"]),
        (443, "https", True, ["machine"]),
    ]


def test_the_strictest_need_wins() -> None:
    """Rows of one host, port and protocol are one endpoint; one without roles is for every machine."""
    text = "host,port,need,condition,role\na.example,443,conditional,SSH,machine\na.example,443,required,,\n"
    (row,) = rows(text)
    assert row["need"] == "required"
    assert "condition" not in row
    assert "roles" not in row


def test_ids_are_unique() -> None:
    """An id that is taken gets a number; a given one is kept."""
    raws = [
        ListedRow(pattern=host, text=host, line=2, origin="-", number=1, port="443", id=given)
        for host, given in (("a.example", "x"), ("b.example", "x"), ("c.example", "7"))
    ]
    assert [one.row["id"] for one in import_rows(raws)] == ["x", "x-2", "c-example-443"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("a,b\n1,2\n", "no row of it can be used"),
        ("{}", "neither a list of endpoints nor has one in it"),
        ("[1, 2]", "must be a mapping of keys to values"),
        ("[{", "not valid YAML"),
        ("host,port\na.example,443,extra\n", "has 1 cell more than the heading"),
        ('host,port\n"a.example,443\n', "not valid CSV"),
        ("host,port\n" + "a.example,443\n" * 5001, "more than 5000 rows"),
    ],
)
def test_an_invalid_list_is_refused(text: str, message: str) -> None:
    """An invalid file is refused with a message."""
    done = run("import", "-", stdin=text)
    assert done.exit_code in {2, 78}
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@given(st.text(max_size=200))
def test_any_text_gives_rows_or_a_message(text: str) -> None:
    """Any file gives rows or an EgressdError."""
    for name in ("list.csv", "list.json"):
        try:
            import_rows(read_document(f"host,port\n{text}" if name.endswith("csv") else text, name).rows)
        except EgressdError:
            continue


def test_missing_files() -> None:
    """Both commands report a missing file."""
    for words in (("import", "/nope.csv"), ("diff", "/nope")):
        done = run(*words)
        assert (done.exit_code, done.stdout) in {(2, ""), (78, "")}
        assert "No such file or directory" in done.stderr


def test_diff_with_the_built_in_catalog(tmp_path: Path) -> None:
    """`catalog diff` compares an older folder with the built-in catalog, as text and as JSON."""
    shipped = Path(__file__).parents[2] / "egressd" / "catalog" / "data"
    old = tmp_path / "old"
    old.mkdir()
    for path in shipped.glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("id: rb-mcr\n", "id: rb-registry\n")
        (old / path.name).write_text(text, encoding="utf-8")
    done = run("diff", str(old))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "ADDED: request these\n  rb-mcr: mcr.microsoft.com 443 https" in done.stdout
    assert "rb-registry" in done.stdout
    document = json.loads(run("diff", str(old), "--format", "json").stdout)
    assert [one["id"] for one in document["came"]] == ["rb-mcr"]
