"""Root certificates: those the agent would trust, and those of the public web.

OpenSSL verifies with the first, by the rules of the agent (Go's), the same on every Python version. The
second only tells TLS inspection from a broken chain. A few vendors' clients carry roots of their own; for the
names of these vendors, and for no others, they count as both.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from copy import copy
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from egressd.errors import ConfigError, UnreadableFileError
from egressd.inputfile import read_file
from egressd.model.settings import Trust
from egressd.net.sockets.descriptors import shortage
from egressd.net.tls.anchors import RootSet
from egressd.net.tls.certificates import parse_certificate

SYSTEM = "system"
BUNDLED = "bundled"
AGENT_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
)
"""What Go offers for TLS 1.2 since 1.22 (crypto/tls/cipher_suites.go): no finite-field Diffie-Hellman, which
Python adds, and no RSA key exchange. A server that takes neither fails for the agent, so it fails here."""
_FILE_LIMIT = 16 * 1024 * 1024
_LEGACY_SERVER_CONNECT = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT of openssl/ssl.h; Python has a name for it since 3.12."""


_VENDOR_FOLDER = Path(__file__).parent / "vendor_roots"


class VendorRoots(Struct, frozen=True, kw_only=True):
    """Roots outside the public web that a vendor's own clients have, for the vendor's own names.

    Nobody else can issue under them, so that a chain to one of them was not made on the way.
    """

    domains: tuple[str, ...]
    pem: str
    """Text of PEM certificates; a subordinate authority among them is an anchor, too."""

    def holds_for(self, host: str) -> bool:
        """Return whether a host is one of the vendor's."""
        name = host.lower().removesuffix(".")
        return any(name == one or name.endswith(f".{one}") for one in self.domains)


def vendor_roots() -> tuple[VendorRoots, ...]:
    """Return the roots of Microsoft's products, and those of Red Hat's subscription manager."""
    return tuple(
        VendorRoots(domains=domains, pem=(_VENDOR_FOLDER / name).read_text(encoding="ascii"))
        for name, domains in (
            ("microsoft.pem", ("microsoft.com", "windows.com", "windowsupdate.com")),
            ("red-hat.pem", ("redhat.com",)),
        )
    )


