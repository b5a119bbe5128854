"""Whether one certificate signed another: the signature alone, by the key of the issuer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import SignatureAlgorithmOID

from egressd.net.tls.der import SEQUENCE, RawCertificate, read_algorithm, read_values

_MAX_RSA_BITS = 8192
"""The agent takes no larger key from a server (Go, crypto/tls/handshake_client.go)."""
_MAX_RSA_EXPONENT = 2**31 - 1
"""The agent reads no key with a larger one (Go, crypto/x509/parser.go)."""
_MAX_KEY_BYTES = 2048
"""Of a SubjectPublicKeyInfo; that of 8192 bits has half of it."""
Hash = Callable[[], hashes.HashAlgorithm]

_RSA: Mapping[str, Hash] = {
    SignatureAlgorithmOID.RSA_WITH_MD5.dotted_string: hashes.MD5,
    SignatureAlgorithmOID.RSA_WITH_SHA1.dotted_string: hashes.SHA1,
    "1.3.14.3.2.29": hashes.SHA1,  # sha1WithRSASignature of OIW, which old Windows tools wrote
    SignatureAlgorithmOID.RSA_WITH_SHA224.dotted_string: hashes.SHA224,
    SignatureAlgorithmOID.RSA_WITH_SHA256.dotted_string: hashes.SHA256,
    SignatureAlgorithmOID.RSA_WITH_SHA384.dotted_string: hashes.SHA384,
    SignatureAlgorithmOID.RSA_WITH_SHA512.dotted_string: hashes.SHA512,
}
_ECDSA: Mapping[str, Hash] = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA1.dotted_string: hashes.SHA1,
    SignatureAlgorithmOID.ECDSA_WITH_SHA224.dotted_string: hashes.SHA224,
    SignatureAlgorithmOID.ECDSA_WITH_SHA256.dotted_string: hashes.SHA256,
    SignatureAlgorithmOID.ECDSA_WITH_SHA384.dotted_string: hashes.SHA384,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512.dotted_string: hashes.SHA512,
}
_PSS = SignatureAlgorithmOID.RSASSA_PSS.dotted_string
_PSS_HASHES: Mapping[str, Hash] = {
    "1.3.14.3.2.26": hashes.SHA1,
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}


def is_signed_by(certificate: RawCertificate, issuer: RawCertificate) -> bool | None:
    """Return whether the issuer's key made a certificate's signature; None: it can't be checked here."""
    if len(issuer.public_key) > _MAX_KEY_BYTES:
        return None
    key = _load_key(issuer.public_key)
    if key is None:
        return None
    try:
        return _verify(certificate, key)
    except InvalidSignature:
        return False
    except (MemoryError, OSError, ImportError):  # this host lacks something
        raise
    except Exception:  # noqa: BLE001 - odd keys, parameters and encodings: cryptography raises many exceptions
        return None


@lru_cache(maxsize=256)
def _load_key(der: bytes) -> PublicKeyTypes | None:
    """Load a key; None where it can't be read, or takes longer to use than the agent allows."""
    try:
        key = load_der_public_key(der)
    except (MemoryError, OSError, ImportError):
        raise
    except Exception:  # noqa: BLE001 - as above
        return None
    return None if isinstance(key, rsa.RSAPublicKey) and not _is_usual(key) else key


def _is_usual(key: rsa.RSAPublicKey) -> bool:
    return key.key_size <= _MAX_RSA_BITS and key.public_numbers().e <= _MAX_RSA_EXPONENT


def _verify(one: RawCertificate, key: PublicKeyTypes) -> bool | None:
    """Return whether the signature fits; None: by an algorithm that is not known here.

    Raises:
        InvalidSignature: it does not fit.
    """
    match key:
        case rsa.RSAPublicKey() if one.algorithm == _PSS:
            digest = _pss_hash(one.parameters)
            scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.AUTO)
            key.verify(one.signature, one.signed, scheme, digest)
        case rsa.RSAPublicKey() if one.algorithm in _RSA:
            key.verify(one.signature, one.signed, padding.PKCS1v15(), _RSA[one.algorithm]())
        case ec.EllipticCurvePublicKey() if one.algorithm in _ECDSA:
            key.verify(one.signature, one.signed, ec.ECDSA(_ECDSA[one.algorithm]()))
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            key.verify(one.signature, one.signed)
        case _:
            return None
    return True


def _pss_hash(parameters: bytes) -> hashes.HashAlgorithm:
    """Return the hash of RSASSA-PSS parameters; SHA-1 where they name none (RFC 4055 section 3.1)."""
    for _, content, _ in read_values(parameters):
        for tag, value, _ in read_values(content):
            if tag == 0xA0:
                inner = next(found for kind, found, _ in read_values(value) if kind == SEQUENCE)
                return _PSS_HASHES[read_algorithm(inner)[0]]()
    return hashes.SHA1()  # noqa: S303 - what the certificate was signed with
