"""Opening: RFC 9293 §3.5, §3.10.7.2, §3.10.7.3; RFC 7323 §2; RFC 6298 (5.7); RFC 6528."""

from dataclasses import replace
from errno import EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, ENETUNREACH, ETIMEDOUT

import pytest
from tcp_bench import (
    HERE,
    LPORT,
    MSS_ONLY,
    PEER_ISS,
    RPORT,
    SYN_OPTIONS,
    THERE,
    TS,
    Bench,
    established,
    listening,
    syn_received,
    syn_sent,
)

from pymodel.simtime import MS, SEC, US
from pymodel.skbuff import SkBuff
from pymodel.tcp import LINUX, State
from pymodel.tcp.isn import IsnGenerator


def test_closed_connect_sends_a_syn_like_linux() -> None:
    bench = Bench()
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT))
    syn = bench.out.pop(0)
    assert (syn.flags, syn.sport, syn.dport, syn.ack, syn.payload) == ("S", LPORT, RPORT, 0, b"")
    assert [name for name, _ in syn.options] == ["MSS", "SAckOK", "Timestamp", "NOP", "WScale"]
    assert syn.option("MSS") == 1460 and syn.option("WScale") == 7 and syn.option("Timestamp")[1] == 0
    assert syn.window == 64240  # Linux: 64 KiB in whole segments, unscaled
    assert syn.raw[12] >> 4 == 10
    assert bench.conn.state is State.SYN_SENT
    bench.silent()


def test_closed_connect_without_an_address_takes_the_route_s() -> None:
    bench = Bench()
    assert bench.tcp.connect((bytes(4), LPORT), (THERE, RPORT)).local == (HERE, LPORT)


def test_closed_connect_without_a_route_fails_with_enetunreach(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    monkeypatch.setattr(bench, "source_for", lambda dst: None)
    with pytest.raises(OSError) as caught:
        bench.tcp.connect((bytes(4), LPORT), (THERE, RPORT))
    assert caught.value.errno == ENETUNREACH


def test_connect_of_an_existing_4_tuple_fails_with_eaddrnotavail() -> None:
    bench = syn_sent()
    with pytest.raises(OSError) as caught:
        bench.tcp.connect((HERE, LPORT), (THERE, RPORT))
    assert caught.value.errno == EADDRNOTAVAIL
    bench.silent()


def test_syn_sent_without_answer_repeats_the_syn_with_back_off_and_times_out() -> None:
    bench = Bench()
    start = bench.now
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT))
    bench.run(300 * SEC)
    times = [(seg.when - start) // SEC for seg in bench.out]
    assert times == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]  # 4 linear time-outs, and tcp_syn_retries = 6
    assert {(seg.flags, seg.seq) for seg in bench.out} == {("S", bench.conn.iss)}
    assert (bench.conn.state, bench.conn.error) == (State.CLOSED, ETIMEDOUT)
    assert not bench.tcp.connections


def test_syn_sent_gives_up_after_131_seconds_and_not_before() -> None:
    bench = syn_sent()
    bench.run(131 * SEC - 1)
    assert bench.conn.state is State.SYN_SENT
    bench.run(1)
    assert bench.conn.state is State.CLOSED


def test_syn_sent_syn_ack_completes_the_handshake() -> None:
    bench = syn_sent()
    woken: list[State] = []
    bench.conn.queue.add(lambda: woken.append(bench.conn.state))
    bench.peer("SA", options=SYN_OPTIONS)
    seg = bench.expect("A", seq=1, ack=1, length=0)
    assert [name for name, _ in seg.options] == ["NOP", "NOP", "Timestamp"] and seg.option("Timestamp")[
        1
    ] == TS
    assert seg.window == 502  # Linux's figure: 64256 >> 7
    assert bench.conn.state is State.ESTABLISHED and woken == [State.ESTABLISHED]
    bench.silent()
    bench.run(10 * SEC)
    bench.silent()  # no timer is left running


