"""The Azure Arc gateway of the configuration: how it is written, what it excludes, and what the flag does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.config.flags import Flags
from egressd.config.load import NO_FLAGS, digest, load_settings
from egressd.errors import ConfigError, UsageError
from egressd.fields.parse import parse_arc_gateway
from egressd.model.endpoint import Cloud
from egressd.model.settings import ArcGateway, ProbeRoute, Proxy, Settings

GATEWAY = "https://contoso.gw.arc.azure.com"
GUID = "1a2fc225-ac05-4dbf-9da2-0d9a3e9062de"
Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads the text of a configuration, with flags."""
    catalog = load_catalog()

    def loaded(text: str, flags: Flags = NO_FLAGS) -> Settings:
        path = tmp_path / "egressd.yml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path, flags, catalog=catalog)

    return loaded


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (GATEWAY, "contoso"),
        (f"{GATEWAY}/", "contoso"),
        (f"{GATEWAY}:443", "contoso"),
        ("HTTPS://Contoso.GW.arc.azure.com", "contoso"),
        ("contoso.gw.arc.azure.com", "contoso"),
        ("contoso.gw.arc.azure.com.", "contoso"),
        ("contoso", "contoso"),
        (GUID, GUID),
        (f"https://{GUID}.gw.arc.azure.com", GUID),
    ],
)
def test_a_gateway_is_written_as_its_tools_print_it(text: str, prefix: str) -> None:
    """As URL, host or prefix; the prefix is what counts."""
    assert parse_arc_gateway(text) == prefix


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a URL below gw.arc.azure.com"),
        ("http://contoso.gw.arc.azure.com", "must be reached by https on port 443"),
        (f"{GATEWAY}:8443", "must be reached by https on port 443"),
        (f"{GATEWAY}:0", "must be reached by https on port 443"),
        (f"{GATEWAY}:x", "must be a URL such as"),
        ("https://u:s3cret@contoso.gw.arc.azure.com", "must not hold a user name or password"),
        ("u:s3cret@contoso.gw.arc.azure.com", "must not hold a user name or password"),
        (f"{GATEWAY}/s3cret", "must end after the host"),
        (f"{GATEWAY}?s3cret", "must end after the host"),
        (f"{GATEWAY}#", "must end after the host"),
        ("https://contoso.gw.arc.azure.net", "must be a URL below gw.arc.azure.com"),
        ("https://a.contoso.gw.arc.azure.com", "must be a URL below gw.arc.azure.com"),
        ("https://gw.arc.azure.com", "must be a URL below gw.arc.azure.com"),
        ("https://contoso.gw.arc.azure.com.evil.example", "must be a URL below gw.arc.azure.com"),
        ("https://[::1]", "must be a URL below gw.arc.azure.com"),
        ("https://[", "must be a URL such as"),
        ("con toso", "must be a URL below gw.arc.azure.com"),
        ("con\ttoso", "must be a URL below gw.arc.azure.com"),
        ("-contoso", "must be a URL below gw.arc.azure.com"),
        ("cöntoso", "must be a URL below gw.arc.azure.com"),
        ("*", "must be a URL below gw.arc.azure.com"),
        ("https://*.gw.arc.azure.com", "must be a URL below gw.arc.azure.com"),
        ("<prefix>", "must be a URL below gw.arc.azure.com"),
        ("x" * 64, "must be a URL below gw.arc.azure.com"),
    ],
)
def test_what_is_no_gateway_is_refused(text: str, said: str) -> None:
    """The message never repeats it: there may be a password in it."""
    with pytest.raises(ValueError, match="must") as caught:
        parse_arc_gateway(text)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_prefix_is_the_value_of_its_placeholder(load: Load) -> None:
    """It is written once; the Arc proxy may be named beside it."""
    found = load(f"arc_gateway: {GATEWAY}\narc_proxy: http://10.0.0.9:40343\nvalues: {{key_vault: mine}}\n")
    assert found.arc_gateway == ArcGateway(prefix="contoso", proxy="http://10.0.0.9:40343")
    assert dict(found.values) == {"key_vault": "mine", "arc_gateway": "contoso"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"arc_gateway: {GATEWAY}\ncloud: usgov\n", "arc_gateway: cannot stand beside cloud: usgov"),
        (f"arc_gateway: {GATEWAY}\ncloud: china\n", "arc_gateway: cannot stand beside cloud: china"),
        (f"arc_gateway: {GATEWAY}\nvalues: {{arc_gateway: other}}\n", "values.arc_gateway: stands in"),
        ("arc_proxy: http://10.0.0.9:40343\n", "arc_proxy: stands only beside arc_gateway"),
        (f"arc_gateway: [{GATEWAY}]\n", "arc_gateway: "),
        ("arc_gateway: 5\ncloud: 7\n", "arc_gateway: "),
        (f"arc_gateway: {GATEWAY}\narc_proxy: ftp://x\n", "arc_proxy: must start with http:// or https://"),
    ],
)
def test_what_excludes_a_gateway(load: Load, text: str, said: str) -> None:
    """The gateway exists in the public cloud only, and its prefix stands in one place."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert any(said in one for one in caught.value.problems)


def test_the_documented_row_of_azure_local_in_government_keeps_its_value(load: Load) -> None:
    """The refusal says where the prefix goes, and there it is taken."""
    with pytest.raises(ConfigError) as caught:
        load(f"arc_gateway: {GATEWAY}\ncloud: usgov\n")
    assert any("under values as arc_gateway" in one for one in caught.value.problems)
    found = load("cloud: usgov\nvalues: {arc_gateway: contoso}\n")
    assert (found.arc_gateway, dict(found.values)["arc_gateway"]) == (None, "contoso")


def test_the_flag_wins(load: Load) -> None:
    """Over the gateway of the file, whose Arc proxy stays; `none` takes both away."""
    text = f"arc_gateway: {GATEWAY}\narc_proxy: http://10.0.0.9:40343\n"
    other = load(text, Flags(arc_gateway="fabrikam"))
    assert other.arc_gateway == ArcGateway(prefix="fabrikam", proxy="http://10.0.0.9:40343")
    assert other.values == (("arc_gateway", "fabrikam"),)
    none = load(text, Flags(arc_gateway="none"))
    assert (none.arc_gateway, none.values) == (None, ())
    kept = load("values: {arc_gateway: contoso}\n", Flags(arc_gateway="none"))
    assert kept.values == (("arc_gateway", "contoso"),)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("", Flags(arc_gateway="contoso", cloud=Cloud.USGOV)),
        (f"arc_gateway: {GATEWAY}\n", Flags(cloud=Cloud.CHINA)),
        ("cloud: china\n", Flags(arc_gateway="contoso")),
        ("", Flags(arc_gateway="https://u:s3cret@contoso.gw.arc.azure.com")),
    ],
)
def test_a_wrong_flag_is_wrong_usage(load: Load, text: str, flags: Flags) -> None:
    """Whichever of the two stands in the file."""
    with pytest.raises(UsageError) as caught:
        load(text, flags)
    assert "s3cret" not in str(caught.value)


def test_a_bypass_list_is_warned_of(load: Load) -> None:
    """The agent has none with a gateway, and what is forwarded does not look at egressd's."""
    proxy = "proxy: {url: 'http://proxy.example:3128', bypass: [.corp.example]}\n"
    assert any("with arc_gateway" in one for one in load(f"arc_gateway: {GATEWAY}\n{proxy}").warnings)
    assert not any("arc_gateway" in one for one in load(proxy).warnings)


def test_the_digest_holds_no_password_of_a_route() -> None:
    """Two routes that differ in the password only give one digest."""
    proxy = Proxy(url="http://packages.example:8080", username="apt", password="one")
    route = ProbeRoute(name="apt", proxy=proxy, why="apt")
    other = replace(route, proxy=replace(proxy, password="two"))
    assert digest(Settings(routes=(route,))) == digest(Settings(routes=(other,)))
    assert digest(Settings(routes=(route,))) != digest(Settings())
