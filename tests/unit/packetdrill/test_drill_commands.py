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
        "ethtool -K tun0 tx-tcp-segmentation off tx-tcp6-segmentation off && ethtool -k tun0 | "
        "grep -q 'tcp-segmentation-offload: off'",
        "ip route change 192.0.2.0/24 via 192.168.0.2 initcwnd 20; ip ro ls | grep -q '2.0/24.*initcwnd 20'",
        "ip route change default via 192.168.0.2 congctl reno fastopen_no_cookie 1 mtu lock 1400",
        "ip route get 192.0.2.1 | grep -c lock | grep -q 0; ip link set dev tun0 gso_max_segs 2",
        "echo -n 0 | sudo tee /proc/sys/net/ipv4/tcp_sack >/dev/null; sysctl net.ipv4.tcp_sack | grep -q 0",
        "[ $(sysctl -n net.ipv4.tcp_rmem | awk '{print $3}') = $(sysctl -n net.ipv4.tcp_rmem | cut -f3) ]",
        "printf '%s\\n%s\\n' a b | tail -n 1 | grep -q b && seq 3 | head -2 | wc -l | grep -qw 2",
        "[ $(echo a=b | cut -d= -f2) = b ] && [ $(echo x y z | awk '/y/ {print $NF}') = z ]",
        "iptables -F; pfctl -d; ss -K dst 192.0.2.1; ifconfig tun0 txqueuelen 100",
        "x=1; [ '$x' != 1 ] && [ \"$x\" = 1 ] && sh -c '[ $x = 1 ]' && [ \"it's $x\" = \"it's 1\" ]",
        "sysctl -n net.inet.tcp.functions_available | grep -q rack",
        "echo 0 > /proc/sys/net/ipv4/tcp_sack && test $(cat /proc/sys/net/ipv4/tcp_sack) = 0",
        'echo 1 >/proc/sys/net/ipv4/tcp_ecn; [ "$(sysctl -n net.ipv4.tcp_ecn)" = "1" ]',
        "if [ -f /proc/sys/net/zork ]; then false; elif [ -e /proc/sys/net/ipv4/tcp_ecn ]; then true; fi",
        "for i in sack dsack; do sysctl -q net.ipv4.tcp_$i=0; done; test $(sysctl -n net.ipv4.tcp_dsack) = 0",
        "X=tcp_sack; sysctl -q net.ipv4.${X}=0 && { sysctl -n net.ipv4.tcp_sack | grep -q 0; }",
        "(false || echo yes) | grep -q yes",
        "test -n yes && [ -z '' ] && ! [ 1 -ge 2 ]",
        "tc qdisc replace dev tun0 root fq flow_limit 1000",
        "ip link set dev tun0 mtu 1400; ip link show tun0 | grep -q 'mtu 1400'",
        "ifconfig tun0 mtu 1400 && ifconfig tun0 | grep -q 'mtu 1400'",
        "route change -host 192.0.2.1 -mtu 1300 && ip route get 192.0.2.1 | grep -q 'mtu 1300'",
        "ss -tlnH sport = :8080 | grep -q '^LISTEN'",
        "! ss -tlnH '( sport = :80 or dport > :1 )' | grep -q LISTEN",
        "ss -tan | grep -c State | grep -qw 1",
        "nstat -az TcpExtTCPTimeouts | grep -q 'TcpExtTCPTimeouts  *0 '",
        "sysctl -w net.ipv4.conf.all.rp_filter=0 net.core.busy_poll=0 net.ipv6.conf.all.disable_ipv6=1",
        "timeout 5 python3 -c 'import time; time.sleep(0.1)'",
        "uname -r | grep -q '^[0-9]'",
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
        ("ethtool -E tun0 magic 1", "not known here"),
        ("ip route add blackhole 192.0.2.1", "every route here leads to the one wire"),
        ("ip route change default via 192.168.0.2 congctl bbr", "there are only cubic, reno"),
        ("ip route change default via 192.168.0.2 hoplimit 10", "routes have no hoplimit here"),
        ("ip route change 192.0.2.1/32 via 192.168.0.2 initcwnd 20", "No such process"),
        ("iptables -A OUTPUT -p tcp --tcp-flags RST RST -j DROP", "there is no firewall here"),
        ("netstat -s | grep -i retrans", "counters are told by nstat only"),
        ("echo 1 | tee /etc/passwd", "only what is below /proc/sys/ is there"),
        ("sysctl -n net.ipv4.tcp_rmem | awk '{s += $1} END {print s}'", "only '{print $N}' is there"),
        ("ethtool -K tun0 tso maybe", "not known here"),
        ("ethtool -K tun0 tso", "not known here"),
        ("kldload sctp", "sctp stands for something that is not there"),
        ("ip route add 10.0.0.0/8 via 192.168.0.2 zork 5", "routes have no zork"),
        ("echo 'no end", "closing"),
        ("echo many > /proc/sys/net/ipv4/tcp_sack", "tcp_sack=many"),
        ("echo 1 > /proc/sys/net/ipv4/tcp_zork", "tcp_zork is not known"),
        ("tc qdisc add dev tun0 root netem delay 10ms", "only the queues"),
        ("if true; then true", "fi expected"),
        ("for x in 1 2; echo", "do expected"),
        ("true | ; false", "a command expected"),
        ("nstat -x", "not known here"),
        ("ip tcp_metrics zork", "not known here"),
        ("ip tcp_metrics delete zork", "no IPv4 prefix"),
        ("ip tcp_metrics delete", "status 1"),
        ("ss -Z", "options known are"),
        ("ss -t sport is 80", "a port number expected"),
        ("ss -t zork 80", "zork is not known here"),
        ("sleep long", "a time expected"),
        ("python3 -c 'print(1)'", "python3 is no command known here"),
        ("cat /etc/passwd", "only what is below /proc/sys/"),
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


