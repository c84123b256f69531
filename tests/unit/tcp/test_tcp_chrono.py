"""What a sender's clocks count (Linux: tcp_chrono, tcp_update_rto_stats)."""

from pymodel.tcp.chrono import Chrono, Clock, Timeouts


def test_time_is_counted_for_one_reason_at_a_time_and_busy_is_all_of_it() -> None:
    clock = Clock()
    clock.start(Chrono.BUSY, 100)
    clock.start(Chrono.RWND_LIMITED, 110)
    clock.start(Chrono.SNDBUF_LIMITED, 130)
    clock.start(Chrono.RWND_LIMITED, 140)  # less than what is the case
    clock.stop(Chrono.RWND_LIMITED, 150, True)
    assert [clock.spent(reason, 160) for reason in list(Chrono)[1:]] == [60, 20, 30]
    clock.stop(Chrono.SNDBUF_LIMITED, 170, True)
    assert [clock.spent(reason, 200) for reason in list(Chrono)[1:]] == [100, 20, 40]


def test_nothing_left_to_send_stops_the_clock() -> None:
    clock = Clock()
    clock.start(Chrono.SNDBUF_LIMITED, 0)
    clock.stop(Chrono.BUSY, 50, False)
    assert clock.spent(Chrono.BUSY, 1000) == clock.spent(Chrono.SNDBUF_LIMITED, 1000) == 50


def test_time_outs_in_a_row_are_one_recovery() -> None:
    timeouts = Timeouts()
    timeouts.expired(True, 100)
    timeouts.expired(False, 300)
    assert timeouts.spent(350) == 250
    timeouts.recovered(400)
    timeouts.recovered(500)
    assert (timeouts.total, timeouts.recoveries, timeouts.spent(900)) == (2, 1, 300)
