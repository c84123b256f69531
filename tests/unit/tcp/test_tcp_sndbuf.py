"""The send buffer, in pieces of any size: the same bytes as one byte string."""

import os
import random

import pytest

from pymodel.tcp import sndbuf
from pymodel.tcp.seq import MASK

SEED = int(os.environ.get("FDWIRE_SEED", "20261126"))


@pytest.mark.parametrize("piece", [1, 7, 100, 65_536])
def test_random_writes_reads_and_acknowledgements_give_what_a_byte_string_gives(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED + piece)
    monkeypatch.setattr(sndbuf, "PIECE", piece)
    base = MASK - 300  # across the wrap
    buffer, plain = sndbuf.SendBuffer(base), bytearray()
    for _ in range(500):
        action = rng.choice("wwra")
        if action == "w":
            data = rng.randbytes(rng.randint(1, 250))
            buffer.append(rng.choice([bytes, bytearray, memoryview])(data), False)
            plain += data
        elif plain:
            at = rng.randrange(len(plain))
            n = rng.randint(1, len(plain) - at)
            seq = (base + at) & MASK
            if action == "r":
                assert buffer.read(seq, n) == plain[at : at + n]
                room = memoryview(bytearray(n))
                buffer.copy(room, seq)
                assert room == plain[at : at + n]
            else:
                n = rng.choice([n, len(plain)])
                assert buffer.acknowledge((base + n) & MASK) == n
                base = (base + n) & MASK
                del plain[:n]
        assert (len(buffer), buffer.base, buffer.end) == (len(plain), base, (base + len(plain)) & MASK)
    assert buffer.acknowledge((base + len(plain) + 1) & MASK) == len(plain), "a FIN's number counts for none"


def test_cleared_buffer_is_empty() -> None:
    buffer = sndbuf.SendBuffer(5)
    buffer.append(b"abc", False)
    buffer.clear()
    assert (len(buffer), buffer.end, len(buffer.chunks)) == (0, 5, 0)