class TrustStore:
    """SSL contexts, one per ALPN offer, and the roots they trust."""

    def __init__(
        self, trust: Trust, *, verifies: bool = True, vendors: Iterable[VendorRoots] | None = None
    ) -> None:
        self._trust = trust
        self._vendors = vendor_roots() if vendors is None else tuple(vendors)
        self._vendor_pem: str | None = None
        self._has_subordinate_anchor = False
        self._vendor_stores: dict[tuple[VendorRoots, ...], TrustStore] = {}
        self._store_pem = None if trust.store == SYSTEM else _read_pem(trust.store)
        self._public_file = None if trust.public_roots == BUNDLED else trust.public_roots
        self._system = _system_ders() if trust.store == SYSTEM and verifies else []
        self._verifies = verifies
        self._contexts: dict[tuple[tuple[str, ...], bool], ssl.SSLContext] = {}

    def for_host(self, host: str) -> TrustStore:
        """Return the store to verify a host with: this one, or one that has its vendor's roots as well."""
        vendors = tuple(one for one in self._vendors if one.holds_for(host))
        if not vendors:
            return self
        if vendors not in self._vendor_stores:
            store: TrustStore = copy(self)
            store.__dict__.pop("unverified", None)
            pem = "\n".join(one.pem for one in vendors)
            store._vendors, store._vendor_pem, store._contexts = (), pem, {}
            ders = _ders(pem)
            store._has_subordinate_anchor = not all(parse_certificate(one).facts.self_signed for one in ders)
            store.public, store.trusted = self.public.extended(ders), self.trusted.extended(ders)
            self._vendor_stores[vendors] = store
        return self._vendor_stores[vendors]

    def context(self, alpn: tuple[str, ...], *, names: bool = True) -> ssl.SSLContext:
        """Return the context that offers these ALPN protocols; without `names` it checks the chain alone."""
        context = self._contexts.get((alpn, names))
        if context is None:
            context = self._contexts[alpn, names] = self._make_context(alpn)
            context.check_hostname = context.check_hostname and names
        return context

    def _make_context(self, alpn: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(AGENT_CIPHERS)
        # Python 3.13 turns both on; the agent is written in Go, which has neither.
        context.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
        # OpenSSL 3 refuses servers without RFC 5746 (renegotiation); Go never renegotiates, and takes them.
        context.options |= _LEGACY_SERVER_CONNECT
        # Go ignores common names too.
        context.hostname_checks_common_name = False
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if not self._verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self._store_pem is None:
            # What OpenSSL can't open now or later, for want of a descriptor, it leaves out without a word.
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
            if self._system:
                context.load_verify_locations(cadata=b"".join(self._system))
        else:
            context.load_verify_locations(cadata=self._store_pem)
        if self._verifies and self._vendor_pem is not None:
            context.load_verify_locations(cadata=self._vendor_pem)
            if self._has_subordinate_anchor:
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    @cached_property
    def unverified(self) -> TrustStore:
        """A store that accepts every chain, to read a page inside a session that did not verify.

        Only for a request without secrets; its observation is marked `unverified`.
        """
        store = TrustStore(self._trust, verifies=False, vendors=self._vendors)
        store.public, store.trusted = self.public, self.trusted
        return store

    @property
    def verifies(self) -> bool:
        """Whether a chain must verify."""
        return self._verifies

    @cached_property
    def public(self) -> RootSet:
        """The public roots; parsed when they are first needed."""
        return RootSet(_ders(_read_pem(self._public_file or _certifi_path())))

    @cached_property
    def trusted(self) -> RootSet:
        """The roots of the trust store; parsed when they are first needed."""
        return RootSet(self._system if self._store_pem is None else _ders(self._store_pem))

    def load(self) -> TrustStore:
        """Read and parse all roots now: later a descriptor may be lacking. Raises ConfigError."""
        _ = self.public, self.trusted
        return self

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The store, the public roots and the OpenSSL version, as names and values for a report."""
        return (
            ("store", self._trust.store),
            ("public_roots", self._trust.public_roots),
            ("openssl", ssl.OPENSSL_VERSION),
        )


def load_trust(trust: Trust, *, own: Iterable[VendorRoots] = ()) -> TrustStore:
    """Load the PEM files of the trust settings; `own` are roots that programs of this host have besides.

    Raises:
        ConfigError: a file can't be read, or holds no certificate.
    """
    problems = []
    for key, word, path in (
        ("trust.store", SYSTEM, trust.store),
        ("trust.public_roots", BUNDLED, trust.public_roots),
    ):
        try:
            if path != word:
                _check_pem(_read_pem(path), path)
        except ConfigError as error:
            problems += [f"{key}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(tuple(problems))
    return TrustStore(trust, vendors=(*vendor_roots(), *own))


def read_roots(path: Path) -> str:
    """Return the text of a PEM file. Raises ConfigError if no certificate can be read from it."""
    pem = _read_pem(str(path))
    _check_pem(pem, str(path))
    return pem


def _read_pem(path: str) -> str:
    try:
        data = read_file(Path(path), limit=_FILE_LIMIT)
    except UnreadableFileError as error:
        raise ConfigError((str(error),)) from None
    if len(data) > _FILE_LIMIT:
        raise ConfigError((f"cannot use {path}: larger than {_FILE_LIMIT // 1024 // 1024} MiB",))
    # Bundles may have comments in any encoding; the certificates themselves are ASCII.
    return data.decode("ascii", "replace").replace("\ufffd", "?")


def _check_pem(pem: str, path: str) -> None:
    if not pem.strip():
        raise ConfigError((f"cannot use {path}: the file is empty; give certificates in PEM",))
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise ConfigError((f"cannot use {path}: no certificate in it; give certificates in PEM",))
    try:
        _ders(pem)
    except ssl.SSLError as error:
        raise ConfigError(
            (f"cannot use {path}: a certificate in it can't be read ({error.reason})",)
        ) from None


def _ders(pem: str) -> list[bytes]:
    """Return the certificates of a PEM text. Raises ssl.SSLError where OpenSSL can't read one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    return [ssl.PEM_cert_to_DER_cert(block) for block in _blocks(pem)]


def _blocks(pem: str) -> list[str]:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = pem.split(begin)[1:]
    return [f"{begin}{part.split(end)[0]}{end}" for part in parts if end in part]


def _certifi_path() -> str:
    import certifi  # noqa: PLC0415 - needed only where no file is configured

    return certifi.where()


def _system_ders() -> list[bytes]:
    """Return the system's roots: OpenSSL's CAfile, or the files of its hashed CApath."""
    paths = ssl.get_default_verify_paths()
    pems = [Path(paths.cafile)] if paths.cafile else []
    if not pems and paths.capath:
        pems = sorted(Path(paths.capath).glob("*.[0-9]"))
    ders: dict[bytes, None] = {}
    for path in pems:
        try:
            ders.update(dict.fromkeys(_ders(_read_pem(str(path)))))
        except (ConfigError, ssl.SSLError, ValueError):
            if shortage() is not None:
                raise  # a store with holes would accuse those whose roots it lacks
            continue  # OpenSSL skips what it can't read too
    return list(ders)
