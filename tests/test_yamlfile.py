"""The strict YAML reader: values, error messages with their line, and hostile input."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from egressd import yamlfile
from egressd.errors import ConfigError
from egressd.yamlfile import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, Document, read_yaml
from egressd.yamlschema import problems_of


@pytest.fixture(params=["c", "python"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers must agree: libyaml is not installed everywhere."""
    if request.param == "python":
        monkeypatch.setattr(yamlfile, "_LOADER", yaml.SafeLoader)


def problems(text: str) -> tuple[str, ...]:
    """Return the errors of a text, fatal or not."""
    try:
        return read_yaml(text, "f.yml").problems
    except ConfigError as error:
        return error.problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        *[(word, word) for word in ("yes", "no", "on", "off", "y", "n", "True", "TRUE", "False")],
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-17", -17),
        ("0443", "0443"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("9" * 400, "9" * 400),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.0e3", 1000.0),
        ("1e3", "1e3"),
        ("1.0e999", "1.0e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2026-11-20", "2026-11-20"),
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
        ("'443'", "443"),
        ('"true"', "true"),
        ("!!str 443", "443"),
        ("!!int 443", 443),
        ("! 443", "443"),
        ("=", "="),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    """Scalars in JSON's forms are converted; YAML 1.1 forms such as `yes` and `0x1` stay text."""
    assert read_yaml(f"a: {text}\n", "f.yml").data == {"a": value}
    assert type(read_yaml(f"a: {text}\n", "f.yml").data["a"]) is type(value)  # type: ignore[index]  # a mapping


def test_keys_are_text() -> None:
    """Keys stay text: `on`, `80` and `no` are not converted."""
    assert read_yaml("on: 1\n80: 2\nno: 3\nnull: 4\n", "f.yml").data == {"on": 1, "80": 2, "no": 3, "null": 4}


def test_empty_is_none() -> None:
    """An empty file is None; the caller decides whether that is an error."""
    assert read_yaml("", "f.yml").data is None
    assert read_yaml("\ufeff# only a comment\n", "f.yml").data is None


def test_where_names_the_nearest_known_line() -> None:
    """A path that is not in the file gets the line of its nearest ancestor."""
    document = read_yaml("probe:\n  deadline: 20\nendpoints:\n  - id: a\n    port: 1\n", "f.yml")
    assert document.where(("probe", "deadline")) == "f.yml:2: probe.deadline"
    assert document.where(("probe", "attempts")) == "f.yml:1: probe.attempts"
    assert document.where(("endpoints", 0, "port")) == "f.yml:5: endpoints[0].port"
    assert document.where(("endpoints", 0, "host")) == "f.yml:4: endpoints[0].host"
    assert document.where(()) == "f.yml:1"


def test_alias_repeats_a_value() -> None:
    """An anchor's value may be repeated; its second line is that of the alias."""
    document = read_yaml("a: &x {b: [1, 2]}\nc:\n  - *x\n", "f.yml")
    assert document.data == {"a": {"b": [1, 2]}, "c": [{"b": [1, 2]}]}
    assert document.where(("c", 0, "b")) == "f.yml:3: c[0].b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", ("f.yml:3: a: given twice, first on line 1",)),
        ("l:\n  - {k: 1, k: 2}\n", ("f.yml:2: l[0].k: given twice, first on line 2",)),
        ("x: 1\nb: 1\nb: {x: 1}\n", ("f.yml:3: b: given twice, first on line 2",)),
        ("a: !!python/name:os.system x\n", ("f.yml:1: a: the tag !!python/name:os.system is not allowed",)),
        ("a: !secret x\n", ("f.yml:1: a: the tag !secret is not allowed",)),
        ("a: !!set {x}\n", ("f.yml:1: a: the tag !!set is not allowed",)),
        ("a: !!binary aGk=\n", ("f.yml:1: a: the tag !!binary is not allowed",)),
        ("a: !!int yes\n", ("f.yml:1: a: 'yes' is not what its tag !!int says",)),
        ("a: &x [*x]\n", ("f.yml:1: a[0]: *x repeats something that is not complete above it",)),
        ("a: *x\n", ("f.yml:1: a: *x repeats something that is not complete above it",)),
        ("<<: {a: 1}\n", ("f.yml:1: <<: merge keys (<<) are not supported; write the keys out",)),
        ("'': 1\n", ("f.yml:1: a key is empty",)),
        ("? [a]\n: b\n", ("f.yml:1: a key must be plain text",)),
        ("a: 1\n---\nb: 2\n", ("f.yml:2: only one document is allowed in a file",)),
        ("%TAG ! x\n---\na: 1\n", ("f.yml:1: %TAG directives are not allowed",)),
        ("a: &a {}\n? *a\n: 1\n", ("f.yml:2: a: a key must be plain text",)),
    ],
)
def test_mistakes(text: str, expected: tuple[str, ...]) -> None:
    """Each error has its line, its key and a message."""
    assert problems(text) == expected


