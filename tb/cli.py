"""`fdwire`: the project's one command."""

import argparse
import math
import sys
from pathlib import Path

from rich.console import Console

from tb import toolchain
from tb.cosim.rtl_nic import BUGS
from tb.toolchain import ToolMissing
from tb.verilate import BuildFailed


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _waves(text: str) -> str:
    if text in ("off", "all"):
        return text
    if not 0 < float(text) < math.inf:
        raise ValueError
    return text


def _size(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1 << 30:
        raise ValueError
    return value


_size.__name__ = "number of bytes (0 to 1 GiB)"
_waves.__name__ = "number of microseconds (or all, off)"
_probability.__name__ = "probability (0 to 1)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fdwire",
        description="From a file descriptor to the wire: real programs over a real stack through NIC RTL.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    sim = commands.add_parser("sim", help="run the main job: HTTP through the RTL NIC, checked in lockstep")
    sim.add_argument("--seed", type=int, default=1, help="decides everything random (default 1)")
    sim.add_argument(
        "--waves", type=_waves, default="200", metavar="µs|all|off", help="how much to record (default 200)"
    )
    sim.add_argument("--bytes", type=_size, default=1 << 20, help="size of the random file (default 1 MiB)")
    for name in ("loss", "duplicate", "reorder", "corrupt"):
        sim.add_argument(
            f"--{name}", type=_probability, default=0.0, metavar="P", help=f"{name} a frame with P"
        )
    sim.add_argument("--plant", choices=BUGS, default="", help="plant a bug in the NIC, to see it caught")
    sim.add_argument("--no-lockstep", action="store_true", help="do not compare with the golden model")
    sim.add_argument(
        "--out", type=Path, default=toolchain.BUILD / "sim", help="directory for the results (build/sim)"
    )

    waves = commands.add_parser("waves", help="open the waves of the last run in GTKWave")
    waves.add_argument(
        "--out", type=Path, default=toolchain.BUILD / "sim", help="directory of the run (build/sim)"
    )

    commands.add_parser("bench", help="measure the NIC's rate, and the co-simulation's speed")
    return parser


def main() -> int:
    """Run one command; its exit status."""
    arguments = _parser().parse_args()
    console = Console(soft_wrap=True)
    try:
        if arguments.command == "sim":
            from tb.sim import command, options

            job = options.Options(
                out=str(arguments.out.resolve()),
                seed=arguments.seed,
                blob=arguments.bytes,
                loss=arguments.loss,
                duplicate=arguments.duplicate,
                reorder=arguments.reorder,
                corrupt=arguments.corrupt,
                plant=arguments.plant,
                lockstep=not arguments.no_lockstep,
            )
            return command.run(job, waves=arguments.waves, console=console)
        if arguments.command == "waves":
            from tb.sim import command

            return command.open_waves(arguments.out.resolve(), console)
        from tb.bench import command as bench

        return bench.run(console)
    except (ToolMissing, BuildFailed) as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fdwire: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
