"""Verdicts: each kind of difference between script and machine fails, and is named."""

import pytest

from tb.packetdrill.session import run_golden

LISTEN = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
"""
CONNECTED = (
    LISTEN
    + """\
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
"""
)


def verdict(text, **options):
    return run_golden(CONNECTED + text, {name: str(value) for name, value in options.items()})


WRITE = "+0 write(4, ..., 100) = 100\n"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("+0 > . 1:101(100) ack 1", "flags: expected ., sent P."),
        ("+0 > P. 2:102(100) ack 1", "sequence number: expected 2, sent 1"),
        ("+0 > P. 1:100(99) ack 1", "payload bytes: expected 99, sent 100"),
        ("+0 > P. 1:101(100) ack 2", "acknowledgement number: expected 2, sent 1"),
        ("+0 > P. 1:101(100) ack 1 win 5", "window: expected 5, sent 502"),
        ("+0 > P. 1:101(100) ack 1 <nop,nop,TS val 1 ecr 2>", "TCP options"),
        ("+0 > [ce] P. 1:101(100) ack 1", "ECN: expected ce, sent noecn"),
        ("+0 > [tos 0x10] P. 1:101(100) ack 1", "TOS: expected 0x10, sent 0x0"),
        ("+0 > [ttl 63] P. 1:101(100) ack 1", "TTL: expected 63, sent 64"),
        ("+.1 > P. 1:101(100) ack 1", "time: expected 0.2"),
        ("+.1~+.2 > P. 1:101(100) ack 1", "time: expected"),
        ("+0 > udp (100)", "protocol: expected UDP, sent TCP"),
        ("+0 > P. 1:101(100) ack 1\n+0 > P. 101:201(100) ack 1", "no packet was sent by"),
        ("+0 > P. 1:1101(1100) ack 1", "only 100 of 1100 bytes were sent"),
    ],
)
def test_a_packet_that_differs_fails_naming_the_field(line, complaint):
    result = verdict(WRITE + line)
    assert not result.passed
    assert complaint in result.reason
    assert result.line == CONNECTED.count("\n") + 2 + line.count("\n")


def test_the_packet_as_it_is_passes():
    assert verdict(WRITE + "+0 > [noecn, ttl 64] P. 1:101(100) ack 1 win 502").passed


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("+0 write(4, ..., 100) = 99", "write() returned 100, 99 expected"),
        ("+0 write(4, ..., 100) = -1 EPIPE (x)", "write() returned 100, -1 EPIPE expected"),
        ("+0 write(99, ..., 100) = 100", "write() returned -1 EBADF, 100 expected"),
        ("+0 write(99, ..., 100) = -1 EPIPE (x)", "errno EPIPE expected"),
        ("+0 read(4, ..., 100) = 100", "read() blocks"),
        ("+0...0.1 read(4, ..., 100) = 100", "has not returned by"),
        ("+0 getsockopt(4, SOL_SOCKET, SO_REUSEADDR, [1], [4]) = 0", "1 expected, 0 returned"),
        ("+0 poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 1", "revents"),
        ("+0 zork(1) = 0", "zork() is no system call known here"),
        ("+0 setsockopt(4, SOL_SOCKET, SO_ZORK, [1], 4) = 0", "SO_ZORK is no constant known here"),
        ("+0 socket(AF_INET6, SOCK_STREAM, 0) = 5", "IPv6 is not there yet"),
        ("+0 %{ assert 1 == 2, 'so what' }%", "assertion failed: so what"),
        ("+0 %{ zork }%", "the code fails: NameError"),
        ("+0 `zork -x`", "zork is no command known here"),
        ("+0 `false`", "ended with status 1"),
        ("+0 `sysctl -q net.ipv4.tcp_zork=1`", "net.ipv4.tcp_zork is not known here"),
    ],
)
def test_a_call_or_command_that_differs_fails_with_the_reason(line, complaint):
    result = verdict(line)
    assert not result.passed
    assert complaint in result.reason


def test_a_call_that_returns_too_early_fails():
    result = verdict("+0...0.5 read(4, ..., 100) = 10\n+.1 < P. 1:11(10) ack 1 win 257\n+0 > . 1:1(0) ack 11")
    assert not result.passed
    assert "read() returned at" in result.reason


def test_a_train_of_segments_matches_one_line_unless_segments_are_strict():
    text = "+0 write(4, ..., 1500) = 1500\n+0 > P. 1:1501(1500) ack 1"
    assert verdict(text).passed
    strict = verdict(text, strict_segments=1)
    assert not strict.passed and "payload bytes: expected 1500, sent 1000" in strict.reason


def test_tolerance_is_what_the_option_says():
    text = WRITE + "+.01 > P. 1:101(100) ack 1"
    assert not verdict(text).passed
    assert verdict(text, tolerance_usecs=11000).passed


def test_a_script_without_a_listener_meets_a_closed_port():
    assert run_golden("0 < S 5:5(0) win 100\n+0 > R. 0:0(0) ack 6").passed


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ip_version": "ipv6"}, "IPv6 is not there yet"),
        ({"wire_server": ""}, "in this process"),
        ({"zork": "1"}, "--zork is no option"),
        ({"mtu": "many"}, "--mtu=many"),
    ],
)
def test_an_option_that_cannot_be_heeded_is_refused(options, complaint):
    result = run_golden("0 socket(..., SOCK_STREAM, 0) = 3", options)
    assert not result.passed
    assert complaint in result.reason
