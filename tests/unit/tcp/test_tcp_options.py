"""What a program can ask of a connection, the host's settings by Linux's names, and TCP_INFO."""

import struct

import pytest
from tcp_bench import HERE, LPORT, RPORT, THERE, Bench, established, fin_wait_1, listening

from pymodel.simtime import MS, SEC
from pymodel.tcp import LINUX, State, TcpOptions
from pymodel.tcp.sysctl import INERT, SETTINGS, Sysctl
from pymodel.tcp.tcpinfo import FIELDS, pack


def connected(bench: Bench, options: TcpOptions | None = None, **more: object) -> Bench:
    """An active open with options, finished."""
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT), options, **more)
    bench.iss = bench.conn.iss
    bench.out.clear()
    bench.peer("SA", options=[("MSS", 1460)])
    bench.out.clear()
    return bench


def test_options_object_is_copied_and_keywords_win_over_it() -> None:
    wanted = TcpOptions(nodelay=False, sndbuf=5000)
    conn = connected(Bench(), wanted, nodelay=True).conn
    assert conn.nodelay and conn.sndbuf == 5000
    conn.set_option("sndbuf", 7000)
    assert conn.sndbuf == 7000 and wanted.sndbuf == 5000 and wanted.nodelay is False


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("sparkle", 1, TypeError),
        ("maxseg", 87, ValueError),
        ("maxseg", 32768, ValueError),
        ("syncnt", 0, ValueError),
        ("keepalive_count", 128, ValueError),
        ("congestion", "none such", ValueError),
    ],
)
def test_wrong_option_is_refused_and_nothing_changes(name: str, value: object, error: type) -> None:
    conn = established().conn
    with pytest.raises(error):
        conn.set_option(name, value)
    assert conn.options == TcpOptions()


def test_corked_sender_holds_a_partial_segment_until_uncorked() -> None:
    bench = established()
    bench.conn.set_option("cork", True)
    bench.conn.send(bytes(1460 + 100))
    bench.expect("A", seq=1, length=1460)
    bench.silent()
    bench.conn.set_option("cork", False)
    bench.expect("PA", seq=1461, length=100)


def test_corked_partial_segment_goes_out_by_itself_after_200_ms() -> None:
    bench = established()
    bench.conn.set_option("cork", True)
    bench.conn.send(b"abc")
    bench.run(190 * MS)
    bench.silent()
    bench.run(20 * MS)
    bench.expect("PA", seq=1, length=3)


def test_write_with_more_to_come_waits_for_the_next_write() -> None:
    bench = established()
    bench.conn.set_option("nodelay", True)
    bench.conn.send(b"abc", more=True)
    bench.silent()
    bench.conn.send(b"def")
    bench.expect("PA", seq=1, length=6)


def test_nodelay_set_late_sends_what_nagle_held() -> None:
    bench = established()
    bench.conn.send(b"abc")
    bench.conn.send(b"def")
    bench.expect("PA", seq=1, length=3)
    bench.silent()
    bench.conn.set_option("nodelay", True)
    bench.expect("PA", seq=4, length=3)


def test_maxseg_bounds_the_announced_mss_and_what_is_sent() -> None:
    bench = Bench()
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT), maxseg=700)
    bench.iss = bench.conn.iss
    assert bench.expect("S").option("MSS") == 700
    bench.peer("SA", options=[("MSS", 1460)])
    bench.expect("A")
    bench.conn.send(bytes(1000))
    bench.expect("A", length=700)


def test_syncnt_bounds_the_repetitions_of_a_syn() -> None:
    bench = Bench()
    bench.conn = bench.tcp.connect((HERE, LPORT), (THERE, RPORT), syncnt=1)
    bench.run(1000 * SEC)
    assert bench.conn.state is State.CLOSED
    by_default = Bench()
    by_default.conn = by_default.tcp.connect((HERE, LPORT), (THERE, RPORT))
    by_default.run(1000 * SEC)
    assert len(by_default.out) - len(bench.out) == LINUX.syn_retries - 1


def test_accepted_connection_inherits_the_options_of_its_listener() -> None:
    bench = listening()
    bench.listener.options.update({"nodelay": True, "keepalive": True})
    bench.peer("S", options=[("MSS", 1460)])
    bench.iss = bench.expect("SA").seq
    bench.conn = bench.tcp.connections[(HERE, 80, THERE, 50000)]
    bench.peer("A")
    conn = bench.listener.accept()
    assert conn is not None and conn.nodelay
    assert conn.keepalive and conn.keepalive_timer.deadline is not None


