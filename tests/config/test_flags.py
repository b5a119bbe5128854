"""Flags over the file."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from egressd.config.flags import Flags, apply_flags
from egressd.errors import ExitCode, UsageError
from egressd.model.endpoint import Cloud
from egressd.model.settings import Proxy, Settings, Source

CONFIGURED = Settings(
    region="westeurope",
    proxy=Proxy(url="http://old:3128", bypass=(".corp",), username="u", password="p"),
)


def test_without_flags_the_file_holds() -> None:
    """What is not given on the command line stays as the file has it."""
    assert apply_flags(Flags(), CONFIGURED) == CONFIGURED


def test_flags_win() -> None:
    """Each flag replaces its key."""
    flags = Flags(
        site="oslo-1",
        region="NorthEurope",
        cloud=Cloud.CHINA,
        profiles=("scvmm",),
        sources=("10.0.0.5", "m=fd00::5", "eth0"),
        only=("rb-*",),
        deadline="1m30s",
    )
    made = apply_flags(flags, CONFIGURED)
    assert (made.site, made.region, made.cloud, made.profiles, made.only) == (
        "oslo-1",
        "northeurope",
        Cloud.CHINA,
        ("scvmm",),
        ("rb-*",),
    )
    assert made.sources == (
        Source(name="10.0.0.5", address="10.0.0.5"),
        Source(name="m", address="fd00::5"),
        Source(name="eth0", interface="eth0"),
    )
    assert made.limits == replace(CONFIGURED.limits, sweep_deadline=90.0)


def test_another_proxy_does_not_get_the_password() -> None:
    """Credentials belong to the proxy they were configured for; the bypass list belongs to the network."""
    assert apply_flags(Flags(proxy="http://new:8080"), CONFIGURED).proxy == Proxy(
        url="http://new:8080", bypass=(".corp",)
    )
    assert apply_flags(Flags(proxy="none"), CONFIGURED).proxy is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            Flags(region="west/europe"),
            "--region must be a region such as westeurope or 'West Europe', not 'west/europe'",
        ),
        (
            Flags(site=" oslo"),
            "--site must be 1 to 100 printable characters, without blanks at its ends, not ' oslo'",
        ),
        (Flags(region=""), "--region must be a region such as westeurope or 'West Europe', not ''"),
        (Flags(deadline="90"), "--deadline must be a duration such as 500ms, 60s, 5m, 2h or 90d, not '90'"),
        (
            Flags(sources=("a=10.0.0.1", "a=10.0.0.2")),
            "--source: two sources have one name; write name=ADDRESS",
        ),
        (Flags(sources=("",)), "--source must be ADDRESS, INTERFACE or name=either, not ''"),
        (
            Flags(sources=("=10.0.0.1",)),
            "--source must be ADDRESS, INTERFACE or name=either, not '=10.0.0.1'",
        ),
        (
            Flags(sources=("not an interface",)),
            (
                "--source 'not an interface': must be the name of a network interface, such as eth0, "
                "or an IP address"
            ),
        ),
        (Flags(proxy="ftp://x"), "--proxy must start with http:// or https://, or be env or none"),
    ],
)
def test_a_wrong_flag_is_wrong_usage(flags: Flags, said: str) -> None:
    """The flag is named, and what it should be."""
    with pytest.raises(UsageError) as caught:
        apply_flags(flags, CONFIGURED)
    assert str(caught.value) == said
    assert caught.value.exit_code is ExitCode.USAGE


def test_credentials_on_the_command_line_are_not_repeated() -> None:
    """A password in --proxy is refused and not shown."""
    with pytest.raises(UsageError, match="must not hold a user name or password") as caught:
        apply_flags(Flags(proxy="http://u:hunter2@p:1"), CONFIGURED)
    assert "hunter2" not in str(caught.value)