def test_syn_sent_syn_ack_with_data_delivers_it() -> None:
    bench = syn_sent()
    bench.peer("SA", payload=b"hello", options=MSS_ONLY)
    assert bench.conn.recv(100) == b"hello"
    assert bench.out[-1].ack == PEER_ISS + 6


def test_syn_sent_rst_with_our_ack_is_connection_refused() -> None:
    bench = syn_sent()
    bench.peer("RA", seq=0, ack=1)
    assert (bench.conn.state, bench.conn.error) == (State.CLOSED, ECONNREFUSED)
    assert bench.conn.take_error() == ECONNREFUSED and bench.conn.take_error() == 0
    bench.silent()


def test_syn_sent_rst_without_ack_is_ignored() -> None:
    bench = syn_sent()
    bench.peer("R", seq=0)
    assert bench.conn.state is State.SYN_SENT
    bench.silent()


@pytest.mark.parametrize("ack", [0, 2, -1])
def test_syn_sent_wrong_ack_is_answered_with_a_reset_from_that_number(ack: int) -> None:
    bench = syn_sent()
    bench.peer("SA", seq=0, ack=ack, options=MSS_ONLY)
    bench.expect("R", seq=ack % 2**32, length=0)
    assert bench.conn.state is State.SYN_SENT


@pytest.mark.parametrize("ack", [0, 2])
def test_syn_sent_rst_with_wrong_ack_is_ignored(ack: int) -> None:
    bench = syn_sent()
    bench.peer("RA", seq=0, ack=ack)
    assert bench.conn.state is State.SYN_SENT
    bench.silent()


def test_syn_sent_bare_ack_of_our_syn_is_dropped() -> None:
    bench = syn_sent()
    bench.peer("A", seq=0, ack=1)
    assert bench.conn.state is State.SYN_SENT
    bench.silent()


def test_syn_sent_syn_opens_simultaneously() -> None:
    bench = syn_sent()
    bench.peer("S", options=SYN_OPTIONS)
    seg = bench.expect("SA", seq=0, ack=1)
    assert seg.option("WScale") == 7 and seg.option("Timestamp")[1] == TS
    assert bench.conn.state is State.SYN_RECEIVED
    bench.peer("SA", seq=0, ack=1, options=SYN_OPTIONS)  # figure 7, line 6
    assert bench.conn.state is State.ESTABLISHED
    bench.expect("A", seq=1, ack=1, length=0)
    bench.conn.send(b"x")
    bench.expect("PA", seq=1, ack=1, length=1)


def test_simultaneous_open_repeats_a_lost_syn_ack() -> None:
    bench = syn_sent()
    bench.peer("S", options=MSS_ONLY)
    bench.expect("SA", seq=0, ack=1)
    bench.run(1100 * MS)
    bench.expect("SA", seq=0, ack=1)


def test_listen_syn_is_answered_and_the_ack_makes_it_acceptable() -> None:
    bench = syn_received(options=SYN_OPTIONS)
    assert bench.listener.pending == 0 and bench.listener.half_open == 1 and bench.listener.accept() is None
    woken: list[int] = []
    bench.listener.queue.add(lambda: woken.append(bench.listener.pending))
    bench.ts = TS + 1
    bench.peer("A")
    assert woken == [1]
    assert bench.listener.accept() is bench.conn and bench.conn.state is State.ESTABLISHED
    assert (bench.conn.local, bench.conn.remote) == ((HERE, 80), (THERE, 50000))
    assert bench.listener.half_open == 0
    bench.silent()


def test_listen_on_any_address_takes_a_syn_to_a_specific_one() -> None:
    bench = Bench()
    bench.lport, bench.rport = 80, 50000
    bench.tcp.listen((bytes(4), 80), 1)
    bench.peer("S", options=MSS_ONLY)
    assert bench.expect("SA", ack=1).src == HERE


