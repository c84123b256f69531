"""What a wave file holds, FST or VCD: names, widths, and when a signal first moved."""

from pathlib import Path

import pywellen


class WaveFile:
    """An open wave file. Signals are named by their path, as ``fdw_tb.nic.irq``.

    Raises FileNotFoundError when there is none, and what pywellen raises for one that is not whole.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"no wave file {path}")
        self._waves = pywellen.Waveform(str(path))
        self.widths: dict[str, int] = {
            variable.full_name: variable.bitwidth for variable in self._waves.all_vars()
        }
        """Bits of each signal; parameters are among them."""

    def value(self, signal: str, time: int) -> int:
        """The value of `signal` at `time`, in the file's time unit. Raises KeyError: no such signal."""
        return int(self._waves[signal].signal.value_at(time))

    def changes(self, signal: str) -> list[tuple[int, int]]:
        """(time, new value) of `signal`, in order, its first value included. Raises KeyError."""
        trace = self._waves[signal].signal
        return [(int(time), int(value)) for time, value in (trace[i] for i in range(len(trace)))]

    def span(self, clock: str = "fdw_tb.clk") -> tuple[int, int]:
        """The times of the first and the last edge of `clock`, in the file's time unit. Raises KeyError."""
        trace = self._waves[clock].signal
        return int(trace[0][0]), int(trace[len(trace) - 1][0])

    def first_leave(self, signal: str, rest: int = 0) -> int | None:
        """When `signal` first became other than `rest`, having been that, or None. Raises KeyError."""
        trace = self._waves[signal].signal
        rested = False
        for i in range(len(trace)):
            time, value = trace[i]
            if int(value) == rest:
                rested = True
            elif rested:
                return int(time)
        return None
