from ip_bench import OWN, OWN_MAC, PEER, PEER_MAC, Bench
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether

from pymodel.ip.neigh import FEW, MOST, QUEUE_LENGTH, NeighbourTable, NudState
from pymodel.simtime import MS, SEC

PEER_IP = bytes((10, 0, 0, 2))
OWN_IP = bytes((10, 0, 0, 1))


def send(bench: Bench, data: bytes = b"x" * 8, dst: bytes = PEER_IP) -> int:
    return bench.ip.send(bench.payload(data), 253, OWN_IP, dst)


def state(bench: Bench) -> NudState:
    assert bench.interface.neighbours is not None
    return bench.interface.neighbours.entries[PEER_IP].state


def test_unknown_neighbour_is_asked_by_broadcast_and_packets_wait() -> None:
    bench = Bench()
    for i in range(3):
        assert send(bench, bytes([i]) * 4) == 0
    (request,) = bench.take()
    assert request.dst == "ff:ff:ff:ff:ff:ff" and request[ARP].op == 1
    assert (request[ARP].hwsrc, request[ARP].psrc, request[ARP].pdst) == (OWN_MAC, OWN, PEER)
    bench.receive(
        Ether(dst=OWN_MAC, src=PEER_MAC) / ARP(op=2, hwsrc=PEER_MAC, psrc=PEER, hwdst=OWN_MAC, pdst=OWN)
    )
    sent = bench.take()
    assert [p[IP].load for p in sent] == [b"\0" * 4, b"\1" * 4, b"\2" * 4]
    assert {p.dst for p in sent} == {PEER_MAC}
    assert state(bench) is NudState.REACHABLE


def test_silent_neighbour_is_asked_three_times_then_reported_unreachable() -> None:
    bench = Bench()
    errors: list[tuple[int, bytes, bytes, bytes]] = []
    bench.ip.icmp.on_error[253] = lambda *report: errors.append(report)
    send(bench, b"payload!")
    bench.scheduler.run_until(2 * SEC + MS)
    assert len(bench.take()) == 3 and not errors
    bench.scheduler.run_until(3 * SEC + MS)
    assert [p for p in bench.take() if ARP in p] == []
    assert errors == [(113, OWN_IP, PEER_IP, b"payload!")]
    assert bench.memory.allocated == 0


def test_failed_neighbour_is_asked_again_by_the_next_packet() -> None:
    bench = Bench()
    send(bench)
    bench.scheduler.run_until(4 * SEC)
    bench.take()
    send(bench)
    assert [p[ARP].op for p in bench.take()] == [1]


def test_packets_beyond_the_queue_push_out_the_oldest() -> None:
    bench = Bench()
    for i in range(QUEUE_LENGTH + 5):
        send(bench, i.to_bytes(4, "big"))
    bench.take()
    bench.receive(
        Ether(dst=OWN_MAC, src=PEER_MAC) / ARP(op=2, hwsrc=PEER_MAC, psrc=PEER, hwdst=OWN_MAC, pdst=OWN)
    )
    numbers = [int.from_bytes(p[IP].load[:4], "big") for p in bench.take()]
    assert numbers == list(range(5, QUEUE_LENGTH + 5))
    assert bench.interface.neighbours is not None
    assert bench.interface.neighbours.stats["arp_queue_full"] == 5


def test_reachable_entry_goes_stale_then_is_probed_by_unicast_when_used() -> None:
    bench = Bench()
    send(bench)
    bench.learn_peer()
    assert state(bench) is NudState.REACHABLE
    bench.scheduler.run_until(31 * SEC)
    assert state(bench) is NudState.STALE
    send(bench)
    assert state(bench) is NudState.DELAY and IP in bench.take()[0]
    bench.scheduler.run_until(36 * SEC + MS)
    (probe,) = bench.take()
    assert probe[ARP].op == 1 and probe.dst == PEER_MAC
    bench.learn_peer()
    assert state(bench) is NudState.REACHABLE


def test_regression_progress_of_an_upper_layer_keeps_the_neighbour_reachable_without_probes() -> None:
    bench = Bench()
    send(bench)
    bench.learn_peer()
    for second in range(5, 100, 5):
        bench.scheduler.run_until(second * SEC)
        bench.ip.confirm(PEER_IP)
        assert state(bench) is NudState.REACHABLE
    bench.scheduler.run_until(126 * SEC)
    assert state(bench) is NudState.STALE
    send(bench)
    bench.scheduler.run_until(130 * SEC)
    bench.ip.confirm(PEER_IP)
    assert state(bench) is NudState.DELAY
    bench.take()
    bench.scheduler.run_until(159 * SEC)
    assert state(bench) is NudState.REACHABLE and bench.take() == []
    bench.scheduler.run_until(161 * SEC)
    assert state(bench) is NudState.STALE


def test_probe_without_answer_forgets_the_address() -> None:
    bench = Bench()
    bench.learn_peer()
    send(bench)
    bench.learn_peer()
    bench.scheduler.run_until(31 * SEC)
    send(bench)
    bench.scheduler.run_until(60 * SEC)
    assert state(bench) is NudState.FAILED
    bench.take()
    send(bench)
    assert bench.take()[0].dst == "ff:ff:ff:ff:ff:ff"


def table(bench: Bench) -> NeighbourTable:
    assert bench.interface.neighbours is not None
    return bench.interface.neighbours


def test_unused_entry_stays_stale_and_is_used_at_once() -> None:
    bench = Bench()
    send(bench)
    bench.learn_peer()
    bench.scheduler.run_until(500 * SEC)
    assert state(bench) is NudState.STALE and bench.scheduler.next_deadline() is None
    send(bench)
    assert bench.take()[0].dst == PEER_MAC and state(bench) is NudState.DELAY