def test_all_errors_are_reported_at_once() -> None:
    """Every error is reported at once, a syntax error last."""
    found = problems("a: 1\na: 2\nb: !x 1\nc: [1,\nd: 2\n")
    assert found[:2] == ("f.yml:2: a: given twice, first on line 1", "f.yml:3: b: the tag !x is not allowed")
    assert found[2].startswith("f.yml:5: not valid YAML: while parsing a flow sequence (from line 4) ")


def test_tabs_are_explained() -> None:
    """A tab as indentation gets a hint."""
    assert problems("a:\n\tb: 1\n")[0].startswith("f.yml:2: not valid YAML: ")
    assert problems("a:\n\tb: 1\n")[0].endswith("; indent with spaces, not tabs")


@pytest.mark.parametrize("text", ["a: \x00", "\ud800", "a: \x1b[2J"])
def test_characters_that_are_not_text(text: str) -> None:
    """Control characters and lone surrogates are refused, so that none reaches a terminal."""
    (problem,) = problems(text)
    assert problem.startswith("f.yml: cannot be read as YAML: ")
    assert problem.isprintable()


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    """Nesting beyond the limit is an error, not a RecursionError."""
    assert len(problems(text)) == 1


def test_depth_bound() -> None:
    """The deepest allowed nesting is read, one level more is refused."""
    assert read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f.yml").data is not None
    assert problems("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == (
        f"f.yml:1: nested deeper than {MAX_DEPTH} levels",
    )


def test_aliases_count_as_the_values_they_repeat() -> None:
    """Aliases that expand to a billion values are refused."""
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [
        f"{two}: &{two} [{', '.join([f'*{one}'] * 10)}]"
        for one, two in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (problem,) = problems("\n".join(lines))
    assert problem.endswith(f": more than {MAX_NODES} values in one file")


def test_size_is_bounded() -> None:
    """A file beyond the size limit is refused in bounded time."""
    assert problems("a" * (MAX_CHARACTERS + 1)) == (
        "f.yml: cannot read more than 8000000 characters of YAML",
    )


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{}&*!|>'\"#?%,\n\t 1.~<\\=@`\u00e9\u2028")), max_size=80))
@settings(max_examples=300)
def test_any_text_gives_data_or_a_clear_error(text: str) -> None:
    """Any text gives a value or a ConfigError whose lines name the file."""
    value, complaints = _read(text)
    assert _is_plain(value)
    assert all(line.startswith("f.yml") for line in complaints)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_read_as_latin_give_data_or_a_clear_error(raw: bytes) -> None:
    """Any bytes, read as Latin-1, give a value or a ConfigError."""
    value, complaints = _read(raw.decode("latin-1"))
    assert _is_plain(value)
    assert all(line.startswith("f.yml") for line in complaints)


def _read(text: str) -> tuple[object, tuple[str, ...]]:
    try:
        return read_yaml(text, "f.yml").data, ()
    except ConfigError as error:
        return None, error.problems or ("an error that says nothing",)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_VALUES)
