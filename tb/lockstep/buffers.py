"""What a NIC has done to the memory that it was given: chains and their buffers, as its own reads show them.

A `Buffer` lives from the read of its descriptor to the used entry of its chain; what was transferred before
does not count.
"""

from pymodel.regs import DESC_BYTES


class Buffer:
    """The bytes start…end of memory. Writes leave an image, which is what the driver will find there."""

    __slots__ = ("_image", "_missing", "end", "start")

    def __init__(self, start: int, length: int) -> None:
        self.start = start
        self.end = start + length
        self._missing: list[tuple[int, int]] = [(start, self.end)] if length else []
        self._image = bytearray()

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def whole(self) -> bool:
        """Was every byte transferred?"""
        return not self._missing

    def missing(self, length: int) -> int:
        """How many of the first `length` bytes were not transferred."""
        end = self.start + length
        return sum(min(b, end) - a for a, b in self._missing if a < end)

    def touch(self, start: int, end: int) -> None:
        """The bytes start…end, of which some may lie outside, were transferred."""
        missing = self._missing
        if len(missing) == 1:
            a, b = missing[0]
            if start <= a:
                if end >= b:
                    missing.clear()
                elif end > a:
                    missing[0] = (end, b)
                return
        left: list[tuple[int, int]] = []
        for a, b in missing:
            if a < start:
                left.append((a, min(b, start)))
            if b > end:
                left.append((max(a, end), b))
        self._missing = left

    def store(self, address: int, data: bytes) -> None:
        """`data` was transferred at `address`; what lies outside is not looked at."""
        first, last = max(address, self.start), min(address + len(data), self.end)
        if first < last:
            image, at = self._image, first - self.start
            if len(image) < at:  # a descriptor may claim 4 GiB: the image is as long as what was written
                image.extend(bytes(at - len(image)))
            image[at : last - self.start] = data[first - address : last - address]
            self.touch(first, last)

    def content(self, length: int) -> bytes:
        """The first `length` bytes as they were stored last."""
        return bytes(self._image[:length]).ljust(length, b"\0")


class ChainRecord:
    """A chain that the NIC has read and not used. `position` of its first slot, counted without end; `slots`
    it takes. `touched`: when a byte of it was last written."""

    __slots__ = ("_taken", "buffer_id", "buffers", "position", "slots", "table", "touched")

    def __init__(self, position: int) -> None:
        self.position = position
        self.slots = 0
        self.buffer_id = 0
        self.buffers: list[Buffer] = []
        self.table: Buffer | None = None
        """The table of an indirect chain, until it has been read whole."""
        self.touched = 0
        self._taken = 0

    @property
    def length(self) -> int:
        """Bytes of its buffers."""
        return sum(map(len, self.buffers))

    def missing(self, length: int) -> int:
        """How many of the first `length` bytes of its buffers were not transferred."""
        missing = 0
        for buffer in self.buffers:
            if length <= 0:
                break
            missing += buffer.missing(min(length, len(buffer)))
            length -= len(buffer)
        return missing

    def content(self, length: int) -> bytes:
        """What the driver finds in the first `length` bytes of its buffers."""
        parts = []
        for buffer in self.buffers:
            if length <= 0:
                break
            parts.append(buffer.content(min(length, len(buffer))))
            length -= len(buffer)
        return b"".join(parts)

    def read_table(self, address: int, data: bytes) -> None:
        """A piece of the table has been read: the NIC may use an entry once it has its 16 bytes."""
        table = self.table
        assert table is not None
        table.store(address, data)
        while not table.missing((self._taken + 1) * DESC_BYTES):
            at = self._taken * DESC_BYTES
            entry = table.content(at + DESC_BYTES)[at:]
            self._taken += 1
            self.buffers.append(
                Buffer(int.from_bytes(entry[:8], "little"), int.from_bytes(entry[8:12], "little"))
            )
            if self._taken * DESC_BYTES >= len(table):
                self.table = None
                return

    def reads(self, address: int) -> bool:
        """May a transfer of 16 aligned bytes at `address` be one of its table?"""
        table = self.table
        return table is not None and address < table.end and address | DESC_BYTES - 1 >= table.start
