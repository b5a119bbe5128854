"""House rules: sizes, names, docstrings, fresh pages, a complete glossary, no registry host in any file."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shlex
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml

from egressd.config import Flags, load_settings
from scripts.pages.package import shared_names

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = runpy.run_path(str(ROOT / "scripts" / "docs.py"))["PAGES"]

MEDIAN_FUNCTION, P95_FUNCTION, LONGEST_FUNCTION = 10, 35, 60
LONGEST_FILE = 350
MODULES_IN_A_FOLDER = 12

TABLES = frozenset(
    {"egressd/model/observation.py", "egressd/attribution/blame/facts.py", "egressd/metrics/table.py"}
)
TABLE_ROOMS = ("egressd/attribution/reasons/", "egressd/attribution/rules/")
"""Tables of data: length does no harm there, nor does a module per chapter."""

PROTOCOL_NAMES: Mapping[str, str] = {}
"""Public names that may be in several modules, as one interface with several implementations, and why."""

HOME_MADE: dict[str, str] = {
    "alarm": "alert",
    "appetite": "read limits",
    "assessment": "judgement",
    "behold": "build an index",
    "bell": "wakeup",
    "burst": "loss pattern",
    "bursts": "loss patterns",
    "carrier": "queue worker",
    "confess": "report dropped",
    "confessed": "dropped reported",
    "counting": "counters",
    "courier": "delivery supervisor",
    "crowd": "peers",
    "desk": "store",
    "downtime": "silence",
    "downtimes": "silences",
    "fading": "resolving",
    "flutter": "flapping",
    "flutters": "flapping",
    "greet": "send ClientHello",
    "greeted": "answered",
    "hear": "query",
    "heard": "answered",
    "heirs": "successors",
    "hush": "inhibit",
    "hushed": "suppressed",
    "inquiry": "query session",
    "intake": "response reader",
    "inventions": "nonexistent names",
    "ledger": "state store",
    "letter": "payload",
    "lingers": "resolving",
    "mended": "resolved, fixed",
    "misbehaviour": "phase error",
    "nobody": "none",
    "obey": "run a command",
    "office": "delivery store",
    "opinion": "judgement",
    "papers": "certificate URLs",
    "picture": "latest results",
    "pitfalls": "warnings",
    "players": "sources",
    "promise": "deadline",
    "promised": "expected",
    "pulse": "heartbeat, watchdog deadline",
    "rhythm": "schedule",
    "ruling": "judgement",
    "scene": "context",
    "somebody": "a person",
    "story": "content, signature",
    "stranger": "unknown",
    "tell": "notify, log, render",
    "telling": "notices, content",
    "tells": "notifies, logs",
    "told": "notified",
    "voice": "resolver",
    "voices": "resolvers",
    "ways": "transports",
    "whoever": "the one who",
}
"""Words that no identifier may have, as networking, monitoring and Python have a word for the thing."""

HOME_MADE_NAMES: dict[str, str] = {
    "Board": "SnapshotHolder",
    "Case": "TrailContext",
    "Edge": "ProbeContext",
    "InForce": "Silence",
    "Lead": "Candidate",
    "Mark": "BaselineEntry",
    "Recent": "ControlCache",
    "Slots": "Limiter",
    "Walk": "run_probe",
    "Way": "Transport",
    "Ways": "Transports",
    "Whole": "SweepIndex",
    "kept_quiet_by": "suppressed_by",
    "shake": "handshake",
    "take_stock": "evaluate",
}
"""Whole names, made of words that are fine elsewhere."""

EMPTY_WORDS = frozenset({"utils", "util", "helpers", "helper", "manager", "handler", "misc", "stage"})
EMPTY_NAMES = frozenset({"common", "base"})
"""Words that mean something only beside another one: an X.509 common name, a base URL."""


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the repository, or of the unpacked source archive."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())
    return tuple(str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file())


def sources(*folders: str) -> tuple[str, ...]:
    """The Python files under folders."""
    return tuple(name for name in tracked() if name.endswith(".py") and name.startswith(folders))


@cache
def tree(name: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def functions(names: tuple[str, ...]) -> Iterator[tuple[str, str, int]]:
    """Yield where each function stands, its name and its length in lines."""
    for name in names:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield f"{name}:{node.lineno}", node.name, lines


def test_functions_are_short() -> None:
    """The median is 10 lines, the 95th percentile 35, and no function is over 60."""
    found = [(lines, f"{where} {name}") for where, name, lines in functions(sources("egressd/"))]
    lengths = [lines for lines, _ in found]
    assert [one for one in found if one[0] > LONGEST_FUNCTION] == []
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
    assert statistics.quantiles(lengths, n=20)[-1] <= P95_FUNCTION


def test_test_functions_are_readable() -> None:
    """Tests, scripts and the bench keep the same limit for the longest function."""
    names = sources("tests/", "bench/", "scripts/")
    assert [one for one in functions(names) if one[2] > LONGEST_FUNCTION] == []


def test_files_are_short() -> None:
    """A file over 350 lines is a table, and named as one here."""
    long = {
        name
        for name in sources("egressd/", "bench/", "scripts/")
        if len((ROOT / name).read_text(encoding="utf-8").splitlines()) > LONGEST_FILE
    }
    assert [name for name in sorted(long - TABLES) if not name.startswith(TABLE_ROOMS)] == []


def test_rooms_are_small() -> None:
    """No folder has more modules than a reader can keep in mind."""
    modules = [name for name in sources("egressd/") if not name.endswith("__init__.py")]
    rooms = Counter(str(Path(name).parent) for name in modules if not name.startswith(TABLE_ROOMS))
    assert {room: count for room, count in rooms.items() if count > MODULES_IN_A_FOLDER} == {}


def test_every_module_has_a_docstring() -> None:
    """A module opens with a docstring."""
    names = sources("egressd/", "tests/", "bench/", "scripts/")
    assert [name for name in names if not ast.get_docstring(tree(name))] == []


def test_every_test_says_what_it_proves() -> None:
    """A test has a docstring, so that its failure can be read."""
    missing = [
        f"{name}:{node.lineno} {node.name}"
        for name in sources("tests/")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert missing == []


def _names() -> Iterator[tuple[str, str]]:
    for name in sources("egressd/"):
        yield name, Path(name).stem
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield f"{name}:{node.lineno}", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower()


def test_no_name_is_empty() -> None:
    """No module, class or function has a name without a meaning, such as `utils`."""
    assert [one for one in _names() if one[1] in EMPTY_NAMES or EMPTY_WORDS & set(one[1].split("_"))] == []


def public_names(modules: Mapping[str, ast.Module]) -> Mapping[str, tuple[str, ...]]:
    """Return where each public class and function at module level stands, by its name."""
    found: dict[str, list[str]] = {}
    for name, module in modules.items():
        for node in module.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(node.name, []).append(name)
    return {name: tuple(places) for name, places in found.items() if not name.startswith("_")}


def homonyms(modules: Mapping[str, ast.Module]) -> Mapping[str, tuple[str, ...]]:
    """Return the public names that stand in more than one module."""
    return {name: places for name, places in public_names(modules).items() if len(places) > 1}


def test_homonyms_are_found() -> None:
    """A class and a function of one name are found; private names and methods don't count."""
    one = ast.parse("class Alert:\n    def render(self): ...\ndef _read(): ...\ndef load(): ...")
    other = ast.parse("async def Alert(): ...\ndef render(): ...\ndef _read(): ...")
    assert homonyms({"one.py": one, "other.py": other}) == {"Alert": ("one.py", "other.py")}
    assert homonyms({"one.py": one}) == {}


