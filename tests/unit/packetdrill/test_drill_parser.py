"""The packetdrill language: what each form becomes, and what a mistake gets."""

import pytest

from pymodel.simtime import MS, SEC, US
from tb.packetdrill.errors import ScriptError
from tb.packetdrill.parser import parse
from tb.packetdrill.syntax import (
    ANYTHING,
    Array,
    Binary,
    Call,
    Code,
    Command,
    Ecn,
    EventTime,
    IcmpMessage,
    IpInfo,
    Name,
    Number,
    Option,
    Packet,
    Structure,
    TcpSegment,
    Text,
    TimeKind,
    UdpDatagram,
    Unary,
)


def only(text):
    (event,) = parse(text).events
    return event


def packet(text):
    action = only(f"0 {text}").action
    assert isinstance(action, Packet)
    return action


def call(text):
    action = only(f"0 {text}").action
    assert isinstance(action, Call)
    return action


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("0.5", EventTime(TimeKind.ABSOLUTE, 500 * MS)),
        (".25", EventTime(TimeKind.ABSOLUTE, 250 * MS)),
        ("+.000001", EventTime(TimeKind.RELATIVE, US)),
        ("+3", EventTime(TimeKind.RELATIVE, 3 * SEC)),
        ("*", EventTime(TimeKind.ANY)),
        ("1~1.5", EventTime(TimeKind.ABSOLUTE, SEC, 1500 * MS)),
        ("+.1~+.2", EventTime(TimeKind.RELATIVE, 100 * MS, 200 * MS)),
        ("+0.1 ~ 0.2", EventTime(TimeKind.RELATIVE, 100 * MS, 200 * MS)),
    ],
)
def test_times(text, time):
    assert only(f"{text} > . 1:1(0) ack 1").time == time


def test_a_call_that_lasts_has_an_end_on_the_scale_of_its_start():
    event = only("+0.1...0.35 read(4, ..., 100) = 0")
    assert event.time == EventTime(TimeKind.RELATIVE, 100 * MS)
    assert isinstance(event.action, Call) and event.action.end == 350 * MS


def test_only_a_call_can_last():
    with pytest.raises(ScriptError, match="only a system call can last"):
        parse("0...1 > . 1:1(0) ack 1")


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("> S 0:0(0) <...>", TcpSegment("S", 0, 0, options=None)),
        ("> . 1:1(0) ack 1", TcpSegment(".", 1, 0, 1)),
        ("> - 1:1(0)", TcpSegment("", 1, 0)),
        ("> P. 1:1001(1000) ack 5 win 6 urg 7", TcpSegment("P.", 1, 1000, 5, 6)),
        ("> U. 1:2(1) ack 5 urg 7", TcpSegment("U.", 1, 1, 5, None, 7)),
        ("> SEW 0:0(0)", TcpSegment("SEW", 0, 0)),
        ("> .5 1:1(0) ack 1", TcpSegment(".EA", 1, 0, 1)),
        ("> . 4294967295:99(100) ack 1", TcpSegment(".", 0xFFFFFFFF, 100, 1)),
        ("> udp (500)", UdpDatagram(500)),
        ("< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]", IcmpMessage(3, 4, 1200, (1, 1460))),
        ("< icmp time_exceeded exceed_ttl [udp (9)]", IcmpMessage(11, 0, 0, None, 9)),
    ],
)
def test_packet_bodies(text, body):
    if "urg 7" in text and "U" not in text.split()[1]:
        body = TcpSegment(body.flags, body.seq, body.length, body.ack, body.window, 7)
    assert packet(text).body == body


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("mss 9,sackOK,TS val 1 ecr 2,wscale 7",
         (Option("mss", (9,)), Option("sackOK"), Option("TS", (1, 2)), Option("wscale", (7,)))),
        ("nop, nop, sack 1:2 3:4", (Option("nop"), Option("nop"), Option("sack", (1, 2, 3, 4)))),
        ("FO 0123abcd,eol", (Option("FO", (), b"\x01\x23\xab\xcd"), Option("eol"))),
        ("FOEXP,nop", (Option("FOEXP"), Option("nop"))),
        ("md5 00ff,nop", (Option("md5", (), b"\0\xff"), Option("nop"))),
        ("ECN e1b 1 ceb 2 e0b 3,nop", (Option("ECN", (174, 1, 2, 3)), Option("nop"))),
        ("", ()),
    ],
)  # fmt: skip
def test_tcp_options(text, options):
    assert packet(f"> . 1:1(0) ack 1 <{text}>").body.options == options


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("[ect0]", IpInfo(Ecn.ECT0)),
        ("[ce]", IpInfo(Ecn.CE)),
        ("[noecn]", IpInfo(Ecn.NOECN)),
        ("(flowlabel 0x2)", IpInfo()),
        ("[ect01]", IpInfo(Ecn.ECT01)),
        ("[tos 0x10, ttl 5]", IpInfo(None, 16, 5)),
        ("[flowlabel 0x3, ect1]", IpInfo(Ecn.ECT1, flow_label=3)),
    ],
)
def test_ip_information(text, info):
    assert packet(f"> {text} . 1:1(0) ack 1").ip == info


