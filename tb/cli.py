"""`fdwire`: the project's one command."""

import argparse
import math
import re
import sys
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from pymodel.simtime import MS, NS, US
from tb import toolchain
from tb.cosim.rtl_nic import BUGS
from tb.run import words
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
    if not 0 < float(text.removeprefix("last:")) < math.inf:
        raise ValueError
    return text


def _time(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ps|ns|us|µs|ms)", text)
    if found is None:
        raise ValueError
    return round(Decimal(found[1]) * {"ps": 1, "ns": NS, "us": US, "µs": US, "ms": MS}[found[2]])


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def _size(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1 << 30:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _features(text: str) -> tuple[str, ...]:
    from pymodel.driver import probe

    names = tuple(text.replace(",", " ").upper().split())
    known = [feature.name for feature in sorted(probe.OPTIONAL)]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"no feature {name} to do without; there are {', '.join(known)}")
    return names


def _directory(text: str) -> str:
    if not Path(text).is_dir():
        raise ValueError
    return str(Path(text).resolve())


def _path(text: str) -> str:
    return str(Path(text).absolute())


def _interface(text: str) -> str:
    if not 0 < len(text.encode()) <= 15 or set(text) & set("/: \t\n") or text in (".", ".."):
        raise ValueError
    return text


_directory.__name__ = "directory"
_interface.__name__ = "name of an interface (1 to 15 characters)"
_size.__name__ = "number of bytes (0 to 1 GiB)"
_waves.__name__ = "number of microseconds (or last: and a number, all, off)"
_time.__name__ = "time with its unit (ps, ns, us or ms)"
_seconds.__name__ = "number of seconds"
_probability.__name__ = "probability (0 to 1)"


