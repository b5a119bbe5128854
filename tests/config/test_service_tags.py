"""Microsoft's file of service tags: read whatever else it has, refused in clear words, and told when old."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egressd import clock
from egressd.catalog import load_catalog
from egressd.config import Flags, load_settings
from egressd.config.load import digest
from egressd.errors import ConfigError, UsageError
from egressd.fields.service_tags import MOST_PREFIXES, read_service_tags
from egressd.model.settings import ServiceTags, Settings
from egressd.planning import make_plan

ARC = "AzureArcInfrastructure"
Write = Callable[..., Path]


def tag(name: str, *prefixes: object, region: object = "") -> dict[str, object]:
    return {"name": name, "id": name, "properties": {"region": region, "addressPrefixes": list(prefixes)}}


def document(*values: object, **more: object) -> dict[str, object]:
    return {"changeNumber": 400, "cloud": "Public", "values": list(values)} | more


def today(days_ago: int = 0) -> str:
    return f"{clock.now() - timedelta(days=days_ago):%Y%m%d}"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: object, name: str = "") -> Path:
        path = tmp_path / (name or f"ServiceTags_Public_{today()}.json")
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return written


def test_tags_of_all_regions_are_read(write: Write) -> None:
    """Regional tags lack global parts and are left out; IPv4 and IPv6 stand in one list."""
    path = write(
        document(
            tag(ARC, "192.0.2.0/24", "2001:db8::/32"),
            tag(f"{ARC}.WestEurope", "192.0.2.0/28", region="westeurope"),
            tag("Storage", "198.51.100.7"),
        )
    )
    found = read_service_tags(path)
    assert {one.name: one.prefixes for one in found.tags} == {
        ARC: ("192.0.2.0/24", "2001:db8::/32"),
        "Storage": ("198.51.100.7/32",),
    }
    assert (found.change_number, found.notes) == (400, ())


@pytest.mark.parametrize(
    "content",
    [
        document(tag(ARC, "192.0.2.0/24"), new={"key": [1]}, changeNumber="400"),
        b"\xef\xbb\xbf" + json.dumps(document(tag(ARC, "192.0.2.0/24"))).encode(),
        document(tag(ARC, " 192.0.2.0/24 ", "192.0.2.9/24")),
        {"values": [tag(ARC, "192.0.2.0/24", region=None)]},
        document({"name": ARC, "properties": {"addressPrefixes": ["192.0.2.0/24"]}}),
    ],
    ids=["more-keys", "bom", "blanks-and-host-bits", "only-values", "no-region"],
)
def test_what_it_has_besides_is_no_mistake(write: Write, content: object) -> None:
    """Nobody promises the shape of the file."""
    (one,) = read_service_tags(write(content)).tags
    assert one.name == ARC
    assert "192.0.2.0/24" in one.prefixes


def test_what_can_t_be_read_is_left_out_and_told(write: Write) -> None:
    """Half of a file is better than none, and the reader knows that it is half."""
    path = write(
        document(tag(ARC, "192.0.2.0/24", "nonsense", 7, None), "no tag", tag("x y", "192.0.2.0/24"), 5)
    )
    found = read_service_tags(path)
    assert [one.name for one in found.tags] == [ARC]
    assert "3 tags and 3 ranges" in found.notes[0]


BAD = {
    "empty": (b"", "not JSON"),
    "text": (b"hello", "not JSON"),
    "binary": (b"\xff\xfe\x00", "not UTF-8"),
    "deep": (b"[" * 100_000, "not JSON"),
    "list": ([], "no list `values`"),
    "no-values": ({"changeNumber": 1}, "no list `values`"),
    "values-no-list": ({"values": {}}, "no list `values`"),
    "no-tags": (document(), "no service tag with addresses"),
    "regional-only": (document(tag("A.B", "192.0.2.0/24", region="b")), "no service tag with addresses"),
    "no-prefix": (document(tag(ARC, "nonsense")), "no service tag with addresses"),
    "long-number": (b'{"changeNumber": ' + b"9" * 10_000 + b"}", "not JSON"),
}


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_clear_mistake(write: Write, tmp_path: Path, content: object, why: str) -> None:
    """In the configuration with its line, by flag with its name; never a traceback."""
    path = write(content)
    config = tmp_path / "egressd.yml"
    config.write_text(f"profiles: [connected-machine]\nservice_tags: {path.name}\n")
    with pytest.raises(ConfigError, match=why) as of_file:
        load_settings(config, catalog=load_catalog())
    assert of_file.value.problems[0].startswith(f"{config}:2: service_tags: cannot use {path}: ")
    with pytest.raises(UsageError, match=why) as of_flag:
        load_settings(None, Flags(service_tags=path))
    assert str(of_flag.value).startswith("--service-tags cannot use")


def test_a_file_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    """Missing, a folder, a pipe: each is said at once."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing.json", ".", "pipe"):
        with pytest.raises(UsageError, match="cannot read"):
            load_settings(None, Flags(service_tags=tmp_path / name))