def test_arguments_of_calls():
    made = call('sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{"ab" "c", 3}, {..., 5}]}, MSG_MORE|0x2) = 8')
    assert made.arguments == (
        Number(4),
        Structure((
            ("msg_name", ANYTHING),
            ("msg_iov", Array((
                Structure((("0", Text(b"abc")), ("1", Number(3)))),
                Structure((("0", ANYTHING), ("1", Number(5)))),
            ))),
        )),
        Binary("|", Name("MSG_MORE"), Number(2)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "result", "errno"),
    [
        ("close(3) = -1 EBADF (Bad file descriptor)", Unary("-", Number(1)), "EBADF"),
        ("fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK (both))", Number(0x802), None),
        ("fcntl(3, F_GETFL) = O_RDWR (flags O_RDWR)", Name("O_RDWR"), None),
        ("read(3, ..., 5) = ?", ANYTHING, None),
    ],
)
def test_results_of_calls(text, result, errno):
    made = call(text)
    assert (made.result, made.errno) == (result, errno)


def test_the_sign_before_a_time_does_not_continue_the_result():
    first, second, third = parse("0 close(3) = 0\n+0 close(4) = 0\n* > . 1:1(0) ack 1").events
    assert first.action.result == second.action.result == Number(0)
    assert third.time.kind is TimeKind.ANY


def test_commands_code_options_and_comments():
    script = parse(
        "// one\n--mtu=1400\n/* two\n */ --tolerance_usecs=10000\n`sysctl -q a=1\n  b=2`\n# three\n"
        "0 `true` // four\n+0 %{ assert tcpi_x == {1: 2}[1] # inside\n}%\n"
    )
    assert script.options == (("mtu", "1400", 2), ("tolerance_usecs", "10000", 4))
    assert script.setup == (("sysctl -q a=1\n  b=2", 5),)
    command, code = script.events
    assert command.action == Command("true")
    assert code.action == Code(" assert tcpi_x == {1: 2}[1] # inside\n")
    assert code.line == 9


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("0 > . 1:5(1) ack 1", 1, "inconsistent"),
        ("\n\n0 > . 1:1(0)", 3, "no `ack` number"),
        ("0 > U 1:1(0)", 1, "no `urg` pointer"),
        ("0 < . 1:1(0) ack 1", 1, "window"),
        ("0 < . 1:1(0) ack 1 win 5 <...>", 1, "outbound"),
        ("0 > Q 1:1(0)", 1, "TCP flags expected"),
        ("0 > .. 1:1(0) ack 1", 1, "twice"),
        ("0 > . 1:1(0) ack 1 <zork 5>", 1, "zork"),
        ("0 < icmp zork", 1, "zork is no ICMP type"),
        ("0 < icmp unreachable zork", 1, "zork is no code"),
        ("0 > [zork] . 1:1(0) ack 1", 1, "zork"),
        ("0 > sctp: INIT", 1, "only TCP, UDP and ICMP"),
        ("0 > ipv4 1.2.3.4 > 5.6.7.8: . 1:1(0) ack 1", 1, "encapsulated"),
        ("0 > icmpv6 unreachable", 1, "IPv6 is not there yet"),
        ("0 close(3)", 1, "the call's result"),
        ("0 close(3 = 0", 1, "closing bracket"),
        ("close(3) = 0", 1, "an event's time"),
        ("0 `true", 1, "a command without its closing `"),
        ("0 %{ pass", 1, "code without its closing }%"),
        ("/* no end", 1, "no end"),
        ('0 open("x, O_RDWR) = 3', 1, "no end"),
        ("2~1 > . 1:1(0) ack 1", 1, "ends before it begins"),
    ],
)
def test_a_mistake_is_named_with_its_line(text, line, complaint):
    with pytest.raises(ScriptError) as caught:
        parse(text)
    assert complaint in caught.value.message
    assert caught.value.line == line