@settings(max_examples=100)
def test_what_was_written_is_read_back(value: object) -> None:
    """Values that PyYAML wrote are read back equal."""
    text = yaml.safe_dump(value, default_flow_style=False).removesuffix("...\n")
    assert read_yaml(text, "f.yml").data == value


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and _is_plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return value is None or type(value) in (bool, int, float, str)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    port: Annotated[int, Field(ge=1, le=65535)] = 1
    colour: Annotated[Colour, Field(strict=False)] = Colour.RED
    mode: Literal["fast", "slow"] = "fast"


class Shop(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    items: list[Item] = []
    by_name: dict[str, Item] = {}
    open: bool = True
    seconds: float = 1.0
    first: Item | None = None


def wording(text: str) -> tuple[str, ...]:
    document = read_yaml(text, "f.yml")
    with pytest.raises(ValidationError) as caught:
        Shop.model_validate(document.data)
    return problems_of(caught.value, document, model=Shop)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("opne: true", "f.yml:1: opne: unknown key; did you mean 'open'?"),
        ("zzz: true", "f.yml:1: zzz: unknown key"),
        ("items:\n - name: a\n   prot: 1", "f.yml:3: items[0].prot: unknown key; did you mean 'port'?"),
        (
            "by_name:\n  x:\n    name: a\n    colr: red",
            "f.yml:4: by_name.x.colr: unknown key; did you mean 'colour'?",
        ),
        ("first: {name: a, mod: fast}", "f.yml:1: first.mod: unknown key; did you mean 'mode'?"),
        ("items:\n - port: 1", "f.yml:2: items[0].name: is missing"),
        ("open: yes", "f.yml:1: open: must be true or false, not 'yes'"),
        ("seconds: soon", "f.yml:1: seconds: must be a number, not 'soon'"),
        ("items: {}", "f.yml:1: items: must be a list, not a mapping"),
        ("items: [a]", "f.yml:1: items[0]: must be a mapping of keys to values, not 'a'"),
        ("items:", "f.yml:1: items: must be a list, not empty"),
        (
            "items:\n - name: 443",
            "f.yml:2: items[0].name: must be text (quote it if it looks like a number), not 443",
        ),
        ("items:\n - {name: a, port: '1'}", "f.yml:2: items[0].port: must be a whole number, not '1'"),
        ("items:\n - {name: a, port: true}", "f.yml:2: items[0].port: must be a whole number, not true"),
        ("items:\n - {name: a, port: 0}", "f.yml:2: items[0].port: must be at least 1, not 0"),
        ("items:\n - {name: a, port: 99999}", "f.yml:2: items[0].port: must be at most 65535, not 99999"),
        (
            "items:\n - {name: a, colour: redd}",
            "f.yml:2: items[0].colour: must be 'red' or 'green', not 'redd'; did you mean 'red'?",
        ),
        (
            "items:\n - {name: a, mode: fats}",
            "f.yml:2: items[0].mode: must be 'fast' or 'slow', not 'fats'; did you mean 'fast'?",
        ),
        ("[]", "f.yml:1: must be a mapping of keys to values, not a list"),
    ],
)
def test_validation_errors_in_plain_words(text: str, expected: str) -> None:
    """Every validation error names file, line and key, and what to write instead."""
    assert wording(text) == (expected,)


def test_long_values_are_not_repeated() -> None:
    """A value is shown in the message only where it is short."""
    assert wording(f"open: {'s3cret' * 20}") == ("f.yml:1: open: must be true or false",)


def test_a_document_may_be_made_without_lines() -> None:
    """A document without known lines has errors on line 1."""
    assert Document(data={}, name="flags", lines={}).where(("a", "b")) == "flags:1: a.b"
