"""Record data: from the text of a zone file to the bytes of a packet, and back (RFC 1035, 3596, 3597, 4034)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import struct
from collections.abc import Callable
from datetime import UTC, datetime

KINDS = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "MX": 15,
    "AAAA": 28,
    "DS": 43,
    "RRSIG": 46,
    "NSEC": 47,
    "DNSKEY": 48,
}
"""The numbers of the kinds known by name; any other is written TYPEn."""
_NAMES = {number: name for name, number in KINDS.items()}
_SIGNATURE = struct.Struct(">HBBIIIH")
_SOA = struct.Struct(">5I")
_KEY = struct.Struct(">HBB")
SIGNATURE_HEAD_BYTES = _SIGNATURE.size


class InvalidRecordError(ValueError):
    """Text that is no record. `expected` and `found` say why."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


def kind_number(text: str) -> int:
    """The number of a kind, given by name or as TYPEn (RFC 3597)."""
    number = KINDS.get(text.upper())
    if number is not None:
        return number
    digits = text.upper().removeprefix("TYPE")
    if digits.isdecimal() and digits != text and int(digits) < 65536:
        return int(digits)
    raise InvalidRecordError(f"a record type ({', '.join(KINDS)} or TYPEn)", repr(text))


def kind_name(number: int) -> str:
    """The name of a kind, or TYPEn."""
    return _NAMES.get(number, f"TYPE{number}")


def owner_name(text: str) -> bytes:
    """A name as the service keeps it: lower case, with a dot at its end."""
    name = text.lower()
    if not name.endswith("."):
        raise InvalidRecordError("a full name, which ends in a dot", repr(text))
    _packed_name(name)
    return name.encode("ascii")


def pack_data(kind: int, text: str) -> bytes:
    """The record data that `text` describes; raises InvalidRecordError."""
    fields = text.split()
    if fields[:1] == ["\\#"]:
        return _unknown(fields)
    pack = _PACK.get(kind, _unknown)
    try:
        return pack(fields)
    except (ValueError, IndexError, struct.error, binascii.Error) as error:
        if isinstance(error, InvalidRecordError):
            raise
        raise InvalidRecordError(f"the data of a {kind_name(kind)} record", f"{text!r} ({error})") from error


def data_text(kind: int, data: bytes) -> str:
    """Record data as a zone file has them."""
    show = _SHOW.get(kind)
    return show(data) if show else f"\\# {len(data)} {data.hex()}".rstrip()


def enough_to_remove(kind: int, data: bytes) -> bytes:
    """A beginning of the data that tells the record from others of its name: for a signature, all but the signature."""
    if kind != KINDS["RRSIG"]:
        return data
    _, end = _name_text(data, SIGNATURE_HEAD_BYTES)
    return data[:end]


def _packed_name(text: str) -> bytes:
    if text == ".":
        return b"\0"
    labels = text.lower().removesuffix(".").split(".")
    if not text.endswith(".") or not all(0 < len(label) < 64 for label in labels) or not text.isascii():
        raise InvalidRecordError("a full name of labels of 1 to 63 ASCII characters, which ends in a dot", repr(text))
    if len(text) > 254:
        raise InvalidRecordError("a name of at most 254 characters", f"{len(text)}")
    return b"".join([bytes([len(label)]) + label.encode() for label in labels]) + b"\0"


def _name_text(data: bytes, place: int) -> tuple[str, int]:
    """The name at `place`, and where it ends."""
    labels = []
    while data[place]:
        labels.append(data[place + 1 : place + 1 + data[place]].decode("ascii"))
        place += 1 + data[place]
    return ".".join([*labels, ""]) or ".", place + 1


def _exactly(fields: list[str], count: int) -> list[str]:
    if len(fields) != count:
        raise InvalidRecordError(f"{count} fields", f"{len(fields)}: {' '.join(fields)!r}")
    return fields


def _address(fields: list[str]) -> bytes:
    return ipaddress.IPv4Address(_exactly(fields, 1)[0]).packed


def _long_address(fields: list[str]) -> bytes:
    return ipaddress.IPv6Address(_exactly(fields, 1)[0]).packed


def _long_address_text(data: bytes) -> str:
    # Without "::" and leading zeros: the form in which the root zone is published.
    return ":".join(f"{word:x}" for word in struct.unpack(">8H", data))


def _one_name(fields: list[str]) -> bytes:
    return _packed_name(_exactly(fields, 1)[0])


def _soa(fields: list[str]) -> bytes:
    primary, mailbox, *numbers = _exactly(fields, 7)
    return _packed_name(primary) + _packed_name(mailbox) + _SOA.pack(*map(int, numbers))


def _soa_text(data: bytes) -> str:
    primary, place = _name_text(data, 0)
    mailbox, place = _name_text(data, place)
    return " ".join([primary, mailbox, *map(str, _SOA.unpack_from(data, place))])