def _link_arguments(link: argparse.ArgumentParser, name: str) -> None:
    """What `fdwire tap` and `fdwire vhost-user` both have."""
    link.add_argument(
        "--exec",
        dest="execute",
        default="",
        metavar="CMD",
        help="shell command outside; the run ends with it",
    )
    link.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="CMD",
        help="shell command that runs beside (repeatable)",
    )
    link.add_argument(
        "--serve", type=_directory, default=None, metavar="DIR", help="what HTTP gives (GET) and takes (PUT)"
    )
    link.add_argument("--name", type=_interface, default="fdwire0", help="of the TAP interface (fdwire0)")
    link.add_argument("--seed", type=int, default=1, help="decides everything random on our side (default 1)")
    for fate in ("loss", "duplicate", "reorder", "corrupt"):
        link.add_argument(
            f"--{fate}", type=_probability, default=0.0, metavar="P", help=f"{fate} a frame with P"
        )
    link.add_argument("--no-lockstep", action="store_true", help="do not compare with the golden model")
    link.add_argument(
        "--out",
        type=Path,
        default=toolchain.BUILD / name,
        help=f"directory for the capture (build/{name})",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fdwire",
        description="From a file descriptor to the wire: real programs over a real stack through NIC RTL.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    sim = commands.add_parser("sim", help="run the main job: HTTP through the RTL NIC, checked in lockstep")
    sim.add_argument("--seed", type=int, default=1, help="decides everything random (default 1)")
    sim.add_argument(
        "--waves",
        type=_waves,
        default="200",
        metavar="µs|last:µs|all|off",
        help="how much to record, from the start or before the first mismatch or the end (default 200)",
    )
    sim.add_argument("--bytes", type=_size, default=1 << 20, help="size of the random file (default 1 MiB)")
    for name in ("loss", "duplicate", "reorder", "corrupt"):
        sim.add_argument(
            f"--{name}", type=_probability, default=0.0, metavar="P", help=f"{name} a frame with P"
        )
    sim.add_argument("--plant", choices=BUGS, default="", help="plant a bug in the NIC, to see it caught")
    sim.add_argument(
        "--without",
        type=_features,
        default=(),
        metavar="FEATURE[,FEATURE]",
        help="virtio features that host A's driver does not accept, nor what needs them: CSUM, EVENT_IDX …",
    )
    sim.add_argument(
        "--trace",
        action="store_true",
        help="leave trace.perfetto-trace, for ui.perfetto.dev: from system call to wire",
    )
    sim.add_argument("--no-lockstep", action="store_true", help="do not compare with the golden model")
    sim.add_argument(
        "--out", type=Path, default=toolchain.BUILD / "sim", help="directory for the results (build/sim)"
    )

    waves = commands.add_parser("waves", help="open the waves of the last run in GTKWave")
    waves.add_argument(
        "--at",
        type=_time,
        metavar="TIME",
        help="open at this time of the simulation, with a marker: 14083200ps, 14083.2ns, 14.0832us …",
    )
    waves.add_argument(
        "--out", type=Path, default=toolchain.BUILD / "sim", help="directory of the run (build/sim)"
    )

    report = commands.add_parser("report", help="make a run's report.html once more")
    report.add_argument(
        "--out", type=Path, default=toolchain.BUILD / "sim", help="directory of the run (build/sim)"
    )
    report.add_argument("--open", action="store_true", help="show it in a browser")

    drill = commands.add_parser(
        "packetdrill",
        help="run packetdrill scripts over the stack, in simulated time",
        description="Run scripts in the packetdrill language (docs/packetdrill.md). Further options of the "
        "form --name=value are options of the scripts: --mtu=1400, --tolerance_usecs=10000 …",
    )
    drill.add_argument("--nic", choices=("golden", "rtl"), default="golden", help="below the driver (golden)")
    drill.add_argument("--profile", default="linux", help="whose TCP the machine has (linux)")
    drill.add_argument("--json", action="store_true", help="results as JSON on standard output, nothing else")
    drill.add_argument(
        "-D", "--define", action="append", default=[], metavar="NAME=VALUE", help="a name in the scripts"
    )
    drill.add_argument("-v", "--verbose", action="store_true", help="show what happened, line by line")
    drill.add_argument(
        "files", nargs="+", type=Path, metavar="FILE.pkt", help="scripts, run one after the other"
    )

    run = commands.add_parser(
        "run",
        help="run programs on a simulated host: any, or one in Python in simulated time",
        usage=words.USAGE,
        description="Run an unmodified program (docs/run.md). After --python it is a Python program: its "
        "sockets, threads and clock are the simulated host's. After -- it is any dynamically linked program: "
        "its sockets are the simulated host's, its clock is the wall's. 127.0.0.1 is the stack's own "
        "loopback, the hosts are a (10.0.0.1) and b (10.0.0.2).",
    )
    run.add_argument("--nic", choices=("golden", "rtl"), default="golden", help="host A's NIC (golden)")
    run.add_argument("--host", choices=("a", "b"), default="a", help="where the program runs (a)")
    run.add_argument("--seed", type=int, default=1, help="decides everything random (default 1)")
    run.add_argument(
        "--limit", type=_seconds, metavar="S", help="with --python: simulated time that it may take"
    )
    run.add_argument("--ss", action="store_true", help="show every socket of both hosts at the end")
    run.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="CMD",
        help="with --: shell command on the other host, ended with the run (repeatable)",
    )
    run.add_argument(
        "--beside", action="append", default=[], metavar="CMD", help="with --: the same on the same host"
    )
    run.add_argument("--out", type=Path, help="with --: directory for the capture (build/run)")

    tap = commands.add_parser(
        "tap",
        help="join a simulated host to the Linux kernel's own stack, through a TAP",
        usage="fdwire tap [options] [--python SCRIPT|-m MODULE|-c CODE [arguments]]",
        description="The simulated host is 10.0.0.1, the kernel 10.0.0.2, in a network namespace made for "
        "the run (docs/tap.md). The host serves echo (7), discard (9), chargen (19) and, with --serve, HTTP "
        "(80); or it runs the Python program given last.",
    )
    tap.add_argument("--nic", choices=("golden", "rtl"), default="rtl", help="the host's NIC (rtl)")
    _link_arguments(tap, "tap")

    vhost = commands.add_parser(
        "vhost-user",
        help="let DPDK, QEMU or another vhost-user client drive the NIC, over its own memory",
        usage="fdwire vhost-user --socket PATH [options] [--python SCRIPT|-m MODULE|-c CODE [arguments]]",
        description="The NIC for a vhost-user client (docs/vhost-user.md): its driver works on the NIC's "
        "rings, and the NIC reads and writes its memory. At the far end of the wire is the simulated host, "
        "10.0.0.1, that serves as with fdwire tap, or with --tap the kernel.",
    )
    vhost.add_argument("--nic", choices=("golden", "rtl"), default="rtl", help="what the client drives (rtl)")
    vhost.add_argument("--socket", required=True, type=_path, metavar="PATH", help="where clients come to")
    vhost.add_argument("--connect", action="store_true", help="the client listens there; we connect")
    vhost.add_argument(
        "--without",
        type=_features,
        default=(),
        metavar="FEATURE[,FEATURE]",
        help="virtio features that the client is not offered, nor what needs them: INDIRECT_DESC …",
    )
    vhost.add_argument("--tap", action="store_true", help="the kernel is at the far end, through a TAP")
    _link_arguments(vhost, "vhost-user")

    regress = commands.add_parser(
        "regress",
        help="many seeds: each configuration with each seed, here or on a Dask cluster, in one table",
    )
    regress.add_argument("--seeds", default="1-4", metavar="LIST", help="1-20 or 7,9-12 (1-4)")
    regress.add_argument(
        "--only", action="append", default=[], metavar="CONFIGURATION", help="not all of them"
    )
    regress.add_argument("--jobs", type=_count, default=0, metavar="N", help="so many at a time (one a core)")
    regress.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, e.g. tcp://10.0.0.7:8786, instead of the cores",
    )
    regress.add_argument(
        "--no-coverage", action="store_true", help="do not measure what of the RTL is reached"
    )

    commands.add_parser(
        "bench", help="measure the NIC's rate, the co-simulation's speed, the host stack's cost"
    )
    return parser


