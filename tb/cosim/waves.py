"""Waves of the RTL NIC, switched on and off at run time, or of a stretch that nobody foresaw.

In a build with waves (`tb.block.run_nic(…, waves=True)`). Nothing is recorded until it is asked for:

    bench.waves.start("burst")  # from here …
    bench.waves.stop()  # … to here
    bench.waves.keep(50 * US)  # be ready to show the last 50 µs, at any time, without recording them
    bench.waves.show("stall")  # those before now
    bench.waves.around("irq", after=10 * US)  # 40 µs before now, and the next 10

`keep` has the simulator copy itself every now and then (`tb/cpp/history.h`); a copy that is woken goes
through the same cycles again, with waves. What cocotb code itself forces on signals it does not repeat.
"""

import functools
from pathlib import Path

from pymodel.scheduler import Scheduler
from pymodel.simtime import CYCLE, US
from tb.cosim.library import load

FORMATS = ("", "vcd", "fst")
"""What a build records, by the number that it gives."""

_FOREVER = (1 << 64) - 1


class WavesUnavailable(RuntimeError):
    """Waves were asked for in a build, or at a moment, that has none; the text says which."""


class WaveRecorder:
    """Of one bench. Files go to `directory`, their names without suffix are the caller's."""

    def __init__(self, scheduler: Scheduler, directory: Path | None = None) -> None:
        self._scheduler = scheduler
        self._directory = directory or Path.cwd()
        self._lib = load()
        self._span = 0

    @property
    def span(self) -> int:
        """ps that `show` can show; 0: none."""
        return self._span

    def start(self, name: str, *, duration: int | None = None) -> Path:
        """Record from now on, for `duration` ps or until `stop`; the file. Raises WavesUnavailable."""
        path = self._path(name)
        until = _FOREVER if duration is None else self._lib.fdw_now() + duration
        if not self._lib.fdw_waves_start(bytes(path), until):
            raise WavesUnavailable("waves are being recorded, or kept ready, already")
        return path

    def stop(self) -> None:
        """End the file that `start` began. Raises WavesUnavailable when there is none."""
        if not self._lib.fdw_waves_stop():
            raise WavesUnavailable("no waves are being recorded")

    def keep(self, span: int) -> None:
        """Be ready to show the last `span` ps from now on; 0: no longer. Raises WavesUnavailable."""
        name = self._path(".history")
        if not self._lib.fdw_waves_keep(bytes(name.with_suffix("")) + b"-", -(-span // CYCLE)):
            raise WavesUnavailable("waves, or a script of the run, are being recorded")
        self._span = span

    def show(self, name: str) -> Path:
        """Write the last `span` ps before now to a file: all of them, unless `keep` is more recent.

        Takes as long as the simulator needs for some hundred thousand cycles. Raises WavesUnavailable without
        `keep`, and RuntimeError when the copy did not go the same way.
        """
        if not self._span:
            raise WavesUnavailable("the last waves are shown after `keep` only")
        path = self._path(name)
        if not self._lib.fdw_waves_show(bytes(path), max(self._lib.fdw_now() - self._span, 0)):
            raise RuntimeError("the repeated run was another one: no waves, or wrong ones")
        return path

    def around(self, name: str, *, after: int = 10 * US) -> Path:
        """Write the waves around now to a file, `after` ps from now on: those of `span` up to then.

        Raises WavesUnavailable without `keep`, or if `after` is not less than its span.
        """
        if after >= self._span:
            raise WavesUnavailable(f"{self._span // US} µs are kept: not enough for {after // US} µs more")
        self._scheduler.after(after, functools.partial(self._later, name))
        return self._path(name)

    def _later(self, name: str) -> None:
        self.show(name)

    def _path(self, name: str) -> Path:
        suffix = FORMATS[self._lib.fdw_waves_format()]
        if not suffix:
            raise WavesUnavailable("this build records no waves: run_nic(…, waves=True) has one that does")
        return self._directory / f"{name}.{suffix}"
