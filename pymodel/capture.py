"""pcapng files of simulated frames (IETF draft-ietf-opsawg-pcapng), with nanosecond simulated time stamps.

Nothing of the host or of the wall clock gets in, so the same run gives the same bytes. Frames of a wire are
written with their FCS, and the file says so.
"""

import struct
from types import TracebackType
from typing import BinaryIO, Final

from pymodel.ports import Frame
from pymodel.simtime import NS

LINKTYPE_ETHERNET: Final = 1
FCS_SIZE: Final = 4

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_ENHANCED_PACKET: Final = 6
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D

_OPT_END: Final = 0
_OPT_COMMENT: Final = 1
_SHB_USERAPPL: Final = 4
_IF_NAME: Final = 2
_IF_TSRESOL: Final = 9
_IF_FCSLEN: Final = 13
_EPB_FLAGS: Final = 2

_INBOUND: Final = 1
_OUTBOUND: Final = 2
_FCS_SHIFT: Final = 5
_SYMBOL_ERROR: Final = 1 << 31


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


class Capture:
    """Writes one pcapng section to `file`, which the caller opened for writing bytes.

    As a context manager it closes the file. `frames` counts what was written.
    """

    def __init__(self, file: BinaryIO, *, application: str = "fdwire") -> None:
        self.frames = 0
        self._file = file
        self._fcs: list[int] = []
        """Bytes of the FCS of each interface's frames."""
        # A section length of -1 stands for "not specified": the file is written in one go.
        body = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1)
        options = _option(_SHB_USERAPPL, application.encode()) + _option(_OPT_END, b"")
        file.write(_block(_SECTION_HEADER, body + options))

    def __enter__(self) -> "Capture":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def interface(self, name: str, *, fcs: bool = True) -> int:
        """Describe a further interface, of frames with or without `fcs`; the number to give to `frame`."""
        size = FCS_SIZE if fcs else 0
        options = (
            _option(_IF_NAME, name.encode())
            + _option(_IF_TSRESOL, b"\x09")
            + _option(_IF_FCSLEN, bytes([size]))
            + _option(_OPT_END, b"")
        )
        self._file.write(_block(_INTERFACE, struct.pack("<HHI", LINKTYPE_ETHERNET, 0, 0) + options))
        self._fcs.append(size)
        return len(self._fcs) - 1

    def frame(self, interface: int, frame: Frame, *, inbound: bool, comment: str = "") -> None:
        """Write one frame, stamped with its end: in that order frames are seen whole.

        Raises ValueError for an interface that was not described.
        """
        if not 0 <= interface < len(self._fcs):
            raise ValueError(f"interface {interface} of {len(self._fcs)} was not described")
        data = frame.data
        stamp = frame.end // NS
        flags = (_INBOUND if inbound else _OUTBOUND) | self._fcs[interface] << _FCS_SHIFT
        if frame.error:
            flags |= _SYMBOL_ERROR
        options = _option(_EPB_FLAGS, struct.pack("<I", flags))
        if comment:
            options = _option(_OPT_COMMENT, comment.encode()) + options
        header = struct.pack("<IIIII", interface, stamp >> 32, stamp & 0xFFFF_FFFF, len(data), len(data))
        padding = bytes(-len(data) % 4)
        self._file.write(_block(_ENHANCED_PACKET, header + data + padding + options + _option(_OPT_END, b"")))
        self.frames += 1

    def flush(self) -> None:
        """Let a reader see what was written so far."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()
