"""vhost-user's device side against a client that was written from the specification (vhost_client.py)."""

import gc
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from vhost_client import (
    BUFFERS,
    GUEST,
    PACKED,
    PROTOCOL,
    REPLY_ACK,
    SIZE,
    STATUS,
    USER,
    VERSION_1,
    Bench,
    Client,
    bench,
)

from pymodel.golden import mac
from pymodel.golden.nic import DMA_LATENCY
from pymodel.regs import FEATURES_OFFERED, Feature
from pymodel.simtime import CYCLE, MS, NS
from tb.links.errors import LinkError
from tb.links.vhost import listening

FRAME = bytes(range(14)) + b"payload of a frame that needs no padding at all, it is long enough"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "s") as made:
        yield made


def fds() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def transmit(client: Client, slot: int, frame: bytes = FRAME, wrap: bool = True) -> None:
    at = BUFFERS + 0x1000 * slot
    client.memory[at : at + 12 + len(frame)] = bytes(12) + frame
    client.post(1, slot, at, 12 + len(frame), writable=False, wrap=wrap)


def test_what_is_offered_is_what_the_nic_has_and_no_iommu(served: Bench) -> None:
    client = Client(served)
    assert client.ask(1) == FEATURES_OFFERED & ~(1 << Feature.ACCESS_PLATFORM) | PROTOCOL
    assert client.ask(15) == 1 << 3 | 1 << 13 | 1 << 16
    client.close()


def test_frames_go_both_ways_through_the_clients_memory(served: Bench) -> None:
    client = Client(served)
    client.start()
    transmit(client, 0)
    assert served.sent == [mac.seal(FRAME)]
    assert client.used(1, 0) == (0, 0, 0x8080) and client.called(1)
    client.post(0, 0, BUFFERS + 0x8000, 2048, writable=True)
    assert not client.called(0) or client.used(0, 0)[2] == 0x82
    served.deliver(mac.seal(FRAME[::-1]))
    served.pump()
    assert client.used(0, 0) == (12 + len(FRAME), 0, 0x8082) and client.called(0)
    at = BUFFERS + 0x8000 + 12
    assert client.memory[at : at + len(FRAME)] == FRAME[::-1]
    client.close()
    assert served.said[-1] == "client 1 has gone"


def test_driver_that_wants_no_interrupts_gets_none(served: Bench) -> None:
    client = Client(served)
    client.start()
    client.memory[0x8010 + 2] = 1  # driver event suppression of TX: DISABLE
    client.called(0), client.called(1)
    transmit(client, 0)
    assert client.used(1, 0)[2] == 0x8080 and not client.called(1) and not client.called(0)
    client.close()


@pytest.mark.parametrize("latency", [DMA_LATENCY, CYCLE], ids=["far", "near"])
def test_regression_used_buffer_while_an_interrupt_is_being_served_is_signalled_too(
    tmp_path: Path, latency: int
) -> None:
    """A frame comes in at every moment of the interrupt for one that goes out. In near memory its buffer may
    be used and its interrupt raised while the acknowledgement of the one before is on its way.
    """
    with bench(tmp_path / "s", latency) as served:
        _used_at_any_moment(served)


def _used_at_any_moment(served: Bench) -> None:
    client = Client(served)
    client.start()
    scheduler = served.scheduler
    for number, offset in enumerate(range(0, 1600, 20)):  # ns
        slot, wrap = number % 8, number // 8 % 2 == 0
        for ring, at in enumerate((BUFFERS, BUFFERS + 0x1000)):
            client.post(ring, slot, at, 12 + 80, writable=ring == 0, wrap=wrap, pump=False)
        client.called(0), client.called(1)
        served.server.poll()
        scheduler.after(offset * NS, lambda: served.deliver(mac.seal(bytes(60))))
        told = [False, False]
        until = scheduler.now + MS
        while (due := scheduler.next_deadline()) is not None and due <= until:
            scheduler.step()
            for ring in range(2):
                if client.called(ring):
                    told[ring] = client.is_used(ring, slot)
        assert told == [True, True], f"the frame came in {offset} ns after the doorbell"
    client.close()


