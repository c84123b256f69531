"""How often a byte is moved on its way out: send() once, twice without scatter-gather, lent memory never."""

import hashlib
import random
import struct
from dataclasses import replace

import pytest

from pymodel.host import World
from pymodel.link import Impairments
from pymodel.socket import AsyncSocket, sleep
from pymodel.socket import constants as c
from pymodel.socket.current import current_process
from pymodel.task import blocking
from pymodel.tcp.profile import LINUX

WHOLE = replace(LINUX, scatter_gather=False)
DATA = random.Random(1).randbytes(120_000)


class Reads:
    """Which addresses the device has read."""

    def __init__(self, nic):
        self.ranges = []
        nic.observe(self)

    def dma_read(self, address, data):
        self.ranges.append((address, len(data)))

    def __getattr__(self, name):
        return lambda *event: None


class Run:
    """DATA sent from A to B. `copied`: bytes that A's processor has moved; `notes`: the completions."""

    def __init__(self, profile, *, lend, loss=0.0, registered=True):
        self.world = world = World.golden(profile=profile, seed=3)
        world.start()
        world.link.impairments = Impairments(loss=loss)
        self.reads = Reads(world.a.port)
        self.memory = world.a.registered(len(DATA)) if registered else memoryview(bytearray(DATA))
        self.memory[:] = DATA
        self.notes = []
        programs = world.b.spawn(self._server), world.a.spawn(self._client, lend)
        world.run(lambda: all(program.done for program in programs))
        self.digest = programs[0].result()
        programs[1].result()
        self.copied = self.connection.send_queue.copied + world.a.device.stats.tx_copied

    async def _server(self):
        listener = AsyncSocket()
        listener.bind(("b", 7))
        listener.listen()
        sock, _ = await listener.accept()
        digest = hashlib.sha256()
        while data := await sock.recv(65536):
            digest.update(data)
        return digest.hexdigest()

    async def _client(self, lend):
        async with AsyncSocket() as sock:
            await sock.connect(("b", 7))
            sock.setsockopt(c.SOL_SOCKET, c.SO_ZEROCOPY, 1)
            for at in range(0, len(DATA), 30_000):
                part = self.memory[at : at + 30_000]
                sent = 0
                while sent < len(part):
                    sent += await sock.send(part[sent:], c.MSG_ZEROCOPY if lend else 0)
            connections = self.world.a.tcp.connections.values()
            (self.connection,) = [each for each in connections if each.dport == 7]
            while lend and sum(last - first + 1 for first, last, _ in self.notes) < 4:
                try:
                    self.notes.append(await _completion(sock))
                except BlockingIOError:
                    await sleep(1e-4)


async def _completion(sock):
    """First and last call that a notification is about, and its code (msg_zerocopy of the Linux manual)."""
    flags = c.MSG_ERRQUEUE | c.MSG_DONTWAIT
    buffers = [memoryview(bytearray(1))]
    received = await blocking(sock._kernel.recvmsg(current_process(), sock.fileno(), buffers, flags))
    number, origin, _, code, _, info, data = struct.unpack("IBBBBII", received.control[0][2][:16])
    assert (number, origin) == (0, c.SO_EE_ORIGIN_ZEROCOPY)
    return info, data, code


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("profile", "lend", "copies"),
    [(WHOLE, False, 2), (WHOLE, True, 2), (LINUX, False, 1), (LINUX, True, 0)],
    ids=["send-whole", "lent-but-not-in-pieces", "send", "zero-copy"],
)
def test_bytes_moved_for_each_byte_sent(profile, lend, copies):
    run = Run(profile, lend=lend)
    assert run.digest == sha(DATA)
    assert run.copied == copies * len(DATA)


def test_lent_memory_is_read_by_the_device_where_it_is():
    run = Run(LINUX, lend=True)
    start = run.world.a.memory.address_of(run.memory)
    own = [size for address, size in run.reads.ranges if start <= address < start + len(DATA)]
    assert sum(own) >= len(DATA)


def test_copied_memory_is_not_read_by_the_device():
    run = Run(LINUX, lend=False)
    start = run.world.a.memory.address_of(run.memory)
    assert not [1 for address, _ in run.reads.ranges if start <= address < start + len(DATA)]


def test_completion_says_that_nothing_was_copied():
    run = Run(LINUX, lend=True)
    assert {code for _, _, code in run.notes} == {0}


def test_completion_says_so_when_the_bytes_were_copied_after_all():
    run = Run(LINUX, lend=True, registered=False)
    assert run.digest == sha(DATA)
    assert {code for _, _, code in run.notes} == {c.SO_EE_CODE_ZEROCOPY_COPIED}


@pytest.mark.parametrize("lend", [False, True])
def test_retransmissions_are_built_of_the_same_pages(lend):
    run = Run(LINUX, lend=lend, loss=0.03)
    assert run.digest == sha(DATA)
    assert run.world.a.tcp.stats["retrans_segs"] > 0
    assert run.copied <= len(DATA) + 2 * 1448 * run.world.a.tcp.stats["retrans_segs"]