def test_listen_twice_on_one_address_fails_with_eaddrinuse() -> None:
    bench = listening()
    with pytest.raises(OSError) as caught:
        bench.tcp.listen((HERE, 80), 1)
    assert caught.value.errno == EADDRINUSE
    bench.listener.close()
    bench.tcp.listen((HERE, 80), 1)


def test_listen_ack_is_answered_with_a_reset_and_rst_ignored() -> None:
    bench = listening()
    bench.raw(bench.build("R", seq=0))
    bench.silent()
    data = bytearray(bench.build("S", seq=0))
    data[13] = 0x10
    data[8:12] = (777).to_bytes(4, "big")
    bench.tcp.stats.clear()
    skb_sum_fixed = _fix_checksum(bytes(data))
    bench.raw(skb_sum_fixed)
    assert bench.expect("R").seq == 777


def _fix_checksum(raw: bytes) -> bytes:
    from scapy.layers.inet import IP, TCP

    packet = IP(src="10.0.0.2", dst="10.0.0.1") / TCP(raw)
    del packet[TCP].chksum
    return bytes(packet)[20:]


def test_syn_received_repeated_syn_gets_the_syn_ack_again() -> None:
    bench = syn_received()
    bench.peer("S", seq=0, options=MSS_ONLY)
    bench.expect("SA", seq=0, ack=1)
    assert bench.listener.half_open == 1


def test_syn_received_without_ack_repeats_five_times_and_is_forgotten() -> None:
    bench = syn_received()
    bench.run(120 * SEC)
    assert [seg.flags for seg in bench.out] == ["SA"] * 5
    assert not bench.tcp.connections and bench.listener.half_open == 0


def test_syn_received_ack_of_something_never_sent_is_reset() -> None:
    bench = syn_received()
    bench.peer("A", seq=1, ack=2)
    bench.expect("R", seq=2)
    assert bench.conn.state is State.SYN_RECEIVED


def test_syn_received_rst_returns_to_listen() -> None:
    bench = syn_received()
    bench.peer("R")
    assert not bench.tcp.connections and bench.listener.half_open == 0 and bench.listener.pending == 0
    bench.silent()


def test_full_accept_queue_drops_syns_and_ignores_the_last_ack_until_there_is_room() -> None:
    bench = listening(backlog=1)

    def client(port: int) -> int:
        bench.peer_nxt = PEER_ISS
        bench.peer("S", sport=port, options=MSS_ONLY)
        return bench.out.pop(0).seq if bench.out else -1

    def finish(port: int, iss: int) -> None:
        bench.iss = iss
        bench.peer("A", seq=1, ack=1, sport=port)

    finish(1001, client(1001))
    finish(1002, client(1002))
    assert bench.listener.pending == 2  # backlog + 1, as Linux
    assert client(1003) == -1 and bench.stat("listen_overflow") == 1
    assert bench.listener.accept() is not None
    third = client(1003)
    assert third >= 0
    bench.listener.backlog = 0
    finish(1003, third)
    assert bench.listener.pending == 1 and bench.stat("accept_queue_full") == 1
    assert bench.listener.accept() is not None
    finish(1003, third)
    assert bench.listener.pending == 1


def test_syn_queue_is_bounded_by_the_backlog() -> None:
    bench = listening(backlog=2, profile=replace(LINUX, syncookies=0))
    for port in range(1000, 1004):
        bench.peer("S", seq=0, sport=port, options=MSS_ONLY)
    assert len(bench.out) == 2 and bench.stat("syn_queue_full") == 2


def test_closing_a_listener_resets_what_nobody_accepted_and_refuses_new_syns() -> None:
    bench = syn_received()
    bench.peer("A")
    bench.listener.close()
    bench.expect("RA", seq=1, ack=1)
    assert not bench.tcp.connections and not bench.tcp.listeners
    bench.peer("S", seq=0, sport=999, options=MSS_ONLY)
    bench.expect("RA", ack=1)


