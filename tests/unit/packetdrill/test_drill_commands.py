"""Shell lines of scripts on the simulated host: what they change, what they answer, what is refused."""

import pytest

from tb.packetdrill.session import run_golden

LISTENING = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
"""


def passes(line, profile="linux"):
    return run_golden(f"{LISTENING}+0 `{line}`\n", profile=profile)


@pytest.mark.parametrize(
    "line",
    [
        "true && true",
        "false || true",
        "! false",
        "sudo sysctl -q -w net.ipv4.tcp_sack=1 > /dev/null 2>&1",
        "sysctl -w net.ipv4.tcp_sack=0; test $(sysctl -n net.ipv4.tcp_sack) -eq 0",
        "./defaults.sh\nsysctl -q net.ipv4.tcp_timestamps=0",
        "../set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0 && sysctl net.ipv4.tcp_sack | grep -q 'sack = 0'",
        "sockstat -4 -l -s -P tcp -p 8080 | grep -c LISTEN | grep -qw 1",
        "! sockstat -4 -c -s -P tcp | grep -q LISTEN",
        "ss -tln state listening | grep -q :8080 || ss -tl | grep -q LISTEN",
        "ip tcp_metrics flush all > /dev/null 2>&1",
        "ip route change default via 192.168.0.2 mtu lock 1300",
        "sysctl -w net.inet.tcp.sack.enable=0 && test $(sysctl -n net.inet.tcp.sack.enable) = 0",
        "sysctl kern.timecounter.alloweddeviation=0",
        "kldload -n cc_cubic",
        "ethtool -K tun0 tso off gso off lro off",
        "ethtool --offload eth0 generic-segmentation-offload off tcp-segmentation-offload on",
        "ethtool -i tun0",
    ],
)
def test_a_command_that_succeeds_lets_the_script_go_on(line):
    verdict = passes(line)
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("false", "status 1"),
        ("true && false", "status 1"),
        ("sockstat -4 | grep -q ESTABLISHED", "status 1"),
        ("tcpdrop 192.168.0.1 8080 192.0.2.1 5", "No such connection"),
        ("rm -rf /", "rm is no command known here"),
        ("sysctl -w net.ipv4.tcp_zork=1", "net.ipv4.tcp_zork is not known here"),
        ("sysctl -w net.ipv4.tcp_plb_enabled=1", "only 0"),
        ("sysctl -w net.inet.tcp.insecure_ack=1", "only 0"),
        ("sysctl -w net.inet.tcp.functions_default=bbr", "only freebsd, rack"),
        ("sysctl -w net.ipv4.tcp_sack=many", "net.ipv4.tcp_sack=many"),
        ("ethtool -K tun0 zork on", "no offload is called zork"),
        ("ethtool -K tun0 lro on", "no offload is called lro"),
        ("ethtool -K tun0 tso maybe", "not known here"),
        ("ethtool -K tun0 tso", "not known here"),
        ("kldload sctp", "sctp stands for something that is not there"),
        ("ip route add 10.0.0.0/8 via 192.168.0.2 zork 5", "routes have no zork"),
        ("echo 'no end", "closing"),
    ],
)
def test_a_command_that_fails_or_is_unknown_fails_the_script(line, complaint):
    verdict = passes(line)
    assert not verdict.passed
    assert complaint in verdict.reason.lower() or complaint in verdict.reason


def test_a_setting_before_the_first_event_holds_for_the_script():
    script = (
        "`sysctl -q net.ipv4.tcp_sack=0`\n"
        + LISTENING
        + "+0 < S 0:0(0) win 9 <mss 1000,sackOK,nop,nop>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n"
    )
    assert run_golden(script).passed
    assert not run_golden(script.split("\n", 1)[1]).passed


def test_tcpdrop_resets_the_connection_that_it_names():
    script = LISTENING + (
        "+0 < S 0:0(0) win 900 <mss 1000>\n+0 > S. 0:0(0) ack 1 <...>\n+.1 < . 1:1(0) ack 1 win 900\n"
        "+0 accept(3, ..., ...) = 4\n+0 `tcpdrop -a`\n+0 > R. 1:1(0) ack 1\n"
    )
    assert run_golden(script).passed


def test_names_from_the_command_line_are_replaced_in_the_script():
    text = LISTENING + "+0 < S 0:0(0) win 9 <mss PEER>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n"
    assert run_golden(text, {"define PEER": "1000"}).passed
    assert "mss" in run_golden(text).reason


def test_defaults_beside_the_script_are_interpreted_and_what_is_unknown_in_them_is_passed_over(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "common" / "defaults.sh").write_text(
        "#!/bin/bash\n# sizes\n"
        'sysctl -q net.ipv4.tcp_zork=1 net.ipv4.tcp_rmem="4096 540000 $((15*1024*1024))"\n'
        "frobnicate tun0\n"
        "sysctl -q net.ipv4.tcp_sack=0 > /dev/null 2>&1 # none\n"
    )
    script = (
        "`../common/defaults.sh`\n"
        + LISTENING
        + (
            "+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>\n"
            "+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 8>\n"
        )
    )
    verdict = run_golden(script, directory=tmp_path / "here")
    assert verdict.passed, verdict.reason


def test_defaults_that_are_not_there_stand_for_those_of_the_linux_collections(tmp_path):
    script = (
        "`../common/defaults.sh`\n"
        + LISTENING
        + (
            "+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>\n"
            "+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>\n"
        )
    )
    verdict = run_golden(script, directory=tmp_path)
    assert verdict.passed, verdict.reason
