"""The zoo's certificates: a public root, one intermediate, and a chain for every odd host."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from tests.foreign.badssl.rows import ZONE
from tests.foreign.certificates import (
    DAY,
    DIGESTS,
    NOW,
    Authority,
    Issued,
    KeyPair,
    Leaf,
    Pki,
    ec_key,
    revocation_list,
    rsa_key,
    subject,
    write_chain,
)

ORGANIZATION = "Quirks Example"
RSA_SIZES = (512, 1024, 2048, 3072, 4096, 8192)
DEVELOPMENT_AUTHORITIES = {
    "dsdtestprovider": subject("DSDTestProvider"),
    "edellroot": subject("eDellRoot"),
    "mitm-software": subject("Charles Proxy Custom Root Certificate", "XK72 Ltd"),
    "preact-cli": subject("preact-cli", "preact-cli Development Certificate"),
    "superfish": subject("Superfish, Inc.", "Superfish, Inc."),
    "webpack-dev-server": subject("webpack-dev-server", "webpack Development Certificate"),
}
"""Private authorities of computers, proxies and development tools, by what they call themselves."""

Chain = tuple[Issued, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAuthorities:
    """The public root and those below it."""

    root: Authority
    intermediate: Authority
    weak: Authority
    """An intermediate whose own certificate is signed with SHA-1."""


def make_public() -> PublicAuthorities:
    """Make the public authorities."""
    root = Authority.make(subject("Plain Trust Root R1", "Plain Trust Services"))
    pki = Pki(issuer=f"http://pki.{ZONE}/issuer.cer", revocations=f"http://pki.{ZONE}/revoked.crl")
    intermediate = Authority.make(
        subject("Plain Trust TLS CA 3", "Plain Trust Services"), issuer=root, pki=pki
    )
    weak = Authority.make(subject("Plain Trust Old CA", "Plain Trust Services"), issuer=root, digest="sha1")
    return PublicAuthorities(root=root, intermediate=intermediate, weak=weak)


def write_chains(folder: Path) -> frozenset[str]:
    """Write the roots, the wildcard's chain, and each host's that has its own; return these hosts."""
    public = make_public()
    chains = {
        **dict(_by_key(public)),
        **dict(_by_digest(public)),
        **dict(_by_name(public)),
        **dict(_by_chain(public)),
        **dict(_private()),
    }
    for name, chain in chains.items():
        write_chain(folder, name, *chain)
    (folder / "root.pem").write_bytes(public.root.issued.pem)
    (folder / "issuer.cer").write_bytes(public.intermediate.issued.der)
    (folder / "revoked.crl").write_bytes(revocation_list(public.intermediate, chains["revoked"][0]))
    for one in folder.iterdir():
        one.chmod(0o644)
    return frozenset(chains) - {"wildcard"}


def _leaf(label: str, key: KeyPair | None = None) -> Leaf:
    """Return the leaf of one host, with its name only."""
    name = f"{label}.{ZONE}"
    sound = Leaf(names=(name,), subject=subject(name, ORGANIZATION))
    return replace(sound, key=key) if key else sound


def _wildcard() -> Leaf:
    return Leaf(names=(f"*.{ZONE}", ZONE), subject=subject(f"*.{ZONE}", ORGANIZATION))


def _by_key(public: PublicAuthorities) -> Iterator[tuple[str, Chain]]:
    """Yield chains with keys of each kind and size."""
    with ThreadPoolExecutor(2) as pool:
        sized = dict(zip(RSA_SIZES, pool.map(rsa_key, RSA_SIZES), strict=True))
    keys = {
        **{f"rsa{bits}": key for bits, key in sized.items()},
        "ecc256": ec_key(ec.SECP256R1()),
        "ecc384": ec_key(ec.SECP384R1()),
    }
    for label, key in keys.items():
        yield label, (_leaf(label, key).issue(public.intermediate), public.intermediate.issued)


def _by_digest(public: PublicAuthorities) -> Iterator[tuple[str, Chain]]:
    """Yield chains signed with each digest."""
    digests = {**dict.fromkeys(("sha1", "sha1-2016", "sha1-2017"), "sha1"), **{one: one for one in DIGESTS}}
    for label, digest in digests.items():
        leaf = replace(_leaf(label), digest=digest)
        yield label, (leaf.issue(public.intermediate), public.intermediate.issued)
    yield "md5", (replace(_leaf("md5"), digest="md5").issue(public.root),)
    yield "sha1-intermediate", (_leaf("sha1-intermediate").issue(public.weak), public.weak.issued)


def _by_name(public: PublicAuthorities) -> Iterator[tuple[str, Chain]]:
    """Yield chains by what the leaf says of its owner, its names and its time."""
    many = {count: tuple(f"n{number}.{ZONE}" for number in range(count - 1)) for count in (1000, 10000)}
    elsewhere = Leaf(names=("shop.elsewhere.example",), subject=subject("shop.elsewhere.example"))
    no_san = replace(_leaf("no-san"), names=())
    leaves = {
        "wildcard": _wildcard(),
        **{
            f"{count}-sans": replace(_leaf(f"{count}-sans"), names=(f"{count}-sans.{ZONE}", *names))
            for count, names in many.items()
        },
        **{label: _leaf(label) for label in OWN_CERTIFICATE},
        "expired": replace(_leaf("expired"), since=NOW - 100 * DAY, until=NOW - 3 * DAY),
        "no-common-name": replace(_leaf("no-common-name"), subject=subject(organization=ORGANIZATION)),
        "no-subject": replace(_leaf("no-subject"), subject=subject()),
        "no-san": no_san,
        "captive-portal": replace(elsewhere, names=("login.portal.example",)),
        "preloaded-expect-ct": elsewhere,
    }
    for label, leaf in leaves.items():
        yield label, (leaf.issue(public.intermediate), public.intermediate.issued)


OWN_CERTIFICATE = (
    "blocked-interception",
    "extended-validation",
    "ev",
    "invalid-expected-sct",
    "known-interception",
    "no-sct",
    "pinning-test",
    "revoked",
    "xn--n1aae7f7o",
)
"""Hosts with a sound certificate of their own."""


def _by_chain(public: PublicAuthorities) -> Iterator[tuple[str, Chain]]:
    """Yield chains that lack something or are in the wrong order."""
    leaf = _leaf("reversed-chain").issue(public.intermediate)
    fallback = Leaf(names=("fallback.elsewhere.example",), subject=subject("fallback.elsewhere.example"))
    unreachable = replace(public.intermediate, pki=Pki(issuer=f"http://gone.{ZONE}/issuer.cer"))
    yield "incomplete-chain", (_leaf("incomplete-chain").issue(unreachable),)
    yield "unknown-subdomain", (fallback.issue(public.intermediate),)
    yield "reversed-chain", (public.intermediate.issued, leaf)


def _private() -> Iterator[tuple[str, Chain]]:
    """Yield chains of private authorities, and the one without any."""
    yield (
        "self-signed",
        (replace(_leaf("self-signed"), until=NOW + dt.timedelta(days=700)).issue(None),),
    )
    authorities = {
        **DEVELOPMENT_AUTHORITIES,
        "untrusted-root": subject("Quirks Untrusted Root Certificate Authority", ORGANIZATION),
    }
    for label, name in authorities.items():
        authority = Authority.make(name)
        yield label, (_leaf(label).issue(authority), authority.issued)
