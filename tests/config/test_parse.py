"""Parsers of single values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.fields import parse

READERS: tuple[Callable[[str], object], ...] = (
    parse.parse_duration,
    parse.normalize_address,
    parse.parse_resolver,
    parse.parse_listen,
    parse.parse_proxy_url,
    parse.parse_bypass,
    parse.parse_host,
    parse.parse_pattern,
    parse.parse_match,
    parse.parse_interface,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("60s", 60),
        ("5m", 300),
        ("2h", 7200),
        ("90d", 7776000),
        ("1m30s", 90),
        ("1s500ms", 1.5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Units are those of Prometheus, alone or from large to small."""
    assert parse.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "60", "1.5s", "-1s", "s", "30s1m", "1 m", "0s", "1w", "٣s", "9" * 12 + "s"]
)
def test_invalid_durations(text: str) -> None:
    """A bare number has no unit to guess."""
    with pytest.raises(ValueError, match="must be "):
        parse.parse_duration(text)


@given(st.integers(min_value=1, max_value=10**8).map(lambda one: one / 1000))
def test_formatted_durations_parse_back(seconds: float) -> None:
    """What the reference shows can be put into the file."""
    assert parse.parse_duration(parse.config_duration(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://PROXY.corp/", "http://proxy.corp:80"),
        ("https://10.0.0.1", "https://10.0.0.1:443"),
        ("http://[fd00::1]:8080", "http://[fd00::1]:8080"),
    ],
)
def test_proxies(text: str, url: str) -> None:
    """A proxy is kept as scheme, host and port."""
    assert parse.parse_proxy_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "*",
        ".corp.example",
        "*.corp.example",
        "10.0.0.0/8",
        "fd00::/8",
        "10.0.0.1",
        "fd00::1",
        "host:8443",
        "[fd00::1]:443",
    ],
)
def test_bypass_entries(text: str) -> None:
    """Every form of a `no_proxy` entry is accepted."""
    assert parse.parse_bypass(text) == text


@pytest.mark.parametrize("text", ["", "a b", "10.0.0.0/33", "http://x", "10.0.0.1/8"])
def test_invalid_bypass_entries(text: str) -> None:
    """An invalid entry would silently send traffic the wrong way."""
    with pytest.raises(ValueError, match="must "):
        parse.parse_bypass(text)


@pytest.mark.parametrize(
    "text",
    ["*.corp", "azgn*.corp.example", "*-x.corp", "{vault}.corp.example", "*.{region}.corp", "{server}"],
)
def test_patterns(text: str) -> None:
    """A star stands in the first label, alone or inside it; a placeholder anywhere."""
    assert parse.parse_pattern(text) == text


@pytest.mark.parametrize("text", ["corp", "a.*.corp", "*.*", "*", "**.corp", "{A b}.corp", "{resolver}.corp"])
def test_invalid_patterns(text: str) -> None:
    """A pattern that no firewall rule can express is refused, such as `*` alone."""
    with pytest.raises(ValueError, match="must "):
        parse.parse_pattern(text)


@pytest.mark.parametrize("read", READERS)
@given(text=st.text(max_size=30) | st.text(alphabet="0123456789.:[]/*-a@%", max_size=24))
def test_any_text_parses_or_raises_value_error(read: Callable[[str], object], text: str) -> None:
    """Only ValueError is raised, with a message."""
    try:
        read(text)
    except ValueError as error:
        said = str(error)
    else:
        return
    assert said.startswith("must ")