@pytest.mark.parametrize(("linger2", "after"), [(None, 60 * SEC), (5 * SEC, 5 * SEC)])
def test_linger2_bounds_fin_wait_2_of_a_closed_connection(linger2: int | None, after: int) -> None:
    bench = fin_wait_1()
    bench.conn.set_option("linger2", linger2)
    bench.conn.close()
    bench.peer("A")
    assert bench.conn.state is State.FIN_WAIT_2
    bench.run(after - 1 * SEC)
    assert bench.conn.state is State.FIN_WAIT_2
    bench.run(1 * SEC)
    assert bench.conn.state is State.CLOSED


def test_negative_linger2_skips_fin_wait_2() -> None:
    bench = fin_wait_1()
    bench.conn.set_option("linger2", -1)
    bench.conn.close()
    bench.peer("A")
    assert bench.conn.state is State.CLOSED


def test_unsent_low_water_mark_decides_writability_for_poll() -> None:
    bench = established(window=1460)
    bench.conn.set_option("notsent_lowat", 1000)
    bench.conn.send(bytes(1460 + 999))
    assert bench.conn.unsent == 999 and bench.conn.writable_for_poll
    bench.conn.send(b"x")
    assert not bench.conn.writable_for_poll and bench.conn.writable > 0


def test_quickack_sends_a_waiting_ack_at_once() -> None:
    bench = established()
    bench.peer("PA", payload=b"x")
    bench.silent()
    bench.conn.set_quickack(True)
    bench.expect("A", ack=2)
    assert bench.conn.quickack


# --- settings ----------


def test_every_setting_reads_back_what_was_written() -> None:
    sysctl = Bench().tcp.sysctl
    for name in sysctl.names():
        value = sysctl.get(name)
        sysctl.set(name, value)
        assert sysctl.get(name) == value, name
    assert len(sysctl.names()) == len(SETTINGS) + len(INERT)


def test_setting_is_the_hosts_own_and_holds_for_new_connections() -> None:
    bench, other = Bench(), Bench()
    bench.tcp.sysctl.set("net/ipv4/tcp_sack", "0")
    bench.tcp.sysctl.set("net.ipv4.tcp_timestamps", "0")
    for each, sack in ((bench, False), (other, True)):
        each.tcp.connect((HERE, LPORT), (THERE, RPORT))
        assert any(name == "SAckOK" for name, _ in each.out[0].options) is sack
    assert LINUX.sack and LINUX.timestamps


def test_rmem_sets_window_and_scale() -> None:
    bench = Bench()
    bench.tcp.sysctl.set("tcp_rmem", "4096 20000 15728640")
    bench.tcp.connect((HERE, LPORT), (THERE, RPORT))
    syn = bench.out[0]
    assert syn.option("WScale") == 8 and syn.window == 10000 - 10000 % 1460


@pytest.mark.parametrize(("name", "value"), [("tcp_syn_retries", "0"), ("tcp_retries2", "many")])
def test_refused_value_changes_nothing(name: str, value: str) -> None:
    sysctl = Sysctl(Bench().tcp.profile)
    before = sysctl.get(name)
    with pytest.raises(ValueError):
        sysctl.set(name, value)
    assert sysctl.get(name) == before


def test_unknown_setting_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Bench().tcp.sysctl.get("net.ipv4.tcp_sparkle")


# --- TCP_INFO ----------


def test_info_tells_what_is_in_flight_in_segments() -> None:
    bench = established()
    bench.conn.send(bytes(3 * 1460 + 100))
    info = bench.conn.info()
    assert set(info) == set(FIELDS)
    assert (info["state"], info["ca_state"], info["unacked"], info["snd_cwnd"]) == (1, 0, 4, 10)
    assert (info["snd_mss"], info["advmss"], info["pmtu"], info["notsent_bytes"]) == (1460, 1460, 1500, 0)
    assert info["rtt"] == 10 and info["rto"] == 200_010


def test_packed_info_has_the_offsets_of_linux() -> None:
    info = dict.fromkeys(FIELDS, 0)
    info.update(state=1, snd_wscale=7, rcv_wscale=9, rto=0x11223344, total_retrans=5, pacing_rate=6)
    info.update(delivery_rate=8, busy_time=9, bytes_sent=10, snd_wnd=11, total_rto_time=12)
    info.update(received_ce=13, received_ce_bytes=14, ecn_mode=2, accecn_opt_seen=1, accecn_fail_mode=9)
    raw = pack(info)
    assert len(raw) == 280  # struct tcp_info of Linux 7.0
    assert raw[0] == 1 and raw[6] == 0x97
    for offset, form, value in (
        (8, "<I", 0x11223344),
        (100, "<I", 5),
        (104, "<Q", 6),
        (160, "<Q", 8),
        (168, "<Q", 9),
        (200, "<Q", 10),
        (228, "<I", 11),
        (244, "<I", 12),
        (248, "<I", 13),
        (272, "<I", 14),
        (276, "<I", 2 | 1 << 2 | 9 << 4),
    ):
        assert struct.unpack_from(form, raw, offset)[0] == value, offset