def test_unused_entries_are_forgotten_once_there_are_many_and_never_more_than_the_most() -> None:
    bench = Bench()
    bench.learn_peer()
    for i in range(3, 2 + FEW):
        bench.receive(
            Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER_MAC)
            / ARP(op=1, hwsrc=PEER_MAC, psrc=f"10.0.0.{i}", pdst=OWN)
        )
    assert len(table(bench).entries) == FEW
    bench.scheduler.run_until(61 * SEC)
    bench.receive(
        Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER_MAC) / ARP(op=1, hwsrc=PEER_MAC, psrc="10.0.0.200", pdst=OWN)
    )
    assert len(table(bench).entries) == 1
    for i in range(MOST + 50):
        address = f"10.0.{1 + i // 200}.{1 + i % 200}"
        bench.receive(Ether(dst=OWN_MAC, src=PEER_MAC) / ARP(op=1, hwsrc=PEER_MAC, psrc=address, pdst=OWN))
        assert len(table(bench).entries) <= MOST


def claim(bench: Bench, mac: str, op: int, to: str, target: str = OWN) -> str:
    """Somebody at `mac` says that it is the peer; where a packet to the peer goes then."""
    bench.receive(Ether(dst=to, src=mac) / ARP(op=op, hwsrc=mac, psrc=PEER, hwdst=OWN_MAC, pdst=target))
    bench.take()
    send(bench)
    return bench.take()[0].dst


def test_second_answer_within_a_second_is_not_believed_but_a_later_one_is() -> None:
    """As a Linux 6.18 did behind a TAP device, each step of it."""
    bench = Bench()
    send(bench)
    bench.learn_peer()
    others = [f"02:00:00:00:00:{i:02x}" for i in range(10, 14)]
    bench.scheduler.run_until(SEC // 2)
    assert claim(bench, others[0], 2, OWN_MAC) == PEER_MAC
    bench.scheduler.run_until(2 * SEC)
    assert claim(bench, others[1], 2, OWN_MAC) == others[1]
    assert state(bench) is NudState.REACHABLE


def test_change_of_state_locks_the_address_for_a_second_too() -> None:
    bench = Bench()
    send(bench)
    bench.learn_peer()
    bench.scheduler.run_until(30 * SEC + MS)
    assert state(bench) is NudState.STALE
    assert claim(bench, "02:00:00:00:00:0a", 2, OWN_MAC) == PEER_MAC
    bench.scheduler.run_until(32 * SEC)
    assert claim(bench, "02:00:00:00:00:0b", 1, "ff:ff:ff:ff:ff:ff", "10.0.0.9") == "02:00:00:00:00:0b"
    assert state(bench) is NudState.DELAY  # it was STALE, and used


def test_who_asks_for_our_address_is_always_believed() -> None:
    bench = Bench()
    send(bench)
    bench.learn_peer()
    assert claim(bench, "02:00:00:00:00:0a", 1, "ff:ff:ff:ff:ff:ff") == "02:00:00:00:00:0a"
    assert state(bench) is NudState.DELAY


def test_answer_to_everybody_does_not_confirm() -> None:
    bench = Bench()
    send(bench)
    bench.receive(
        Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER_MAC) / ARP(op=2, hwsrc=PEER_MAC, psrc=PEER, pdst=OWN)
    )
    assert state(bench) is NudState.STALE and IP in bench.take()[-1]


def test_request_for_our_address_is_answered_and_the_sender_learned() -> None:
    bench = Bench()
    bench.receive(
        Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER_MAC) / ARP(op=1, hwsrc=PEER_MAC, psrc=PEER, pdst=OWN)
    )
    (reply,) = bench.take()
    assert reply.dst == PEER_MAC
    arp = reply[ARP]
    assert (arp.op, arp.hwsrc, arp.psrc, arp.hwdst, arp.pdst) == (2, OWN_MAC, OWN, PEER_MAC, PEER)
    send(bench)
    assert bench.take()[0].dst == PEER_MAC


def test_request_for_another_address_is_ignored_and_teaches_nothing() -> None:
    bench = Bench()
    bench.receive(
        Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER_MAC) / ARP(op=1, hwsrc=PEER_MAC, psrc=PEER, pdst="10.0.0.9")
    )
    assert bench.take() == []
    assert bench.interface.neighbours is not None and bench.interface.neighbours.entries == {}


def test_known_sender_with_a_new_address_is_updated() -> None:
    bench = Bench()
    send(bench)
    bench.learn_peer()
    bench.scheduler.run_until(2 * SEC)
    other = "02:00:00:00:00:99"
    bench.receive(Ether(dst="ff:ff:ff:ff:ff:ff", src=other) / ARP(op=1, hwsrc=other, psrc=PEER, pdst=PEER))
    send(bench)
    assert bench.take()[0].dst == other


def test_malformed_arp_is_counted_and_dropped() -> None:
    bench = Bench()
    bench.receive(Ether(dst=OWN_MAC, src=PEER_MAC, type=0x0806) / b"\0\1\x08\0\6\4")
    bench.receive(Ether(dst=OWN_MAC, src=PEER_MAC) / ARP(op=7, hwsrc=PEER_MAC, psrc=PEER, pdst=OWN))
    assert bench.interface.neighbours is not None
    assert bench.interface.neighbours.stats == {"arp_truncated": 1, "arp_unsupported": 1}
    assert bench.take() == [] and bench.memory.allocated == 0