@pytest.mark.parametrize(("age", "old"), [(0, False), (14, False), (15, True), (400, True)])
def test_an_old_file_is_noted(write: Write, age: int, old: bool) -> None:
    """By the day in its name; it is used all the same."""
    path = write(document(tag(ARC, "192.0.2.0/24")), f"ServiceTags_Public_{today(age)}.json")
    found = load_settings(None, Flags(service_tags=path), catalog=load_catalog())
    assert any(f"{age} days old" in one for one in found.warnings) is old
    assert found.service_tags is not None
    assert found.service_tags.tags


def test_a_renamed_file_is_as_old_as_its_time_says(write: Write) -> None:
    """Without a day in its name; an impossible one is none."""
    for name in ("tags.json", "tags-20269999.json"):
        path = write(document(tag(ARC, "192.0.2.0/24")), name)
        then = (clock.now() - timedelta(days=30)).timestamp()
        os.utime(path, (then, then))
        assert "30 days old" in read_service_tags(path).notes[0]


def plan_with(tags: ServiceTags | None) -> Any:
    known = Settings(region="westeurope", profiles=("connected-machine",), service_tags=tags)
    return make_plan(load_catalog(), known, label="egressd-x")


def test_the_plan_carries_the_ranges_of_its_rows(write: Write) -> None:
    """Judging again needs them, and no others; a tag that the file lacks is noted."""
    path = write(document(tag(ARC.upper(), "192.0.2.0/24"), tag("AzureCloud", "0.0.0.0/1")))
    plan = plan_with(read_service_tags(path))
    assert [one.name for one in plan.service_tags.tags] == [ARC.upper()]
    assert any(
        note.startswith("service_tags: the file has no tag AzureActiveDirectory") for note in plan.notes
    )
    assert plan_with(None).service_tags is None


def test_the_digest_of_settings_names_the_file_by_its_content(write: Write) -> None:
    """Another list is another configuration; the same one is the same, whatever it weighs."""
    first = read_service_tags(write(document(tag(ARC, "192.0.2.0/24")), "a.json"))
    same = read_service_tags(write(document(tag(ARC, "192.0.2.0/24")), "b.json"))
    other = read_service_tags(write(document(tag(ARC, "192.0.3.0/24")), "c.json"))
    assert digest(Settings(service_tags=first)) == digest(Settings(service_tags=same))
    assert digest(Settings(service_tags=first)) != digest(Settings(service_tags=other))
    assert digest(Settings(service_tags=first)) != digest(Settings())


def test_too_many_ranges_are_bounded(write: Write) -> None:
    """What is more than any real file has is left out and told."""
    many = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(MOST_PREFIXES // 2 + 1)]
    found = read_service_tags(write(document(tag("A", *many), tag("B", *many), tag(ARC, "192.0.2.0/24"))))
    assert "A" in {one.name for one in found.tags}
    assert "1 tag" in found.notes[0]


RANGES = {"addressPrefixes": ["::/0"]}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        json_values
        | st.fixed_dictionaries(
            {
                "name": json_values | st.just(ARC),
                "properties": json_values | st.just(RANGES),
            }
        ),
        max_size=5,
    )
)
def test_any_json_is_read_or_refused(write: Write, values: list[Any]) -> None:
    """No document of a stranger ends in anything but tags or a clear mistake."""
    path = write({"values": values})
    usable = {
        one["name"].lower()
        for one in values
        if isinstance(one, dict)
        and one.get("properties") == RANGES
        and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", str(one.get("name")))
        and isinstance(one["name"], str)
    }
    if usable:
        assert usable == {one.name.lower() for one in read_service_tags(path).tags}
        return
    with pytest.raises(ValueError, match=r"^cannot use"):
        read_service_tags(path)
