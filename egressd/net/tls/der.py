"""The fields of a certificate where its DER has them (RFC 5280 section 4.1), without judging any of them.

Strict parsers refuse a whole certificate for one odd field that OpenSSL accepts. Who signed it, and with
which key, must be known all the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

SEQUENCE, INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER, BOOLEAN = 0x30, 0x02, 0x03, 0x04, 0x06, 0x01
_VERSION, _EXTENSIONS, _KEY_IDENTIFIER = 0xA0, 0xA3, 0x80
_AUTHORITY_KEY, _SUBJECT_KEY, _CONSTRAINTS = "2.5.29.35", "2.5.29.14", "2.5.29.19"
_TEXTS = {12: "utf-8", 18: "ascii", 19: "ascii", 20: "latin-1", 22: "ascii", 28: "utf-32-be", 30: "utf-16-be"}
"""How the string types of names are encoded (X.690 section 8.23)."""

_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
}
"""RFC 4514 section 3."""
_ESCAPED = re.compile(r'([\\",+;<>])')
_UTC_TIME, _GENERALIZED_TIME = 23, 24
_MAX_NAME = 4096
"""Bytes of a name; of real ones the longest have a few hundred."""
_MAX_PAIRS = 64
_MAX_EXTENSIONS = 64
_MAX_IDENTIFIER = 64
"""Bytes of an OID or a key identifier; a longer one is told apart by its digest."""

Value = tuple[int, bytes, bytes]
"""Tag, content, and the whole with its header."""
NameKey = tuple[tuple[str, str | bytes], ...]
"""A name to compare as OpenSSL does: letters in lower case, blanks collapsed, the string type ignored."""


class RawName(Struct, frozen=True, kw_only=True):
    """A name: OIDs and values, in order; a value that is no text as bytes."""

    pairs: NameKey
    key: NameKey
    """The name to look it up by."""

    def __str__(self) -> str:
        """Write it as RFC 4514 has it, the last part first."""
        return ",".join(
            f"{_SHORT_NAMES.get(oid, oid)}={_escaped(value)}" for oid, value in reversed(self.pairs)
        )


class RawCertificate(Struct, frozen=True, kw_only=True):
    """The fields of a certificate, as bytes."""

    signed: bytes
    """The TBSCertificate, which the signature is made over."""
    algorithm: str
    """The OID of the signature algorithm."""
    parameters: bytes
    """Its parameters; empty: none."""
    signature: bytes
    issuer: RawName
    subject: RawName
    not_before: datetime | None
    not_after: datetime | None
    """In UTC; None where it can't be read."""
    public_key: bytes
    """The SubjectPublicKeyInfo."""
    key_id: str
    """The subject key identifier in hex; by RFC 5280 section 4.2.1.2 (1) where it carries none."""
    issuer_key_id: str | None
    """The authority key identifier in hex."""
    is_authority: bool
    """Whether basicConstraints say that it may sign others."""
    extensions: Mapping[str, bytes]
    """The values, by OID."""


def read_certificate(der: bytes) -> RawCertificate:
    """Read a certificate.

    Raises:
        ValueError: it is not DER, a field is missing, or it has more parts than any real one.
    """
    signed, algorithm, signature = _children(_only(der, SEQUENCE))[:3]
    fields = [one for one in _children(signed[1]) if one[0] != _VERSION]
    if len(fields) < 6:
        raise ValueError("a field is missing")
    _, _, issuer, validity, subject, key = fields[:6]
    starts, ends = _validity(validity[1])
    extensions = _extensions(fields[6:])
    oid, parameters = read_algorithm(algorithm[1])
    return RawCertificate(
        signed=signed[2],
        algorithm=oid,
        parameters=parameters,
        signature=_bits(signature),
        issuer=_name(issuer[1]),
        subject=_name(subject[1]),
        not_before=starts,
        not_after=ends,
        public_key=key[2],
        key_id=_key_id(extensions, key),
        issuer_key_id=_issuer_key_id(extensions),
        is_authority=_is_authority(extensions),
        extensions=extensions,
    )


def read_algorithm(content: bytes) -> tuple[str, bytes]:
    """Return OID and parameters of an AlgorithmIdentifier's content. Raises ValueError."""
    values = _children(content)
    if not values or values[0][0] != OBJECT_IDENTIFIER:
        raise ValueError("no algorithm")
    return _oid(values[0][1]), values[1][2] if len(values) > 1 else b""


def read_values(data: bytes) -> Iterator[Value]:
    """Yield the values that stand one after the other. Raises ValueError where they are no DER."""
    position = 0
    while position < len(data):
        tag, size, start = data[position], *_length(data, position + 1)
        if tag & 0x1F == 0x1F or start + size > len(data):
            raise ValueError("not DER")
        yield tag, data[start : start + size], data[position : start + size]
        position = start + size