def _mail(fields: list[str]) -> bytes:
    preference, exchange = _exactly(fields, 2)
    return struct.pack(">H", int(preference)) + _packed_name(exchange)


def _mail_text(data: bytes) -> str:
    return f"{struct.unpack_from('>H', data)[0]} {_name_text(data, 2)[0]}"


def _delegation(fields: list[str]) -> bytes:
    tag, algorithm, digest_type, *digest = fields
    return struct.pack(">HBB", int(tag), int(algorithm), int(digest_type)) + bytes.fromhex("".join(digest))


def _delegation_text(data: bytes) -> str:
    return " ".join([*map(str, struct.unpack_from(">HBB", data)), data[4:].hex().upper()])


def _signature(fields: list[str]) -> bytes:
    covered, algorithm, labels, ttl, expires, begins, tag, signer, *signature = fields
    numbers = (
        kind_number(covered),
        int(algorithm),
        int(labels),
        int(ttl),
        _seconds(expires),
        _seconds(begins),
        int(tag),
    )
    return _SIGNATURE.pack(*numbers) + _packed_name(signer) + _from_base64(signature)


def _signature_text(data: bytes) -> str:
    covered, algorithm, labels, ttl, expires, begins, tag = _SIGNATURE.unpack_from(data)
    signer, place = _name_text(data, SIGNATURE_HEAD_BYTES)
    times = [_time_text(expires), _time_text(begins)]
    numbers = [kind_name(covered), algorithm, labels, ttl, *times, tag, signer]
    return " ".join([*map(str, numbers), _to_base64(data[place:])])


def _seconds(text: str) -> int:
    """Seconds since 1970, given as YYYYMMDDHHmmSS in UTC."""
    return int(datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())


def _time_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")


def _from_base64(parts: list[str]) -> bytes:
    return base64.b64decode("".join(parts), validate=True)


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _key(fields: list[str]) -> bytes:
    flags, protocol, algorithm, *key = fields
    return _KEY.pack(int(flags), int(protocol), int(algorithm)) + _from_base64(key)


def _key_text(data: bytes) -> str:
    return " ".join([*map(str, _KEY.unpack_from(data)), _to_base64(data[_KEY.size :])])


def _next(fields: list[str]) -> bytes:
    windows: dict[int, bytearray] = {}
    for kind in sorted(map(kind_number, fields[1:])):
        bits = windows.setdefault(kind >> 8, bytearray())
        bits.extend(bytes(max(0, (kind & 255) // 8 + 1 - len(bits))))
        bits[(kind & 255) // 8] |= 128 >> (kind & 7)
    return _packed_name(fields[0]) + b"".join(bytes([window, len(bits)]) + bits for window, bits in windows.items())


def _next_text(data: bytes) -> str:
    name, place = _name_text(data, 0)
    kinds = []
    while place < len(data):
        window, length = data[place], data[place + 1]
        bits = data[place + 2 : place + 2 + length]
        kinds += [window << 8 | bit for bit in range(8 * length) if bits[bit // 8] & 128 >> (bit & 7)]
        place += 2 + length
    return " ".join([name, *map(kind_name, kinds)])


def _unknown(fields: list[str]) -> bytes:
    """RFC 3597: `\\# length hex`."""
    if len(fields) < 2 or fields[0] != "\\#":
        raise InvalidRecordError("data as '\\# length hex', for a kind that is not known", repr(" ".join(fields)))
    data = bytes.fromhex("".join(fields[2:]))
    if len(data) != int(fields[1]):
        raise InvalidRecordError(f"{fields[1]} bytes of data", f"{len(data)}")
    return data


_PACK: dict[int, Callable[[list[str]], bytes]] = {
    KINDS["A"]: _address,
    KINDS["AAAA"]: _long_address,
    KINDS["NS"]: _one_name,
    KINDS["CNAME"]: _one_name,
    KINDS["SOA"]: _soa,
    KINDS["MX"]: _mail,
    KINDS["DS"]: _delegation,
    KINDS["RRSIG"]: _signature,
    KINDS["DNSKEY"]: _key,
    KINDS["NSEC"]: _next,
}
_SHOW: dict[int, Callable[[bytes], str]] = {
    KINDS["A"]: lambda data: str(ipaddress.IPv4Address(data)),
    KINDS["AAAA"]: _long_address_text,
    KINDS["NS"]: lambda data: _name_text(data, 0)[0],
    KINDS["CNAME"]: lambda data: _name_text(data, 0)[0],
    KINDS["SOA"]: _soa_text,
    KINDS["MX"]: _mail_text,
    KINDS["DS"]: _delegation_text,
    KINDS["RRSIG"]: _signature_text,
    KINDS["DNSKEY"]: _key_text,
    KINDS["NSEC"]: _next_text,
}
