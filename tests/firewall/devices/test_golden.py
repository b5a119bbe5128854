"""What is written for devices that were not tried is what was read beside the vendor's documents."""

from __future__ import annotations

import pytest

from egressd.firewall.languages import LANGUAGES
from tests.firewall.devices.asked import asked, hostile_rules, rules_of_every_kind
from tests.firewall.devices.golden import GOLDEN, UNTRIED, golden_files


def test_languages_say_that_they_were_not_tried() -> None:
    """Every language without a run on a device has golden files, names its document, and says so on top."""
    untried = {one.name for one in LANGUAGES.values() if one.document and not one.tried}
    assert set(UNTRIED) <= untried
    for name in UNTRIED:
        text = " ".join(LANGUAGES[name].render(asked(rules_of_every_kind())).split())
        assert "Not tried on a device: review it first." in text.replace(" // ", " ").replace(" # ", " ")
        assert LANGUAGES[name].document


@pytest.mark.parametrize("name", UNTRIED)
def test_golden_files_are_what_is_written(name: str) -> None:
    """Run `python -m tests.firewall.devices.golden` and read the difference when a language changes."""
    for path, text in golden_files(LANGUAGES[name]):
        assert path.read_text(encoding="utf-8") == text, path.name


def test_no_golden_file_is_left_over() -> None:
    """The folder has the files of these languages, and no others of theirs."""
    expected = {path.name for name in UNTRIED for path, _ in golden_files(LANGUAGES[name])}
    found = {
        path.name for path in GOLDEN.iterdir() if path.name.split("-every")[0].split("-hostile")[0] in UNTRIED
    }
    assert found <= expected


@pytest.mark.parametrize("name", UNTRIED)
def test_every_rule_is_written_or_named(name: str) -> None:
    """Nothing is lost in silence: a destination, or the hosts in its place, stands in the text."""
    text = LANGUAGES[name].render(asked(rules_of_every_kind()))
    flat = " ".join(text.replace("\n//", "\n").replace("\n#", "\n").split())
    for rule in rules_of_every_kind():
        assert any(one in flat for one in (rule.destination.removeprefix("*"), *rule.hosts)), rule.destination


@pytest.mark.parametrize("name", UNTRIED)
def test_order_of_sources_changes_nothing(name: str) -> None:
    """The same rules with sources in another order, or twice, are the same text."""
    plain, turned = rules_of_every_kind(), rules_of_every_kind()
    for rule in turned:
        rule.sources = [*reversed(rule.sources), *rule.sources]
    assert LANGUAGES[name].render(asked(plain)) == LANGUAGES[name].render(asked(turned))


@pytest.mark.parametrize("name", UNTRIED)
def test_rules_given_twice_are_written_once(name: str) -> None:
    """A list with every rule twice allows the same as the list itself."""
    once, twice = rules_of_every_kind(), rules_of_every_kind()
    texts = [LANGUAGES[name].render(asked(some)) for some in (once, (*once, *twice))]
    assert texts[0].replace("28 rules", "56 rules") == texts[1]


@pytest.mark.parametrize("name", UNTRIED)
def test_hostile_texts_stay_on_one_line(name: str) -> None:
    """No control character and no line separator of a rule gets into the text."""
    text = LANGUAGES[name].render(asked(hostile_rules(), host="h\nconfig system admin\u2028"))
    assert text.isascii()
    assert all(one == "\n" or one.isprintable() for one in text)
    assert not any(line.strip().startswith("config system admin") for line in text.splitlines())
