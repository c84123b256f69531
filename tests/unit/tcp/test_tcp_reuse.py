"""connect(2) over a connection in TIME-WAIT (RFC 6191 §2). Scripts: packetdrill/close/tw-reuse-*."""

from dataclasses import replace

import pytest
import tcp_bench
from tcp_bench import LPORT, RPORT, Bench, time_wait

from pymodel.simtime import MS, SEC
from pymodel.tcp import LINUX

HERE, THERE = (tcp_bench.HERE, LPORT), (tcp_bench.THERE, RPORT)
LOOPBACK = (bytes((127, 0, 0, 1)), LPORT)


def waiting(setting: int) -> Bench:
    bench = time_wait(profile=replace(LINUX, tw_reuse=setting))
    bench.conn.ts_on = True
    bench.conn.ts_recent = 4711
    return bench


@pytest.mark.parametrize(
    ("setting", "after", "free"), [(0, SEC, 0), (1, SEC, 1), (1, 990 * MS, 0), (2, SEC, 0)]
)
def test_chosen_port_in_time_wait_is_free_as_the_setting_and_its_delay_say(
    setting: int, after: int, free: int
) -> None:
    bench = waiting(setting)
    bench.run(after)
    assert bench.tcp.port_is_free(HERE, THERE, True) == free
    assert bench.tcp.port_is_free(HERE, THERE, False)


def test_loopback_address_may_be_reused_by_default() -> None:
    bench = waiting(2)
    bench.tcp.connections[(*LOOPBACK, *THERE)] = bench.conn
    bench.run(SEC)
    assert bench.tcp.port_is_free(LOOPBACK, THERE, True) and not bench.tcp.port_is_free(HERE, THERE, True)


def test_without_timestamps_it_is_never_free() -> None:
    bench = waiting(1)
    bench.conn.ts_on = False
    bench.run(SEC)
    assert not bench.tcp.port_is_free(HERE, THERE, True) and not bench.tcp.port_is_free(HERE, THERE, False)
    with pytest.raises(OSError, match="assign"):
        bench.tcp.connect(HERE, THERE)


def test_connection_that_takes_over_begins_beyond_the_old_numbers_and_echoes_the_last_timestamp() -> None:
    bench = waiting(1)
    old = bench.conn.snd_nxt
    new = bench.tcp.connect(HERE, THERE)
    assert new.iss == (old + 65537) % (1 << 32) and bench.tcp.connections[(*HERE, *THERE)] is new
    syn = bench.out[-1]
    assert syn.flags == "S" and syn.option("Timestamp")[1] == 4711
    assert bench.stat("time_wait_reused") == 1