def _packetdrill(arguments: argparse.Namespace, further: list[str], console: Console) -> int:
    from pymodel.tcp import PROFILES
    from tb.packetdrill import command
    from tb.packetdrill.errors import ScriptError

    if arguments.profile not in PROFILES:
        print(f"fdwire: no profile {arguments.profile}; there are {', '.join(PROFILES)}", file=sys.stderr)
        return 2
    try:
        options = command.options_from(further, arguments.define)
    except ScriptError as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 2
    return command.run(
        arguments.files,
        nic=arguments.nic,
        profile=arguments.profile,
        options=options,
        as_json=arguments.json,
        verbose=arguments.verbose,
        console=console,
    )


def _link(arguments: argparse.Namespace, program: words.Words | None) -> int:
    from tb.links import command
    from tb.links.options import Options

    client = arguments.command == "vhost-user"
    if client and arguments.tap and (program is not None or arguments.serve):
        print("fdwire: with --tap there is no simulated host to serve or run a program on", file=sys.stderr)
        return 2
    options = Options(
        out=str(arguments.out.resolve()),
        nic=arguments.nic,
        name=arguments.name,
        seed=arguments.seed,
        lockstep=not arguments.no_lockstep,
        words=None if program is None else (program.kind, program.target, program.arguments),
        serve=arguments.serve or "",
        execute=arguments.execute,
        peers=tuple(arguments.peer),
        socket=arguments.socket if client else "",
        connect=client and arguments.connect,
        tap=not client or arguments.tap,
        without=arguments.without if client else (),
        loss=arguments.loss,
        duplicate=arguments.duplicate,
        reorder=arguments.reorder,
        corrupt=arguments.corrupt,
    )
    return command.run(options, sys.argv[1:])


def _of_the_other_way(arguments: argparse.Namespace, native: bool) -> str:
    """What is wrong with options of `run` that only the other way in knows; empty if nothing is."""
    if native:
        return (
            "--limit is for --python: programs after -- live by the wall's clock" if arguments.limit else ""
        )
    given = [name for name in ("peer", "beside", "out") if getattr(arguments, name)]
    return f"--{given[0]} is for programs after --, not for --python" if given else ""


def _native(arguments: argparse.Namespace, program: list[str]) -> int:
    from tb.preload import command
    from tb.preload.options import Options

    options = Options(
        words=tuple(program),
        out=str((arguments.out or toolchain.BUILD / "run").resolve()),
        nic=arguments.nic,
        host=arguments.host,
        seed=arguments.seed,
        peers=tuple(arguments.peer),
        beside=tuple(arguments.beside),
        sockets=arguments.ss,
    )
    return command.run(options)


def main() -> int:
    """Run one command; its exit status."""
    parser = _parser()
    own, program, native = sys.argv[1:], None, None
    try:
        asked = {"-h", "--help"} & set(own[:2])
        if own[:1] == ["run"] and (found := words.native(own)) is not None:
            own, native = found
        elif (own[:1] == ["run"] and not asked) or (
            own[:1] in (["tap"], ["vhost-user"]) and "--python" in own
        ):
            own, rest = words.split(own)
            program = words.parse(rest)
    except words.UsageError as error:
        parser.error(str(error))
    arguments, further = parser.parse_known_args(own)
    if further and arguments.command != "packetdrill":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    if arguments.command == "run" and (foreign := _of_the_other_way(arguments, native is not None)):
        parser.error(foreign)
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
                without=arguments.without,
                lockstep=not arguments.no_lockstep,
                trace=arguments.trace,
            )
            return command.run(job, waves=arguments.waves, console=console)
        if arguments.command == "waves":
            from tb.waves import command as viewer

            return viewer.run(arguments.out.resolve(), arguments.at, console)
        if arguments.command == "report":
            from tb.report import command as reporter

            return reporter.run(arguments.out.resolve(), show=arguments.open, console=console)
        if arguments.command in ("tap", "vhost-user"):
            return _link(arguments, program)
        if native is not None:
            return _native(arguments, native)
        if program is not None:
            from tb.run import command as runner

            return runner.run(
                program,
                runner.Settings(
                    nic=arguments.nic,
                    host=arguments.host,
                    seed=arguments.seed,
                    limit=arguments.limit,
                    sockets=arguments.ss,
                ),
            )
        if arguments.command == "packetdrill":
            return _packetdrill(arguments, further, console)
        if arguments.command == "regress":
            from tb.regress import command as regress

            return regress.main(
                arguments.seeds,
                arguments.only,
                arguments.scheduler,
                arguments.jobs,
                not arguments.no_coverage,
                console,
            )
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