ESTABLISHED = LISTENING + (
    "+0 < S 0:0(0) win 900 <mss 1000,sackOK,nop,nop,nop,wscale 7>\n+0 > S. 0:0(0) ack 1 <...>\n"
    "+.1 < . 1:1(0) ack 1 win 900\n+0 accept(3, ..., ...) = 4\n"
)


def test_sleep_lasts_in_simulated_time():
    text = ESTABLISHED + "+0 `sleep 0.15`\n+0 write(4, ..., 10) = 10\n"
    assert run_golden(text + "0.25 > P. 1:11(10) ack 1\n").passed
    assert not run_golden(text + "0.1 > P. 1:11(10) ack 1\n").passed


def test_nstat_counts_from_its_last_call():
    lines = "+0 `nstat -n`\n+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n"
    lines += "+0 `nstat | grep TcpOutSegs | grep -qw 1`\n+0 `! nstat | grep -q TcpOutSegs`\n"
    verdict = run_golden(ESTABLISHED + lines + "+0 `nstat -a | grep TcpOutSegs | grep -qw 2`\n")
    assert verdict.passed, verdict.reason


def test_ss_shows_what_tcp_info_says_in_the_words_of_iproute2():
    wanted = "cubic wscale:7,7 rto:300[.0-9]* rtt:100[.0-9]*/50[.0-9]* mss:1000 pmtu:1500 rcvmss:450"
    script = (
        ESTABLISHED + f"+0 `ss -tinH | grep -q '{wanted}'`\n+0 `ss -tno state established | grep -c 8080`\n"
    )
    verdict = run_golden(
        script + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+0 `ss -ti | grep -q unacked:1`\n"
    )
    assert verdict.passed, verdict.reason


def test_shell_script_beside_the_script_is_interpreted_and_its_errors_count(tmp_path):
    (tmp_path / "prepare.sh").write_text("sysctl -q net.ipv4.tcp_sack=0\n")
    (tmp_path / "broken.sh").write_text("frobnicate\n")
    assert run_golden(
        LISTENING + "+0 `./prepare.sh && test $(sysctl -n net.ipv4.tcp_sack) = 0`\n", directory=tmp_path
    ).passed
    assert "frobnicate" in run_golden(LISTENING + "+0 `./broken.sh`\n", directory=tmp_path).reason