def _length(data: bytes, position: int) -> tuple[int, int]:
    """Return the length at a position, and where the content starts."""
    if position >= len(data):
        raise ValueError("not DER")
    first = data[position]
    if not first & 0x80:
        return first, position + 1
    octets = first & 0x7F
    if not 1 <= octets <= 4:
        raise ValueError("not DER")
    return int.from_bytes(data[position + 1 : position + 1 + octets], "big"), position + 1 + octets


def _children(content: bytes) -> list[Value]:
    return list(read_values(content))


def _only(data: bytes, tag: int) -> bytes:
    values = _children(data)
    if len(values) != 1 or values[0][0] != tag:
        raise ValueError("another value than expected")
    return values[0][1]


def _bits(value: Value) -> bytes:
    tag, content, _ = value
    if tag != BIT_STRING or not content:
        raise ValueError("no BIT STRING")
    return content[1:]


def _oid(content: bytes) -> str:
    if len(content) > _MAX_IDENTIFIER:  # arithmetic on numbers of thousands of digits takes long
        return _digest(content)
    numbers, number = [], 0
    for octet in content:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    if not numbers:
        raise ValueError("an empty OID")
    first = min(numbers[0] // 40, 2)
    return ".".join(str(one) for one in (first, numbers[0] - 40 * first, *numbers[1:]))


def _name(content: bytes) -> RawName:
    """Read a Name; multi-valued parts become parts of their own."""
    if len(content) > _MAX_NAME:
        raise ValueError("a name that is too long")
    found = []
    for _, part, _ in read_values(content):
        for _, pair, _ in read_values(part):
            kind, value = _children(pair)[:2]
            found.append((_oid(kind[1]), _text(value)))
    if len(found) > _MAX_PAIRS:
        raise ValueError("a name of too many parts")
    key = tuple(
        (oid, " ".join(text.lower().split()) if isinstance(text, str) else text) for oid, text in found
    )
    return RawName(pairs=tuple(found), key=key)


def _text(value: Value) -> str | bytes:
    tag, content, _ = value
    try:
        return content.decode(_TEXTS[tag])
    except (KeyError, UnicodeDecodeError):
        return content


def _escaped(value: str | bytes) -> str:
    return f"#{value.hex()}" if isinstance(value, bytes) else _ESCAPED.sub(r"\\\1", value)


def _validity(content: bytes) -> tuple[datetime | None, datetime | None]:
    times = [_time(tag, text) for tag, text, _ in read_values(content)]
    if len(times) != 2:
        return None, None
    return times[0], times[1]


def _time(tag: int, text: bytes) -> datetime | None:
    """Read a time in UTC with seconds; years of two digits begin with 1950 (RFC 5280 section 4.1.2.5)."""
    if tag == _UTC_TIME:
        text = (b"19" if text[:2] >= b"50" else b"20") + text
    if tag not in {_UTC_TIME, _GENERALIZED_TIME} or len(text) != 15 or not text[:-1].isdigit():
        return None
    try:
        return datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _extensions(fields: list[Value]) -> dict[str, bytes]:
    """Return the extensions; the first of each wins."""
    found: dict[str, bytes] = {}
    for tag, content, _ in fields:
        if tag == _EXTENSIONS:
            for _, one, _ in read_values(_only(content, SEQUENCE)):
                values = _children(one)
                found.setdefault(_oid(values[0][1]), values[-1][1])
                if len(found) > _MAX_EXTENSIONS:
                    raise ValueError("too many extensions")
    return found


def _key_id(extensions: Mapping[str, bytes], key: Value) -> str:
    try:
        return _identifier(_only(extensions[_SUBJECT_KEY], OCTET_STRING))
    except (KeyError, ValueError):
        return hashlib.sha1(_bits(_children(key[1])[1]), usedforsecurity=False).hexdigest()


def _issuer_key_id(extensions: Mapping[str, bytes]) -> str | None:
    try:
        values = _children(_only(extensions[_AUTHORITY_KEY], SEQUENCE))
    except (KeyError, ValueError):
        return None
    return next((_identifier(content) for tag, content, _ in values if tag == _KEY_IDENTIFIER), None)


def _identifier(content: bytes) -> str:
    return content.hex() if len(content) <= _MAX_IDENTIFIER else _digest(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_authority(extensions: Mapping[str, bytes]) -> bool:
    try:
        values = _children(_only(extensions[_CONSTRAINTS], SEQUENCE))
    except (KeyError, ValueError):
        return False
    return any(tag == BOOLEAN and any(content) for tag, content, _ in values)