def test_syn_to_a_multicast_address_is_dropped() -> None:
    bench = Bench()
    bench.tcp.listen((bytes(4), 80), 4)
    from scapy.layers.inet import IP, TCP

    data = bytes(IP(src="10.0.0.2", dst="224.0.0.1") / TCP(sport=1, dport=80, flags="S"))[20:]
    bench.raw(data, dst=b"\xe0\x00\x00\x01")
    bench.silent()
    assert bench.stat("syn_to_group") == 1


# --- options ----------


@pytest.mark.parametrize(
    ("options", "effective"),
    [([("MSS", 1460)], 1460), ([("MSS", 900)], 900), ([("MSS", 9000)], 1460), ([], 536), ([("MSS", 1)], 48)],
)
def test_peer_mss_bounds_what_is_sent(options: list[tuple[str, int]], effective: int) -> None:
    bench = established(options=options)  # type: ignore[arg-type]
    bench.conn.send(bytes(5000))
    assert len(bench.out[0].payload) == effective


def test_timestamps_are_deducted_from_the_mss() -> None:
    bench = established(options=[("MSS", 1460), ("Timestamp", (TS, 0))])
    bench.conn.send(bytes(5000))
    assert len(bench.out[0].payload) == 1448


def test_window_scale_is_used_only_if_both_syns_carry_it() -> None:
    scaled = established(options=[("MSS", 1460), ("NOP", None), ("WScale", 3)], window=1000)
    plain = established(options=MSS_ONLY, window=1000)
    assert scaled.conn.snd_wnd == plain.conn.snd_wnd == 1000  # a SYN's window is never scaled
    for bench in (scaled, plain):
        bench.conn.send(b"x")
        bench.out.clear()
        bench.peer("A")
    assert scaled.conn.snd_wnd == 8000 and plain.conn.snd_wnd == 1000
    scaled.conn.send(b"x")
    plain.conn.send(b"x")
    assert scaled.out[0].window == 502 and plain.out[0].window == 64240


def test_window_scale_above_14_counts_as_14() -> None:
    bench = established(options=[("MSS", 1460), ("NOP", None), ("WScale", 200)])
    assert bench.conn.snd_wscale == 14


def test_syn_ack_offers_only_what_the_syn_offered() -> None:
    bench = listening()
    bench.peer("S", options=MSS_ONLY)
    assert [name for name, _ in bench.expect("SA").options] == ["MSS"]
    bench = listening()
    bench.peer("S", options=SYN_OPTIONS)
    seg = bench.expect("SA")
    assert [name for name, _ in seg.options] == ["MSS", "SAckOK", "Timestamp", "NOP", "WScale"]
    assert seg.window == 65160  # whole segments of 1448, not scaled


def test_profile_without_options_offers_only_mss() -> None:
    from dataclasses import replace

    bench = Bench(profile=replace(LINUX, timestamps=False, sack=False, window_scaling=False))
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT))
    assert [name for name, _ in bench.out[0].options] == ["MSS"]


@pytest.mark.parametrize(
    "options",
    [
        b"\x02\x00\x05\xb4",
        b"\x02\xff\x05\xb4",
        b"\x08\x0a\x00\x00",
        b"\xfe\x04\x12\x34",
        b"\x03\x01\x00\x00",
        b"\x01\x01\x01\x02",
    ],
)
def test_syn_with_malformed_or_unknown_options_still_opens(options: bytes) -> None:
    bench = listening()
    raw = bytearray(bench.build("S", seq=0, options=[]))
    raw[12] = 0x60
    bench.raw(_fix_checksum(bytes(raw[:20]) + options))
    bench.expect("SA", ack=1)


# --- ISN, RTT of the handshake ----------