@pytest.mark.parametrize(("count", "expected"), [(0, 0x8000), (3, 0x8003), (8, 0), (11, 3), (16, 0x8000)])
def test_stopped_ring_says_how_far_it_was(served: Bench, count: int, expected: int) -> None:
    client = Client(served)
    client.start()
    for number in range(count):
        transmit(client, number % 8, wrap=number // 8 % 2 == 0)
    assert len(served.sent) == count
    assert client.ask(11, struct.pack("<II", 1, 0)) == expected << 16 | expected
    transmit(client, count % 8, wrap=count // 8 % 2 == 0)
    assert len(served.sent) == count, "it works on no ring that is stopped"
    client.close()


def test_ring_begins_anew_after_a_stop_and_not_where_it_was(served: Bench) -> None:
    client = Client(served)
    client.start()
    transmit(client, 0)
    base = client.ask(11, struct.pack("<II", 1, 0))
    client.memory[0x2000:0x2080] = bytes(0x80)
    client.describe(1)
    transmit(client, 0, FRAME[::-1])
    assert served.sent == [mac.seal(FRAME), mac.seal(FRAME[::-1])]
    client.ask(11, struct.pack("<II", 1, 0))
    client.describe(1, base=base)
    assert client.gone
    assert "the TX ring is to go on at slot 1 with wrap counter 1" in served.said[-1]
    client.close()


def test_rings_wait_for_driver_ok_where_the_status_is_told(served: Bench) -> None:
    client = Client(served)
    client.start(protocol=REPLY_ACK | STATUS)
    transmit(client, 0)
    assert served.sent == []
    client.send(39, struct.pack("<Q", 0xF))
    served.pump()
    assert served.sent == [mac.seal(FRAME)]
    assert client.ask(40) == 0xF
    client.send(39, struct.pack("<Q", 0))
    assert client.ask(40) == 0
    transmit(client, 1)
    assert len(served.sent) == 1
    client.close()


def test_bad_descriptor_resets_the_nic_and_the_driver_can_begin_again(served: Bench) -> None:
    client = Client(served)
    client.start(protocol=REPLY_ACK | STATUS)
    client.send(39, struct.pack("<Q", 0xF))
    client.post(1, 0, 0, 100, writable=False, address=GUEST + SIZE)  # just outside
    served.pump()
    assert "outside of its memory" in served.said[-1]
    assert client.ask(40) == 0x4F
    assert os.eventfd_read(client.errs[1]) == 1
    client.send(39, struct.pack("<Q", 0))
    client.memory[0x2000:0x2080] = bytes(0x80)
    for index in range(2):
        client.describe(index)
    client.send(39, struct.pack("<Q", 0xF))
    transmit(client, 0)
    assert served.sent == [mac.seal(FRAME)]
    client.close()


def test_memory_in_pieces_is_found_by_either_address(served: Bench) -> None:
    client = Client(served)
    client.start()
    half = SIZE // 2
    for index in range(2):
        client.ask(11, struct.pack("<II", index, 0))
    # The second half lies before the first for the guest, and far from it for the client.
    table = client.mem_table((GUEST, half, USER, 0), (GUEST - half, half, USER + (1 << 32), half))
    client.send(5, table, (client.memfd, client.memfd))
    for index in range(2):
        client.describe(index)
    client.memory[half : half + 12 + len(FRAME)] = bytes(12) + FRAME
    client.post(1, 0, 0, 12 + len(FRAME), writable=False, address=GUEST - half)
    assert served.sent == [mac.seal(FRAME)]
    client.close()


STATE = struct.Struct("<II")
U64 = struct.Struct("<Q")

WRONG = {
    "another version": (1, b"", 0, 2, "version 2, not 1"),
    "a reply": (1, b"", 0, 5, "a reply"),
    "no such request": (99, b"", 0, 1, "there is no such request"),
    "not offered": (20, U64.pack(1500), 0, 1, "NET_SET_MTU is not offered"),
    "too short": (2, b"1234", 0, 1, "4 bytes of payload, not 8"),
    "too long": (1, bytes(300), 0, 1, "264 is the longest"),
    "descriptor missing": (12, U64.pack(0), 0, 1, "0 descriptors came with it, not 1"),
    "descriptor too much": (1, b"", 1, 1, "1 descriptors came with it, not 0"),
    "no eventfd": (13, U64.pack(0), 1, 1, "is no eventfd"),
    "no kick": (12, U64.pack(0x100), 0, 1, "polling is not offered"),
    "ring 2": (8, STATE.pack(2, 8), 0, 1, "for ring 2; there are 2"),
    "size 0": (8, STATE.pack(0, 0), 0, 1, "1 to 256 are possible"),
    "size 257": (8, STATE.pack(0, 257), 0, 1, "1 to 256 are possible"),
    "feature": (2, U64.pack(1 << 63), 0, 1, "not offered: 0x8000000000000000"),
    "protocol feature": (16, U64.pack(1), 0, 1, "not offered: 0x1"),
    "status": (39, U64.pack(256), 0, 1, "eight bits"),
    "no regions": (5, STATE.pack(0, 0), 0, 1, "0 regions; 1 to 8"),
    "nine regions": (5, STATE.pack(9, 0) + bytes(256), 0, 1, "9 regions; 1 to 8"),
    "half a page": (5, STATE.pack(1, 0) + struct.pack("<QQQQ", 0, 2048, 0, 0), 1, 1, "no whole pages"),
    "beyond the file": (
        5,
        STATE.pack(1, 0) + struct.pack("<QQQQ", 0, 2 * SIZE, 0, 0),
        1,
        1,
        "cannot be mapped",
    ),
    "huge": (5, STATE.pack(1, 0) + struct.pack("<QQQQ", 0, 1 << 63, 0, 1 << 63), 1, 1, "cannot be mapped"),
    "address space": (
        5,
        STATE.pack(1, 0) + struct.pack("<QQQQ", (1 << 64) - 4096, 8192, 0, 0),
        1,
        1,
        "beyond",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_message_sends_the_client_away_and_the_next_is_served(served: Bench, name: str) -> None:
    need_reply = list(WRONG).index(name) % 3 > 0
    request, payload, descriptors, flags, said = WRONG[name]
    served.pump()
    before = fds()
    client = Client(served)
    client.start()
    client.send(request, payload, (client.memfd,) * descriptors, flags | (8 if need_reply else 0))
    if need_reply and name not in ("another version", "a reply", "too long"):
        assert client.answer() == (request, 5, U64.pack(1))
    assert client.gone
    assert served.said[-1].startswith("client 1 is sent away: ") and said in served.said[-1]
    assert served.memory.regions == ()
    client.close()
    assert fds() == before
    client = Client(served)
    client.start()
    transmit(client, 0)
    assert served.sent == [mac.seal(FRAME)]
    client.close()


@pytest.mark.parametrize(
    ("ring", "user", "said"),
    [
        (0, USER + SIZE, "outside of the client's memory"),
        (1, USER + 4, "not aligned to 16"),
        (1, 0, "outside"),
    ],
)
def test_ring_that_cannot_be_there_is_refused(served: Bench, ring: int, user: int, said: str) -> None:
    client = Client(served)
    client.start()
    client.ask(11, STATE.pack(ring, 0))
    client.send(9, client.address(ring, user))
    client.send(12, U64.pack(ring), (client.kicks[ring],))
    assert client.gone and said in served.said[-1]
    client.close()


def test_driver_of_split_rings_is_told_what_it_takes(served: Bench) -> None:
    client = Client(served)
    client.start(features=VERSION_1)
    assert (
        client.gone and "did not accept RING_PACKED" in served.said[-1] and "packed_vq=1" in served.said[-1]
    )
    client.close()


def test_overlapping_regions_are_refused_and_change_nothing(served: Bench) -> None:
    client = Client(served)
    client.start()
    table = client.mem_table((GUEST, SIZE, USER, 0), (GUEST + 4096, 4096, USER + SIZE, 0))
    client.send(5, table, (client.memfd, client.memfd))
    assert client.gone and "overlap" in served.said[-1]
    client.close()


def test_half_a_message_waits_and_a_death_in_it_is_survived(served: Bench) -> None:
    client = Client(served)
    client.raw(struct.pack("<III", 2, 1, 8))
    client.raw(b"1234")
    assert not client.gone
    client.close()
    assert served.said[-1] == "client 1 has gone"


def test_second_client_waits_for_the_first(served: Bench) -> None:
    first, second = Client(served), Client(served)
    second.send(1)
    assert not second.gone and served.server.clients == 1
    first.close()
    served.pump()
    assert second.answer()[0] == 1
    second.close()


def test_random_messages_end_no_server(served: Bench) -> None:
    """Real messages, in any order, some of them spoilt; FDWIRE_SEED repeats a failure."""
    seed = int(os.environ.get("FDWIRE_SEED", random.randrange(1 << 32)))
    print(f"FDWIRE_SEED={seed}")
    rng = random.Random(seed)
    served.pump()
    before = fds()
    for _ in range(40):
        client = Client(served)
        if rng.random() < 0.7:
            client.start(protocol=REPLY_ACK | (STATUS if rng.random() < 0.5 else 0))
        for _ in range(rng.randrange(20)):
            _random_message(rng, client)
            if rng.random() < 0.3:
                client.memory[0:0x4000] = rng.randbytes(0x4000)
        client.close()
    assert fds() == before
    client = Client(served)
    client.start()
    served.sent.clear()
    transmit(client, 0)
    assert served.sent == [mac.seal(FRAME)]
    client.close()


def _random_message(rng: random.Random, client: Client) -> None:
    ring = rng.choice((0, 0, 1, 1, 2, 255))
    number = rng.choice((0, 1, 8, 256, 0x8000, rng.getrandbits(32)))
    plain = {
        **dict.fromkeys((1, 3, 4, 15, 34, 40), b""),
        **{request: STATE.pack(ring, number) for request in (8, 10, 11, 18)},
        **{
            request: U64.pack(rng.choice((0, 0xF, VERSION_1 | PACKED, rng.getrandbits(64))))
            for request in (2, 16, 39)
        },
        **{request: U64.pack(ring | rng.choice((0, 0, 0x100))) for request in (12, 13, 14)},
        5: client.mem_table((rng.choice((0, GUEST, rng.getrandbits(64))), rng.choice((4096, SIZE)), USER, 0)),
        9: client.address(ring, rng.choice((USER, USER + SIZE - 64, rng.getrandbits(64) >> 1))),
    }
    request = rng.choice((*plain, rng.randrange(64)))
    payload = plain.get(request, rng.randbytes(rng.randrange(64)))
    if rng.random() < 0.1:
        payload = (
            rng.randbytes(len(payload)) if rng.random() < 0.5 else payload[: rng.randrange(len(payload) + 1)]
        )
    fd = {5: client.memfd, 12: client.kicks[ring & 1], 13: client.calls[ring & 1], 14: client.errs[ring & 1]}
    wanted = request in fd and not (request != 5 and payload[1:2] == b"\1")
    count = int(wanted) if rng.random() < 0.9 else rng.randrange(9)
    flags = 1 | (8 if rng.random() < 0.3 else 0) if rng.random() < 0.95 else rng.getrandbits(32)
    client.send(request, payload, (fd.get(request, client.memfd),) * count, flags)


def test_socket_of_somebody_else_is_left_alone_and_a_dead_one_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with listening.listen(path), pytest.raises(LinkError, match="exists already"):
        listening.listen(path)
    listening.listen(path).close()  # its file was left behind
    (tmp_path / "f").write_text("precious")
    with pytest.raises(LinkError, match="exists already"):
        listening.listen(str(tmp_path / "f"))
    assert (tmp_path / "f").read_text() == "precious"
    with pytest.raises(LinkError, match=r"there can be no socket .*No such file"):
        listening.listen(str(tmp_path / "no" / "s"))
    with pytest.raises(LinkError, match="more than 107 bytes"):
        listening.listen("/" + "x" * 200)
    assert listening.connect(str(tmp_path / "nobody")) is None
