"""What a link shows: counters that live on a terminal, a few lines at the end everywhere."""

from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pymodel.simtime import SEC


@dataclass
class Counters:
    """Frames and bytes (with FCS) each way; simulated ps, simulated cycles (0: no clock), wall seconds."""

    frames_out: int = 0
    frames_in: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    simulated: int = 0
    cycles: int = 0
    wall: float = 0.0


def lines(now: Counters, before: Counters, names: tuple[str, str]) -> list[str]:
    """The counters as text; rates are those since `before`. `names`: of the ends."""
    out, back = f"{names[0]}→{names[1]}", f"{names[1]}→{names[0]}"
    wall = max(now.wall - before.wall, 1e-9)
    shown = [
        f"frames             {out} {now.frames_out:,}   {back} {now.frames_in:,}",
        f"bytes on the wire  {out} {now.bytes_out:,}   {back} {now.bytes_in:,}",
        f"simulated time     {now.simulated / SEC:.6f} s in {now.wall:.1f} s",
    ]
    if now.cycles:
        rate = (now.cycles - before.cycles) / wall
        shown.append(f"cycles             {now.cycles:,}   ({rate:,.0f} per wall second)")
    return shown


class Display:
    """On a terminal the lines are renewed in place; elsewhere nothing is shown before the end."""

    def __init__(self, console: Console, *, names: tuple[str, str], live: bool) -> None:
        self._names = names
        self._before = Counters()
        # Its own refreshing thread would hardly get to run beside a simulator.
        self._live = Live(console=console, auto_refresh=False, transient=True) if live else None
        if self._live is not None:
            self._live.start()

    def update(self, now: Counters) -> None:
        """Show `now`."""
        if self._live is not None:
            self._live.update(Text("\n".join(lines(now, self._before, self._names))), refresh=True)
        self._before = now

    def close(self) -> None:
        """Take the lines away."""
        if self._live is not None:
            self._live.stop()
