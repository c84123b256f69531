"""The running driver over a device of the test's own: transmit, receive, interrupts, recovery, close."""

import os
import random

import pytest
from fake_virtio import FakeVirtio

from pymodel.driver import VirtioNetDevice
from pymodel.driver.packed_ring import PackedRing
from pymodel.hostmem import HostMemory
from pymodel.netdev import Features
from pymodel.scheduler import Scheduler
from pymodel.simtime import MS, SEC, US
from pymodel.skbuff import Page, SkBuff, alloc_skb
from pymodel.task import Task

SEED = int(os.environ.get("FDWIRE_SEED", random.SystemRandom().randrange(1 << 32)))


class Host:
    """A probed driver on a fake device; `got` collects received payloads."""

    def __init__(
        self, queue_size: int = 8, *, napi_tx: bool = False, memory: HostMemory | None = None
    ) -> None:
        self.scheduler = Scheduler()
        self.fake = FakeVirtio(self.scheduler, memory)
        self.memory = self.fake.memory
        self.dev = VirtioNetDevice(self.fake, self.scheduler, queue_size=queue_size, napi_tx=napi_tx)
        self.got: list[bytes] = []
        self.dev.rx_handler = self._receive
        task = Task(self.scheduler, self.dev.probe())
        self.run()
        task.result()
        self.fake.log.clear()

    def _receive(self, skb: SkBuff) -> None:
        self.got.append(skb.bytes())
        skb.free()

    def run(self, ps: int = 100 * US) -> None:
        self.scheduler.run_until(self.scheduler.now + ps)

    def skb(self, data: bytes) -> SkBuff:
        skb = alloc_skb(self.memory, len(data), 16)
        skb.put(len(data))[:] = data
        return skb

    def send(self, data: bytes) -> bool:
        return self.dev.xmit(self.skb(data))

    def written(self, offset: int) -> list[int]:
        return [value for at, value in self.fake.log if at == offset]


def frame(n: int, length: int = 60) -> bytes:
    return bytes(12) + b"\x88\xb5" + n.to_bytes(4, "big") + bytes(length - 18)


# --- transmit ---------------------------------------------------------------------------------------


def test_frame_goes_out_as_a_zero_header_and_its_bytes() -> None:
    host = Host()
    host.fake.auto = False
    host.send(frame(1))
    host.run()
    chain = host.fake.tx.fetch()
    assert chain is not None
    assert [(n, writable) for _, n, writable in chain.buffers] == [(12, False), (60, False)]
    assert host.fake.tx.read(chain) == bytes(12) + frame(1)
    assert host.written(0x50) == [1]


def test_fragments_become_descriptors_of_one_chain() -> None:
    host = Host(queue_size=16)
    host.dev.features |= Features.SG
    host.fake.auto = False
    skb = host.skb(frame(1))
    page = Page(host.memory)
    page.view(0, 6)[:] = b"abcdef"
    skb.add_frag(page, 0, 2)
    skb.add_frag(page, 2, 4)
    host.dev.xmit(skb)
    chain = host.fake.tx.fetch()
    assert chain is not None
    assert [n for _, n, _ in chain.buffers] == [12, 60, 2, 4]
    assert host.fake.tx.read(chain) == bytes(12) + frame(1) + b"abcdef"


def test_fragments_beyond_the_ring_are_joined() -> None:
    host = Host(queue_size=3)
    host.dev.features |= Features.SG
    skb = host.skb(frame(1))
    page = Page(host.memory)
    for at in range(5):
        page.view(at, 1)[:] = bytes([65 + at])
        skb.add_frag(page, at, 1)
    host.dev.xmit(skb)
    host.run()
    assert host.fake.sent == [bytes(12) + frame(1) + b"ABCDE"]


def test_ring_of_one_descriptor_carries_header_and_frame_together() -> None:
    host = Host(queue_size=1)
    shared = host.skb(frame(1))
    host.dev.xmit(shared.clone())
    for n in (2, 3):
        host.send(frame(n))
    host.run()
    assert host.fake.sent == [bytes(12) + frame(n) for n in (1, 2, 3)]
    assert shared.bytes() == frame(1)
    assert (host.dev.stats.tx_packets, host.dev.stats.tx_bytes) == (3, 180)
    cramped = alloc_skb(host.memory, 60)
    cramped.put(60)[:] = frame(4)
    host.dev.xmit(cramped)
    host.run()
    assert host.fake.sent[3] == bytes(12) + frame(4)


