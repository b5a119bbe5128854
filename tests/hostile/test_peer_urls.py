"""A peer can't make this host connect to itself, its neighbours or its cloud's metadata service."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest

from egressd.destination import MAX_URL, is_admitted_address, parse_destination
from tests.hostile.url_world import METADATA, NEIGHBOUR, OWN, PLACES, RECORDER, URLS

LAB = ("192.0.2.0/24",)


def run_world(*options: str) -> dict[str, Any]:
    """Run the world in network and user namespaces of its own."""
    words = ["unshare", "-rn", sys.executable, "-m", "tests.hostile.url_world", *options]
    try:
        done = subprocess.run(words, capture_output=True, check=False, timeout=120)
    except FileNotFoundError:
        pytest.skip("needs unshare of util-linux")
    if b"unshare failed" in done.stderr:
        pytest.skip("user namespaces are not permitted here")
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def fetched(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Return kind and host of the URLs that egressd took up."""
    return {
        (one["kind"], one["host"]) for one in report["controls"] if one["kind"] in ("revocation", "redirect")
    }


def test_certificates_and_redirects_lead_nowhere_inside() -> None:
    """The URL that the operator redirects is fetched, once; of all others nothing is connected to."""
    found = run_world()
    assert found["connected"] == [["127.0.0.1", RECORDER, "GET /ca.crl HTTP/1.1"]]
    secure = [one for one in found["report"]["targets"] if one["protocol"] == "https"]
    assert {one["outcome"] for one in secure} == {"ok"}
    assert ("revocation", "loop.evil.example") in fetched(found["report"])
    assert ("redirect", "loop.evil.example") in fetched(found["report"])


def test_a_proxy_is_asked_for_public_names_only() -> None:
    """The proxy resolves them; names that only its own network knows are not passed on to it."""
    found = run_world("--proxy")
    hosts = {urlsplit(one).hostname for one in found["requested"]}
    assert "crl.good.example" in hosts
    assert all(one.rstrip(".").endswith(".example") or one == OWN for one in hosts if one)
    assert "extra.good.example" not in hosts
    assert found["connected"] == []


@pytest.mark.parametrize("place", [one for one in PLACES if not one.rstrip(".").endswith(".example")])
def test_places_inside_are_no_destination(place: str) -> None:
    """Whatever the spelling; only the address that looks public is left for the connection to judge."""
    found = parse_destination(f"http://{place}/x", schemes=("http", "https"))
    assert (found.host if found else None) == (OWN if place == OWN else None)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example:8080/",
        "https://a.example:80/",
        "http://a.example:0/",
        "http://a.example:99999/",
        "ftp://a.example/",
        "ldap://a.example/",
        "file:///etc/passwd",
        "http:a.example/",
        "//a.example/",
        "http://user:secret@a.example/",
        "http://a.example/\r\nX-Other: 1",
        "http://a.example/ x",
        "http://a.example\\@b.example/",
        "http://ä.example/",
        "http://a..example/",
        "http://-a.example/",
        "http://a.example.123/",
        "http://a.0x1/",
        f"http://{'a' * 64}.example/",
        f"http://a.example/{'a' * MAX_URL}",
        f"http://a.example/{'a' * 65536}",
        "http://" + "a." * 130 + "example/",
        "",
        "http://",
    ],
)
def test_what_is_no_plain_url_is_not_asked_for(url: str) -> None:
    """Other ports, logins, controls, other alphabets and long texts."""
    assert parse_destination(url, schemes=("http", "https")) is None


def test_urls_of_authorities_are_destinations() -> None:
    """Path and query are kept, and the port is that of the scheme."""
    found = parse_destination("HTTP://CRL3.DigiCert.com:80/a%20b.crl?x=1", schemes=("http",))
    assert found is not None
    assert (found.host, found.port, found.path) == ("crl3.digicert.com", 80, "/a%20b.crl?x=1")
    assert found.url == "http://crl3.digicert.com/a%20b.crl?x=1"
    again = parse_destination("https://[2a01:111::1]/", schemes=("https",))
    assert again is not None
    assert again.url == "https://[2a01:111::1]/"


@pytest.mark.parametrize(
    ("address", "outside", "inside"),
    [
        ("20.60.1.1", True, True),
        ("2603:1030::1", True, True),
        ("64:ff9b::143c:101", True, True),
        ("64:ff9b:1::143c:101", False, False),
        ("192.0.2.80", True, True),
        (NEIGHBOUR, False, True),
        ("::ffff:10.9.8.7", False, True),
        ("64:ff9b::a09:807", False, True),
        ("172.31.0.1", False, True),
        ("192.168.1.1", False, True),
        ("fd12::1", False, True),
        ("fd00:ec2::254", False, False),
        ("fd20:ce::254", False, False),
        (METADATA, False, False),
        ("127.0.0.1", False, False),
        ("127.255.255.254", False, False),
        ("::1", False, False),
        ("::ffff:127.0.0.1", False, False),
        ("::127.0.0.1", False, False),
        ("0.0.0.0", False, False),
        ("0.1.2.3", False, False),
        ("::", False, False),
        ("fe80::1", False, False),
        ("fe80::1%eth0", False, False),
        ("fec0::1", False, False),
        ("2603:1030::1%eth0", False, False),
        ("100.64.0.1", False, False),
        ("100.100.100.200", False, False),
        ("168.63.129.16", False, False),
        ("192.0.0.192", False, False),
        ("198.18.0.1", False, False),
        ("224.0.0.1", False, False),
        ("239.255.255.250", False, False),
        ("255.255.255.255", False, False),
        ("240.0.0.1", False, False),
        ("ff02::1", False, False),
        ("2002:7f00:1::1", False, False),
        ("2002:143c:101::1", False, False),
        ("2001:0:143c:101::1", False, False),
        ("2603:1030::5efe:7f00:1", False, False),
        ("2001:db8::1", False, False),
        ("4000::1", False, False),
        ("", False, False),
        ("a.example", False, False),
    ],
)
def test_addresses_that_a_peer_may_lead_to(address: str, outside: bool, inside: bool) -> None:
    """Public ones and those of a laboratory; for the operator's own endpoint in it, their network as well."""
    assert is_admitted_address(address, public_networks=LAB) is outside
    assert is_admitted_address(address, private=True, public_networks=LAB) is inside


@pytest.mark.parametrize("host", ["pki", "pki.corp", "pki.contoso.local", NEIGHBOUR, "crl.contoso.com"])
def test_an_endpoint_in_the_operators_network_may_name_servers_there(host: str) -> None:
    """Their authority's servers are not on the Internet; this host itself is still not among them."""
    assert parse_destination(f"http://{host}/", schemes=("http",), private=True) is not None
    for own in ("localhost", "a.localhost", "127.0.0.1", METADATA, "[::1]"):
        assert parse_destination(f"http://{own}/", schemes=("http",), private=True) is None


def test_the_world_has_places_enough() -> None:
    """Each URL differs, so that what is connected to can be told."""
    assert len(set(URLS)) == len(URLS) > 40