def test_isn_follows_a_4_microsecond_clock_and_is_keyed() -> None:
    a, b = IsnGenerator(b"one"), IsnGenerator(b"two")
    quad = (HERE, 1, THERE, 2)
    assert (a.isn(4 * SEC, *quad) - a.isn(0, *quad)) % 2**32 == 1_000_000
    assert a.isn(0, *quad) == IsnGenerator(b"one").isn(0, *quad)
    assert (
        len({a.isn(0, *quad), b.isn(0, *quad), a.isn(0, HERE, 2, THERE, 1), a.isn(0, HERE, 1, THERE, 3)}) == 4
    )


def test_handshake_round_trip_sets_the_rto() -> None:
    bench = syn_sent()
    bench.run(300 * MS)
    bench.peer("SA", options=MSS_ONLY)
    assert bench.conn.rtt.srtt == 300 * MS
    assert bench.conn.rtt.rto == 300 * MS + 4 * 150 * MS  # RFC 6298 (2.2)


def test_lost_syn_starts_data_with_a_3_second_rto_and_no_sample() -> None:
    bench = syn_sent()
    bench.run(1500 * MS)
    bench.expect("S", seq=0)
    bench.peer("SA", options=MSS_ONLY)
    bench.expect("A")
    assert bench.conn.rtt.srtt == 0 and bench.conn.rtt.rto == 3 * SEC  # Karn; RFC 6298 (5.7)
    assert bench.conn.cc.cwnd == 10  # one lost SYN is forgiven (RFC 6928 §2)


def test_two_lost_syns_start_with_a_window_of_one_segment() -> None:
    bench = syn_sent()
    bench.run(3500 * MS)
    bench.peer("SA", options=MSS_ONLY)
    assert bench.conn.cc.cwnd == 1


def test_shutdown_before_the_handshake_is_over_sends_the_fin_after_it() -> None:
    bench = syn_sent()
    bench.conn.shutdown_write()
    bench.silent()
    bench.run(10 * US)
    bench.peer("SA", options=MSS_ONLY)
    bench.expect("A", seq=1, ack=1)
    bench.expect("FA", seq=1, ack=1)
    assert bench.conn.state is State.FIN_WAIT_1


def test_closing_in_syn_sent_forgets_the_connection() -> None:
    bench = syn_sent()
    bench.conn.close()
    assert not bench.tcp.connections and bench.conn.state is State.CLOSED
    bench.peer("SA", seq=0, ack=1, options=MSS_ONLY)
    bench.expect("R", seq=1)


def test_ipv6_connection_without_an_mss_option_sends_1220_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    from scapy.layers.inet import TCP
    from scapy.layers.inet6 import IPv6

    here, there = bytes.fromhex("fd" + "00" * 14 + "01"), bytes.fromhex("fd" + "00" * 14 + "02")
    bench = Bench()
    raw: list[bytes] = []

    def send(skb: SkBuff, proto: int, src: bytes, dst: bytes, **_: object) -> int:
        raw.append(skb.bytes())
        skb.free()
        return 0

    monkeypatch.setattr(bench, "send", send)
    conn = bench.tcp.connect((here, 1), (there, 2))
    assert dict(TCP(raw.pop()).options)["MSS"] == 1440
    answer = TCP(sport=2, dport=1, seq=7, ack=(conn.iss + 1) % 2**32, flags="SA")
    bench.raw(bytes(IPv6(src="fd00::2", dst="fd00::1") / answer)[40:], there, here)
    assert conn.state is State.ESTABLISHED
    conn.send(bytes(3000))
    assert [len(TCP(r).payload) for r in raw] == [0, 1220, 1220, 560]