def test_full_ring_stops_the_queue_and_used_chains_wake_it() -> None:
    host = Host(queue_size=8)
    host.fake.auto = False
    for n in range(10):
        host.send(frame(n))
    assert (host.dev.queue_stopped, host.dev.queued) == (True, 6)
    host.run()
    assert host.dev.queued == 6
    for _ in range(2):
        chain = host.fake.tx.fetch()
        assert chain is not None
        host.fake.use(host.fake.tx, chain, 0)
    host.run()
    assert (host.dev.queue_stopped, host.dev.queued) == (True, 4)
    for _ in range(8):
        host.fake.drain_tx()
        host.run()
    assert [data[26:30] for data in host.fake.sent] == [n.to_bytes(4, "big") for n in range(2, 10)]
    assert not host.dev.queue_stopped


def let_the_device_send_just_before_interrupts(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    """The device then still reads DISABLE, so no interrupt comes; only a last look at the ring finds it."""
    enable = PackedRing.enable_interrupts
    host.fake.auto = False

    def late(ring: PackedRing[SkBuff], **options: bool) -> bool:
        if ring.desc_address == host.fake.tx.desc:
            while (chain := host.fake.tx.fetch()) is not None:
                host.fake.sent.append(host.fake.tx.read(chain))
                host.fake.tx.use(chain, 0)
        return enable(ring, **options)

    monkeypatch.setattr(PackedRing, "enable_interrupts", late)


def test_napi_tx_frees_an_skb_sent_just_before_interrupts_are_enabled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Host(queue_size=8, napi_tx=True)
    let_the_device_send_just_before_interrupts(monkeypatch, host)
    gone: list[SkBuff] = []
    skb = host.skb(frame(1))
    skb.destructor = gone.append
    host.dev.xmit(skb)
    host.fake.receive(frame(9))
    host.run()
    assert gone == [skb]


@pytest.mark.parametrize("napi_tx", [False, True])
def test_chain_used_just_before_interrupts_are_enabled_wakes_the_queue(
    monkeypatch: pytest.MonkeyPatch, napi_tx: bool
) -> None:
    host = Host(queue_size=2, napi_tx=napi_tx)
    let_the_device_send_just_before_interrupts(monkeypatch, host)
    for n in range(6):
        host.send(frame(n))
    host.run()
    assert [data[12:] for data in host.fake.sent] == [frame(n) for n in range(6)]


@pytest.mark.parametrize("napi_tx", [False, True])
def test_chain_used_while_a_receive_interrupt_is_served_wakes_the_queue(napi_tx: bool) -> None:
    for delay in range(0, 300_000, 5_000):
        host = Host(queue_size=2, napi_tx=napi_tx)
        host.fake.auto = False
        for n in (1, 2):
            host.send(frame(n))
        chain = host.fake.tx.fetch()
        assert chain is not None
        host.fake.receive(frame(9))
        host.run(delay)
        host.fake.use(host.fake.tx, chain, 0)
        host.run()
        chain = host.fake.tx.fetch()
        assert chain is not None, f"used {delay} ps after the receive interrupt"
        assert host.fake.tx.read(chain)[12:] == frame(2)


def test_no_doorbell_while_the_device_says_disable() -> None:
    host = Host()
    host.fake.auto = False
    host.fake.tx.want_notifications(False)
    host.send(frame(1))
    host.run()
    assert host.written(0x50) == []
    host.fake.tx.want_notifications(True)
    host.send(frame(2))
    host.run()
    assert host.written(0x50) == [1]


def test_sent_skb_is_orphaned_at_once_and_freed_with_the_next_frame() -> None:
    host = Host()
    gone: list[SkBuff] = []
    skb = host.skb(frame(1))
    skb.destructor = gone.append
    clone = skb.clone()
    host.dev.xmit(skb)
    assert gone == [skb]
    host.run()
    assert clone.cloned, "not reclaimed yet"
    host.send(frame(2))
    assert not clone.cloned


def test_napi_tx_frees_the_skb_by_an_interrupt_and_runs_its_destructor_then() -> None:
    host = Host(napi_tx=True)
    gone: list[SkBuff] = []
    skb = host.skb(frame(1))
    skb.destructor = gone.append
    host.dev.xmit(skb)
    assert gone == []
    host.run()
    assert gone == [skb]


def test_frame_without_an_ethernet_header_never_reaches_the_device() -> None:
    host = Host()
    held = host.memory.allocated
    host.send(bytes(13))
    host.run()
    assert (host.dev.stats.tx_errors, host.fake.sent, host.memory.allocated) == (1, [], held)


# --- receive ----------------------------------------------------------------------------------------


def test_received_frame_reaches_the_handler_and_its_buffer_is_replaced_in_time() -> None:
    host = Host(queue_size=4)
    for n in range(40):
        assert host.fake.receive(frame(n)), "a buffer for each frame"
        host.run(10 * US)
    assert host.got == [frame(n)[14:] for n in range(40)]
    assert host.dev.stats.rx_packets == 40


def test_buffers_are_replaced_in_batches_of_half_a_ring() -> None:
    host = Host(queue_size=8)
    notified = []
    for n in range(8):
        host.fake.receive(frame(n))
        host.run(10 * US)
        notified.append(len(host.written(0x50)))
    assert notified == [0, 0, 0, 1, 1, 1, 1, 2]


def test_frames_of_one_poll_cost_one_interrupt() -> None:
    host = Host(queue_size=64)
    for n in range(50):
        assert host.fake.receive(frame(n))
    host.run()
    assert len(host.got) == 50
    assert host.dev.driver_stats.interrupts == 1


def test_more_frames_than_the_budget_are_polled_in_turns() -> None:
    host = Host(queue_size=256)
    turns: list[int] = []
    host.scheduler.after(0, lambda: None)

    def between() -> None:
        turns.append(len(host.got))
        if len(host.got) < 200:
            host.scheduler.call_soon(between)

    for n in range(200):
        assert host.fake.receive(frame(n))
    host.scheduler.after(100_000, between)
    host.run()
    assert len(host.got) == 200
    assert {64, 128, 192} <= set(turns), "others run between the batches"


@pytest.mark.parametrize("length", [0, 11, 12, 25])
def test_used_length_without_a_whole_ethernet_header_is_counted_and_dropped(length: int) -> None:
    host = Host()
    chain = host.fake.rx.fetch()
    assert chain is not None
    host.fake.use(host.fake.rx, chain, length)
    host.fake.receive(frame(7))
    host.run()
    assert (host.dev.stats.rx_length_errors, host.dev.stats.rx_errors) == (1, 1)
    assert host.got == [frame(7)[14:]]
    assert host.dev.driver_stats.resets == 0


def test_used_length_beyond_the_buffer_resets_the_device_and_traffic_goes_on() -> None:
    host = Host()
    chain = host.fake.rx.fetch()
    assert chain is not None
    host.fake.use(host.fake.rx, chain, chain.buffers[0][1] + 1)
    host.run(SEC)
    assert host.dev.driver_stats.resets == 1
    host.fake.receive(frame(7))
    host.run()
    assert host.got == [frame(7)[14:]]


def test_used_entry_for_an_unknown_buffer_resets_the_device_and_traffic_goes_on() -> None:
    host = Host()
    chain = host.fake.rx.fetch()
    assert chain is not None
    chain.ident = 99
    host.fake.use(host.fake.rx, chain, 72)
    host.run(SEC)
    assert host.dev.driver_stats.resets == 1
    host.send(frame(1))
    host.run()
    assert host.fake.sent == [bytes(12) + frame(1)]


def test_full_host_memory_delays_the_refill_and_loses_nothing_for_good() -> None:
    host = Host(queue_size=4, memory=HostMemory(1 << 14))
    hoard = []
    with pytest.raises(MemoryError):
        while True:
            hoard.append(host.memory.alloc(64))
    kept: list[SkBuff] = []
    host.dev.rx_handler = kept.append
    for n in range(4):
        assert host.fake.receive(frame(n))
        host.run(10 * US)
    assert len(kept) == 4
    assert not host.fake.receive(frame(4)), "no memory, no buffers"
    assert host.dev.driver_stats.rx_no_memory >= 1
    for skb in kept:
        skb.free()
    host.run(20 * MS)
    assert host.fake.receive(frame(5))


# --- interrupts -------------------------------------------------------------------------------------


def test_interrupt_without_a_reason_is_counted_and_harmless() -> None:
    host = Host()
    host.fake.set_interrupt(1)
    host.fake.interrupt_status = 0
    host.fake.registers[0x60] = 0
    host.run(10 * US)
    assert host.dev.driver_stats.spurious >= 1
    host.fake.set_interrupt(0)
    host.fake.receive(frame(1))
    host.run()
    assert host.got == [frame(1)[14:]]


def test_reason_set_again_just_before_its_acknowledgement_arrives_is_not_lost() -> None:
    """The event of the second frame is wiped out by the acknowledgement of the first."""
    for delay in range(0, 400_000, 5_000):
        host = Host()
        host.fake.receive(frame(1))
        host.run(delay)
        host.fake.receive(frame(2))
        host.run()
        assert host.got == [frame(1)[14:], frame(2)[14:]], f"second frame after {delay} ps"


def test_line_held_by_a_new_reason_is_looked_at_again() -> None:
    host = Host()
    host.fake.set_interrupt(1)
    # While the first reason is being acknowledged, a second one keeps the line up.
    host.run(120_000)
    host.fake.set_interrupt(host.fake.interrupt_status | 2)
    host.fake.config[6] = 0
    host.run()
    assert not host.dev.carrier
    assert not host.fake.level


def test_random_latencies_and_moments_deliver_every_frame_both_ways() -> None:
    print(f"FDWIRE_SEED={SEED}")
    rng = random.Random(SEED)
    for _ in range(20):
        host = Host(queue_size=rng.choice((2, 3, 5, 16)), napi_tx=rng.random() < 0.5)
        host.fake.latency = rng.randrange(1_000, 400_000)
        received = sent = 0
        while received < 60 or sent < 60:
            if received < 60 and rng.random() < 0.6 and host.fake.receive(frame(received)):
                received += 1
            if sent < 60 and rng.random() < 0.6:
                host.send(frame(sent))
                sent += 1
            host.run(rng.randrange(1, 600_000))
        host.run(5 * MS)
        assert host.got == [frame(n)[14:] for n in range(60)]
        assert [data[12:] for data in host.fake.sent] == [frame(n) for n in range(60)]


# --- link, recovery, close --------------------------------------------------------------------------


def test_link_interrupt_changes_the_carrier_and_drops_what_waits() -> None:
    host = Host(queue_size=2)
    host.fake.auto = False
    for n in range(5):
        host.send(frame(n))
    host.fake.config[6] = 0
    host.fake.set_interrupt(2)
    host.run()
    assert (host.dev.carrier, host.dev.queued, host.dev.stats.tx_dropped) == (False, 0, 4)
    host.fake.config[6] = 1
    host.fake.set_interrupt(2)
    host.run()
    assert host.dev.carrier


def test_link_that_changes_while_it_is_read_ends_in_its_last_state() -> None:
    for delay in range(0, 2_500_000, 40_000):
        host = Host()
        for up in (0, 1, 0):
            host.fake.config[6] = up
            host.fake.set_interrupt(host.fake.interrupt_status | 2)
            host.run(delay)
        host.run()
        assert not host.dev.carrier, f"changes {delay} ps apart"


def test_link_change_before_driver_ok_is_seen_without_an_interrupt() -> None:
    scheduler = Scheduler()
    fake = FakeVirtio(scheduler)
    dev = VirtioNetDevice(fake, scheduler)
    task = Task(scheduler, dev.probe())
    while not any(entry == (0x30, 1) for entry in fake.log):
        scheduler.step()
    fake.config[6] = 0
    scheduler.run_until(SEC)
    task.result()
    assert not dev.carrier


def test_device_that_needs_reset_is_reset_and_frames_sent_meanwhile_follow() -> None:
    host = Host()
    host.fake.auto = False
    host.send(frame(1))
    host.fake.ask_for_reset()
    host.run(120_000)
    host.fake.auto = True
    host.run(300_000)
    assert host.dev.driver_stats.resets == 1
    host.send(frame(2))
    assert host.dev.queued == 1
    direct = host.skb(frame(9))
    assert not host.dev.start_xmit(direct), "the skb stays the caller's"
    direct.free()
    host.run(SEC)
    assert [data[12:] for data in host.fake.sent] == [frame(2)]
    assert host.dev.stats.tx_errors == 1, "the frame that was out is lost and counted"
    assert host.fake.receive(frame(3))
    host.run()
    assert host.got == [frame(3)[14:]]
    assert host.dev.error is None


def test_recovery_that_fails_breaks_the_device_for_good_without_a_hang() -> None:
    host = Host()
    host.fake.reset_finishes = False
    host.fake.ask_for_reset()
    host.run(SEC)
    assert "does not finish its reset" in str(host.dev.error)
    assert not host.dev.carrier
    assert not host.send(frame(1))
    host.run(SEC)
    assert host.fake.sent == []


def test_closed_device_gives_all_memory_back_and_drops_frames() -> None:
    host = Host()
    host.fake.auto = False
    for n in range(10):
        host.send(frame(n))
    task = host.dev.close()
    host.run()
    task.result()
    assert host.memory.allocated == 0
    assert host.fake.status == 0
    assert not host.send(frame(1))
    assert host.memory.allocated == 0
    again = host.dev.close()
    host.run()
    again.result()


def test_close_during_recovery_ends_in_a_closed_device() -> None:
    host = Host()
    host.fake.ask_for_reset()
    host.run(210_000)
    assert host.dev.driver_stats.resets == 1
    task = host.dev.close()
    host.run(SEC)
    task.result()
    assert host.memory.allocated == 0


def test_close_of_a_device_that_does_not_reset_keeps_its_memory_and_says_so() -> None:
    host = Host()
    held = host.memory.allocated
    host.fake.reset_finishes = False
    task = host.dev.close()
    host.run(SEC)
    with pytest.raises(Exception, match="does not finish its reset"):
        task.result()
    assert host.memory.allocated == held
