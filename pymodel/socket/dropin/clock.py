"""Drop-in `time`: the simulated clock. The world begins on 2026-01-01 00:00:00 UTC.

All hosts are in UTC, until a program sets TZ in its environment and calls tzset().
"""

import calendar
import sys
import time as real
from types import SimpleNamespace
from typing import Any

from pymodel.scheduler import Scheduler
from pymodel.simtime import NS, SEC
from pymodel.socket.current import current_process, current_thread, running
from pymodel.socket.messages import EPOCH
from pymodel.task import Blocking, Wait

NANOSECONDS = 1_000_000_000


def _now() -> int:
    """Simulated time in ns since the world began."""
    if running.thread is not None:
        running.thread.tick()
    return current_process().kernel.scheduler.now // NS


def time_ns() -> int:
    """Nanoseconds since 1970."""
    return EPOCH * NANOSECONDS + _now()


def time() -> float:
    """Seconds since 1970."""
    return EPOCH + _now() / NANOSECONDS


def monotonic_ns() -> int:
    """Nanoseconds since the world began."""
    return _now()


def monotonic() -> float:
    """Seconds since the world began."""
    return _now() / NANOSECONDS


def _sleep(scheduler: Scheduler, until: int) -> Blocking[None]:
    while True:  # a signal's handler may have run meanwhile
        yield Wait(deadline=until)
        if scheduler.now >= until:
            return


def sleep(seconds: float, /) -> None:
    """Block for `seconds` of simulated time; ValueError if negative."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    thread = current_thread()
    scheduler = thread.process.kernel.scheduler
    thread.syscall(_sleep(scheduler, scheduler.now + round(seconds * SEC)))


def gmtime(seconds: float | None = None, /) -> real.struct_time:
    """As `time.gmtime`, from the simulated clock."""
    return real.gmtime(time() if seconds is None else seconds)


def localtime(seconds: float | None = None, /) -> real.struct_time:
    """As `time.localtime`."""
    if current_process().zone_set:
        return real.localtime(time() if seconds is None else seconds)
    return gmtime(seconds)


def ctime(seconds: float | None = None, /) -> str:
    """As `time.ctime`."""
    return real.asctime(localtime(seconds))


def asctime(parts: Any = None, /) -> str:
    """As `time.asctime`."""
    return real.asctime(localtime() if parts is None else parts)


def strftime(layout: str, parts: Any = None, /) -> str:
    """As `time.strftime`."""
    return real.strftime(layout, localtime() if parts is None else parts)


def mktime(parts: Any, /) -> float:
    """Seconds since 1970 of `parts`, a local time."""
    return real.mktime(parts) if current_process().zone_set else float(calendar.timegm(tuple(parts)))


def clock_gettime_ns(clock: int, /) -> int:
    """CLOCK_REALTIME counts from 1970, every other clock from the beginning of the world."""
    return time_ns() if clock == real.CLOCK_REALTIME else _now()


def clock_gettime(clock: int, /) -> float:
    """As `clock_gettime_ns`, in seconds."""
    return clock_gettime_ns(clock) / NANOSECONDS


def clock_getres(clock: int, /) -> float:
    """Every clock ticks in ns."""
    return 1e-9


_UTC: dict[str, Any] = {"timezone": 0, "altzone": 0, "daylight": 0, "tzname": ("UTC", "UTC")}


def tzset() -> None:
    """tzset(3): local time is what TZ says; UTC without it."""
    real.tzset()  # sets `timezone` and the others in the module that is called `time` now: the program's
    current_process().zone_set = "TZ" in sys.modules["os"].environ
    if not current_process().zone_set:
        vars(sys.modules["time"]).update(_UTC)


def get_clock_info(name: str, /) -> SimpleNamespace:
    """As `time.get_clock_info`: every clock ticks in ns and cannot be set."""
    return SimpleNamespace(
        implementation="simulated", monotonic=name != "time", adjustable=False, resolution=1e-9
    )


EXPORTS: dict[str, Any] = {
    **{
        function.__name__: function
        for function in (
            *(
                time,
                time_ns,
                monotonic,
                monotonic_ns,
                sleep,
                gmtime,
                localtime,
                ctime,
                asctime,
                strftime,
                mktime,
            ),
            *(clock_gettime, clock_gettime_ns, clock_getres, get_clock_info, tzset),
        )
    },
    # Computing takes no simulated time, so the clocks of the processor show the world's time too.
    **dict.fromkeys(("perf_counter", "process_time", "thread_time"), monotonic),
    **{f"{name}_ns": monotonic_ns for name in ("perf_counter", "process_time", "thread_time")},
    "struct_time": real.struct_time,
    "_STRUCT_TM_ITEMS": 11,
    "strptime": real.strptime,
    **_UTC,
    **{name: getattr(real, name) for name in dir(real) if name.startswith("CLOCK_")},
}
