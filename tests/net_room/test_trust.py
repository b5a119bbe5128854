"""Root certificates: unusable files are named, and every Python version verifies alike."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import certifi
import pytest

from egressd.errors import ConfigError
from egressd.model.settings import Trust
from egressd.net.tls.certificates import parse_certificate
from egressd.net.trust import load_trust, vendor_roots


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"\x00\xff not PEM", "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydA==\n-----END CERTIFICATE-----\n", "can't be read"),
        (b"-----BEGIN CERTIFICATE-----\n", "can't be read"),
    ],
)
@pytest.mark.parametrize("key", ["store", "public_roots"])
def test_unusable_files(tmp_path: Path, key: str, content: bytes | None, reason: str) -> None:
    """The message has the key, the file and the error."""
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_trust(Trust(store=str(path)) if key == "store" else Trust(public_roots=str(path)))
    (problem,) = caught.value.problems
    assert f"trust.{key}" in problem
    assert str(path) in problem
    assert reason in problem


def test_all_errors_at_once(tmp_path: Path) -> None:
    """Both files are reported, and a directory is no file."""
    with pytest.raises(ConfigError) as caught:
        load_trust(Trust(store=str(tmp_path), public_roots="/nowhere/roots.pem"))
    assert len(caught.value.problems) == 2


def test_one_broken_certificate(tmp_path: Path, pki: Any) -> None:
    """A partly written bundle is not trusted in part."""
    path = tmp_path / "roots.pem"
    path.write_bytes(pki.root.pem + pki.other_root.pem[:200] + b"\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigError):
        load_trust(Trust(store=str(path)))


def test_comments_in_any_encoding(tmp_path: Path, pki: Any) -> None:
    """Bundles may have comments between the certificates."""
    path = tmp_path / "roots.pem"
    path.write_bytes("# Főtanúsítvány\n".encode() + pki.root.pem + b"\xff\xfe\n")
    assert len(load_trust(Trust(store=str(path))).trusted) == 1


def test_ssl_contexts(pki: Any) -> None:
    """They are shared; strict flags of Python 3.13 are off; TLS 1.2 is the minimum."""
    store = pki.store(pki.root)
    context = store.context(("h2", "http/1.1"))
    assert context is store.context(("h2", "http/1.1"))
    assert context is not store.context(())
    assert not context.verify_flags & (ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not context.hostname_checks_common_name
    assert context.check_hostname


def test_bundled_public_roots() -> None:
    """All roots of certifi are parsed when first needed."""
    count = Path(certifi.where()).read_text(encoding="utf-8").count("BEGIN CERTIFICATE")
    assert len(load_trust(Trust()).public) == count > 50


def test_system_roots_from_a_hashed_directory(
    tmp_path: Path, pki: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a CAfile the files of CApath are the roots; broken ones are ignored."""
    (tmp_path / "0a1b2c3d.0").write_bytes(pki.root.pem)
    (tmp_path / "0a1b2c3d.1").write_bytes(b"broken")
    (tmp_path / "README").write_bytes(pki.other_root.pem)
    paths = ssl.DefaultVerifyPaths("", str(tmp_path), "", "", "", "")
    monkeypatch.setattr("egressd.net.trust.ssl.get_default_verify_paths", lambda: paths)
    assert len(load_trust(Trust()).trusted) == 1


def test_trust_facts(pki: Any) -> None:
    """They have the roots and the OpenSSL version."""
    facts = dict(pki.store(pki.root).facts)
    assert facts["public_roots"] == "bundled"
    assert facts["openssl"] == ssl.OPENSSL_VERSION


def test_the_offer_is_the_agents() -> None:
    """Go has no finite-field Diffie-Hellman and no RSA key exchange: who needs them fails here too."""
    offered = [one["name"] for one in load_trust(Trust()).context(()).get_ciphers()]
    older = [name for name in offered if not name.startswith("TLS_")]
    assert len(older) == 10
    assert all(name.startswith("ECDHE-") for name in older)


def test_vendor_roots_are_those_their_vendors_published() -> None:
    """Each certificate has the digest that was compared with another source, and ends when that says."""
    found = {
        (one.facts.sha256.upper(), (one.facts.not_after or "")[:10])
        for vendor in vendor_roots()
        for one in map(parse_certificate, ders_of(vendor.pem))
    }
    assert found == {
        ("847DF6A78497943F27FC72EB93F9A637320A02B561D0A91B09E87A7807ED7C61", "2036-03-22"),
        ("CACA93B9D23D2B6FA76E8B8471931E0DF3EC6F63AF3CDBB936C41954A1872326", "2043-02-27"),
        ("84024E7F03AC5A858B6F6279A686390DCAA1852C80576A06A078D897B201AD51", "2030-03-13"),
    }


def ders_of(pem: str) -> list[bytes]:
    blocks = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL)
    return [ssl.PEM_cert_to_DER_cert(one) for one in blocks]


def test_only_an_authority_below_a_root_makes_an_anchor_of_its_own(pki: Any) -> None:
    """Microsoft's are roots: for its names a store verifies by the same rules as for any other."""
    base = pki.store(pki.root)
    flags = {
        host: bool(base.for_host(host).context(()).verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN)
        for host in ("fe3.delivery.mp.microsoft.com", "cdn.redhat.com", "gbl.his.arc.azure.com")
    }
    assert flags == {
        "fe3.delivery.mp.microsoft.com": False,
        "cdn.redhat.com": True,
        "gbl.his.arc.azure.com": False,
    }


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("fe3.delivery.mp.microsoft.com", 2),
        ("FE3.Delivery.mp.Microsoft.com.", 2),
        ("cdn.redhat.com", 1),
        ("gbl.his.arc.azure.com", 0),
        ("notmicrosoft.com", 0),
        ("microsoft.com.evil.example", 0),
        ("10.0.0.1", 0),
    ],
)
def test_vendor_roots_hold_for_the_vendor_s_names_only(pki: Any, host: str, more: int) -> None:
    """A name outside the vendor's domains is verified as if there were no such roots."""
    base = pki.store(pki.root, public=(pki.other_root,))
    store = base.for_host(host)
    assert (len(store.public), len(store.trusted)) == (1 + more, 1 + more)
    assert store is base.for_host(host)
    assert (len(base.public), len(base.trusted)) == (1, 1)
    assert len(base.unverified.for_host(host).public) == 1 + more
