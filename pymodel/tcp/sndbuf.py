"""The send buffer: bytes that the user wrote and the peer has not acknowledged."""

from pymodel.tcp.seq import MASK


class SendBuffer:
    """A byte string whose first byte has sequence number `base`. `len()` is what is held."""

    __slots__ = ("_data", "base")

    def __init__(self, base: int) -> None:
        self.base = base
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Copy `data` behind what is there."""
        self._data += data

    def read(self, seq: int, n: int) -> bytearray:
        """A copy of `n` bytes from sequence number `seq` on."""
        at = (seq - self.base) & MASK
        return self._data[at : at + n]

    def acknowledge(self, seq: int) -> int:
        """Drop everything before `seq`; how many bytes that was. A FIN's number counts for none."""
        n = min((seq - self.base) & MASK, len(self._data))
        # bytearray moves its start instead of its bytes: this is cheap.
        del self._data[:n]
        self.base = (self.base + n) & MASK
        return n

    def clear(self) -> None:
        """Forget everything."""
        self._data.clear()
