"""Expected beside come, field by field: of a frame, of a buffer of the receive ring, of a used entry."""

import struct
from itertools import groupby
from typing import Final

from pymodel.regs import DESC_BYTES, DescFlag, GsoType, NetHdrFlag
from pymodel.wire import eth, ipv4, virtio_net_hdr
from pymodel.wire.checksum import checksum
from pymodel.wire.virtio_net_hdr import HEADER_LEN
from tb.report import frames
from tb.report.frames import Fields

FCS: Final = 4
_IP_CHECKSUM: Final = 10
_TCP_CHECKSUM: Final = 16
_ROW: Final = 16
_ROWS: Final = 8
"""Rows of bytes shown at most."""


def fields(kind: str, data: bytes) -> Fields:
    """(layer, field, value) of `data`, which a mismatch of `kind` compared (`tb.lockstep.tally.Mismatch`)."""
    if not data:
        return []
    if kind == "used entry":
        return _used(data)
    if kind == "payload":
        return _header(data) + _frame(data[HEADER_LEN:], fcs=False)
    return _frame(data, fcs=True)


def table(kind: str, expected: bytes, came: bytes) -> list[str]:
    """A Markdown table of both, field by field; those that differ are marked. Empty if there is nothing."""
    wanted, got = ({field[:2]: field[2] for field in fields(kind, data)} for data in (expected, came))
    names = list(dict.fromkeys([*wanted, *got]))
    layers = list(dict.fromkeys(layer for layer, _ in names))
    names.sort(key=lambda name: layers.index(name[0]))
    if not names:
        return []
    lines = ["| | field | expected | came | |", "| --- | --- | --- | --- | --- |"]
    for layer, same in groupby(names, key=lambda name: name[0]):
        for number, name in enumerate(same):
            a, b = wanted.get(name, "–"), got.get(name, "–")
            shown = layer if not number else ""
            mark = "**differs**" if a != b and expected and came else ""
            lines.append(f"| {shown} | {name[1]} | {a} | {b} | {mark} |")
    return lines


def differing_bytes(expected: bytes, came: bytes) -> list[str]:
    """The rows of sixteen bytes that differ, expected above come, and marks below."""
    if not expected or not came:
        return []
    lines = []
    shown = 0
    for at in range(0, max(len(expected), len(came)), _ROW):
        a, b = expected[at : at + _ROW], came[at : at + _ROW]
        if a == b:
            continue
        if shown == _ROWS:
            lines.append("… and more")
            break
        shown += 1
        marks = ["^^" if a[i : i + 1] != b[i : i + 1] else "  " for i in range(max(len(a), len(b)))]
        lines += [
            f"{at:6}  expected  {a.hex(' ')}",
            f"        came      {b.hex(' ')}",
            f"                  {' '.join(marks)}".rstrip(),
        ]
    return lines


def _used(data: bytes) -> Fields:
    """virtio 1.2 §2.8.6: the used descriptor."""
    if len(data) != DESC_BYTES:
        return [("used entry", "bytes", str(len(data)))]
    address, length, ident, flags = struct.unpack("<QIHH", data)
    names = ", ".join(flag.name or "" for flag in DescFlag if flags & flag) or "none"
    return [
        ("used entry", "addr", f"{address:#x}"),
        ("used entry", "len", str(length)),
        ("used entry", "id", str(ident)),
        ("used entry", "flags", f"{flags:#06x} ({names})"),
    ]


def _header(data: bytes) -> Fields:
    """virtio 1.2 §5.1.6."""
    if len(data) < HEADER_LEN:
        return [("virtio_net_hdr", "bytes", str(len(data)))]
    header = virtio_net_hdr.parse(data)
    flags = ", ".join(flag.name or "" for flag in NetHdrFlag if header.flags & flag) or "none"
    gso = next((gso.name for gso in GsoType if gso == header.gso_type & 0x7F), "unknown")
    found: Fields = [
        ("virtio_net_hdr", "flags", f"{header.flags:#04x} ({flags})"),
        ("virtio_net_hdr", "gso_type", f"{header.gso_type} ({gso})"),
    ]
    return found + [("virtio_net_hdr", name, str(getattr(header, name))) for name in header._fields[2:]]


def _frame(data: bytes, *, fcs: bool) -> Fields:
    """The headers, and what no header says: checksums, how many bytes, the FCS."""
    body = data[:-FCS] if fcs else data
    found = frames.fields(_repaired(body))
    if any(layer == "IPv4" for layer, _, _ in found):
        at = eth.HEADER_LEN + _IP_CHECKSUM
        wrong = "" if body == _repaired(body) else " (wrong)"
        found.append(("IPv4", "header checksum", f"0x{body[at : at + 2].hex()}{wrong}"))
    ip = frames.ip_header(_repaired(body))
    if ip is not None and ip.proto == ipv4.PROTO_TCP:
        at = eth.HEADER_LEN + ip.header_len + _TCP_CHECKSUM
        found.append(("TCP", "checksum", f"0x{body[at : at + 2].hex()}"))
    found.append(("frame", "bytes", f"{len(data)}{' with FCS' if fcs else ''}"))
    if fcs:
        found.append(("frame", "FCS", f"0x{data[-FCS:].hex()}"))
    return found


def _repaired(frame: bytes) -> bytes:
    """`frame` with the IPv4 header checksum that its header should have: the codec reads no others."""
    ihl = (frame[eth.HEADER_LEN] & 15) << 2 if len(frame) > eth.HEADER_LEN else 0
    header = bytearray(frame[eth.HEADER_LEN : eth.HEADER_LEN + ihl])
    if ihl < ipv4.HEADER_LEN or len(header) < ihl or eth.parse(frame).ethertype != eth.ETHERTYPE_IPV4:
        return frame
    header[_IP_CHECKSUM : _IP_CHECKSUM + 2] = b"\0\0"
    right = checksum(header).to_bytes(2, "big")
    at = eth.HEADER_LEN + _IP_CHECKSUM
    return frame[:at] + right + frame[at + 2 :]