def test_public_names_have_one_meaning() -> None:
    """No public name stands in two modules, unless it is one interface with several implementations."""
    twice = homonyms({name: tree(name) for name in sources("egressd/")})
    assert {name: places for name, places in twice.items() if name not in PROTOCOL_NAMES} == {}


def identifiers(module: ast.Module) -> frozenset[str]:
    """Return every name that a module defines or uses."""
    found: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.alias(name=name):
                found.add(name)
    return frozenset(found)


def home_made(name: str) -> frozenset[str]:
    """Return what is home-made in a name: words of it, or the whole."""
    words = re.split(r"[_.]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    return (frozenset(words) & HOME_MADE.keys()) | (frozenset({name}) & HOME_MADE_NAMES.keys())


@pytest.mark.parametrize("name", ["Hush", "_Heirs", "egressd.alerting.hush", "kept_story", "Whole"])
def test_home_made_words_are_found(name: str) -> None:
    """In classes, private names, modules and parts of a name."""
    assert home_made(name)


def test_home_made_names_are_gone() -> None:
    """No identifier uses a word of our own where networking, monitoring or Python has one."""
    found = {
        f"{name}: {one}": [f"say {(HOME_MADE | HOME_MADE_NAMES)[word]}" for word in words]
        for name in sources("egressd/")
        for one in sorted({Path(name).stem, Path(name).parent.name, *identifiers(tree(name))})
        if (words := home_made(one))
    }
    assert found == {}


def test_no_file_names_a_registry() -> None:
    """Where packages come from is configured on the machine; the host names are put together here only."""
    hosts = ("py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)", "deb" + r"ian\.org")
    forbidden = re.compile(r"\b(?:[a-z0-9.-]*\.)?(?:" + "|".join(hosts) + r")\b", re.IGNORECASE)
    named = [
        f"{name}:{number}"
        for name in tracked()
        for number, line in enumerate(
            (ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if forbidden.search(line)
    ]
    assert named == []


def test_source_archive_is_complete() -> None:
    """Every file and folder at the top of the repository goes into the source archive."""
    sdist = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]
    listed = subprocess.run(
        ["git", "ls-files", "--cached"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    top = {name.split("/")[0] for name in listed if name}
    assert top - {*sdist["include"], "pyproject.toml"} == set()


def test_lock_files_pin_every_line() -> None:
    """Each requirement has an exact version and a hash, and none a download address."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        rows = [row for row in text.replace("\\\n", " ").splitlines() if row.strip()]
        assert rows, path.name
        loose = [row for row in rows if not re.match(r"^[a-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", row)]
        assert loose == [], path.name
        assert "://" not in text, path.name


def test_quick_rooms_exist() -> None:
    """Every test folder that the Makefile names for `make quick` and `make coverage` is there."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    named = [
        one
        for line in re.findall(r"^(?:QUICK|MEASURED) := (.*)$", text, re.MULTILINE)
        for one in line.split()
    ]
    assert len(named) > 10
    assert [one for one in named if one != "$(QUICK)" and not (ROOT / one).exists()] == []


@pytest.mark.parametrize("page", sorted(PAGES))
def test_generated_pages_are_fresh(page: str) -> None:
    """A generated page is what the code generates; `make docs` writes it again."""
    assert (ROOT / page).read_text(encoding="utf-8") == PAGES[page]()


def _defined(path: str) -> frozenset[str]:
    """Return the classes and functions of a module of the package, methods as `Class.method`."""
    found: set[str] = set()
    for node in tree(f"egressd/{path}").body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
            found |= {
                f"{node.name}.{one.name}"
                for one in node.body
                if isinstance(node, ast.ClassDef) and isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return frozenset(found)


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/ontology.md", "CONTRIBUTING.md"])
def test_pages_name_code_that_exists(page: str) -> None:
    """Every path of the package and every `path.py:name` is there, but for `NAME` and `PHASE`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)(?::([\w.]+))?`", text)
    missing = [
        f"{path}:{name}".rstrip(":")
        for path, name in named
        if not re.search("NAME|PHASE", path)
        if not ((ROOT / "egressd" / path).exists() or (ROOT / path).exists())
        or (name and name not in _defined(path))
    ]
    assert missing == []


def _glossary() -> list[str]:
    """Return the names in code that the glossary lists, in its second column of three."""
    rows = re.findall(
        r"^\| \*\*.*?\*\* \| (.*?) \| .* \|$", (ROOT / "docs/ontology.md").read_text("utf-8"), re.MULTILINE
    )
    return [name for cell in rows for name in re.findall(r"`(\w+)`", cell)]


def test_glossary_is_complete() -> None:
    """Each class of the model, and each that a room imports from another, is there once, and no others."""
    classes = {
        node.name: name
        for name in sources("egressd/")
        for node in tree(name).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    wanted = {
        name
        for name, place in classes.items()
        if place.startswith("egressd/model/") or name in shared_names()
    }
    listed = Counter(_glossary())
    assert wanted - listed.keys() == set()
    assert listed.keys() - classes.keys() == set()
    assert [name for name, count in listed.items() if count > 1] == []


def help_blocks() -> list[tuple[str, str]]:
    """The command and the text of every fenced block of the README that shows `--help`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(
        r"^```[a-z]*\n\$ (?:\S*/)?(egressd\b[^\n]*--help)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return [(command, shown) for command, shown in found]


def test_readme_shows_help() -> None:
    """The README has at least one help text, so that the check below checks something."""
    assert help_blocks()


@pytest.mark.parametrize(("command", "shown"), help_blocks())
def test_readme_help_is_the_programs_own(command: str, shown: str) -> None:
    """What the README shows of `--help` is what the program prints."""
    words = shlex.split(command)[1:]
    printed = subprocess.run(
        [sys.executable, "-m", "egressd", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"},
    ).stdout
    assert _without_padding(shown) == _without_padding(printed)


def _without_padding(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


@pytest.mark.parametrize("name", [name for name in tracked() if name.endswith((".yml", ".yaml"))])
def test_every_yaml_file_parses(name: str) -> None:
    """No shipped YAML file is broken."""
    with (ROOT / name).open(encoding="utf-8") as file:
        assert list(yaml.safe_load_all(file))


def test_the_shipped_configuration_loads() -> None:
    """The commented configuration an operator starts from has no mistake."""
    assert load_settings(ROOT / "config" / "egressd.yml", Flags()).profiles