@pytest.mark.parametrize("abort", [False, True])
def test_last_ack_that_finds_the_accept_queue_full_is_ignored_or_reset(abort: bool) -> None:
    bench = listening(backlog=2, profile=replace(LINUX, abort_on_overflow=abort))
    for first in (1000, 1002):
        for port in (first, first + 1):
            bench.peer("S", seq=0, sport=port, options=MSS_ONLY)
        for port in (first, first + 1):
            bench.iss = bench.tcp.connections[(HERE, 80, THERE, port)].iss
            bench.out.clear()
            bench.peer("A", seq=1, ack=1, sport=port)
    assert bench.listener.pending == 3
    if abort:
        bench.expect("RA", ack=1)
        assert (HERE, 80, THERE, 1003) not in bench.tcp.connections
    else:
        bench.silent()
        assert bench.tcp.connections[(HERE, 80, THERE, 1003)].state is State.SYN_RECEIVED


# --- SYN cookies (RFC 4987 §3.6) ----------


def flooded() -> Bench:
    bench = listening(backlog=2)
    for port in range(1000, 1002):
        bench.peer("S", seq=0, sport=port, options=MSS_ONLY)
    bench.out.clear()
    return bench


def test_syn_beyond_the_queue_is_answered_with_a_cookie_that_keeps_nothing() -> None:
    bench = flooded()
    unstamped = [option for option in SYN_OPTIONS if option[0] != "Timestamp"]
    for port in range(2000, 2500):
        bench.peer("S", seq=0, sport=port, options=unstamped)
    assert len(bench.out) == 500 and len(bench.tcp.connections) == 2
    assert [name for name, _ in bench.out[0].options] == ["MSS"]


def test_syn_beyond_the_queue_with_timestamps_keeps_its_options_in_ours() -> None:
    bench = flooded()
    for port in range(2000, 2500):
        bench.peer("S", seq=0, sport=port, options=SYN_OPTIONS)
    assert len(bench.out) == 500 and len(bench.tcp.connections) == 2
    assert {name for name, _ in bench.out[0].options} >= {"MSS", "SAckOK", "Timestamp", "WScale"}


def test_ack_of_a_cookie_makes_the_connection_with_its_mss() -> None:
    bench = flooded()
    bench.peer("S", seq=0, sport=2000, options=[("MSS", 1350)])
    bench.iss = bench.expect("SA", ack=1).seq
    bench.peer("PA", seq=1, ack=1, sport=2000, payload=b"hello")
    conn = bench.listener.accept()
    assert conn is not None and conn.state is State.ESTABLISHED
    assert conn.recv(10) == b"hello" and conn.snd_mss == 1300


def test_ack_of_a_forged_or_an_old_cookie_is_reset() -> None:
    bench = flooded()
    bench.peer("S", seq=0, sport=2000, options=MSS_ONLY)
    bench.iss = bench.expect("SA", ack=1).seq
    bench.peer("A", seq=1, ack=2, sport=2000)
    bench.expect("R")
    bench.run(200 * SEC)
    bench.out.clear()
    bench.peer("A", seq=1, ack=1, sport=2000)
    bench.expect("R")
    assert bench.listener.accept() is None


def test_deferred_accept_waits_for_data_and_repeats_the_syn_ack_only_when_its_time_is_over() -> None:
    bench = listening()
    bench.listener.options.update({"defer_accept": 3 * SEC})
    bench.peer("S", options=MSS_ONLY)
    bench.iss = bench.expect("SA", ack=1).seq
    bench.conn = bench.tcp.connections[(HERE, 80, THERE, 50000)]
    bench.peer("A")
    assert bench.listener.accept() is None
    bench.run(2 * SEC)
    bench.silent()
    bench.peer("PA", payload=b"x")
    assert bench.listener.accept() is bench.conn
    silent = listening()
    silent.listener.options.update({"defer_accept": 2 * SEC})
    silent.peer("S", options=MSS_ONLY)
    silent.iss = silent.expect("SA", ack=1).seq
    silent.conn = silent.tcp.connections[(HERE, 80, THERE, 50000)]
    silent.peer("A")
    silent.run(4 * SEC)
    silent.expect("SA", ack=1)
    silent.peer("A")
    assert silent.listener.accept() is silent.conn
