"""What each of fdwire's commands takes, and what `--help` says of it: a manual page each."""

import argparse
import math
import re
from collections.abc import Callable
from decimal import Decimal
from importlib import metadata
from pathlib import Path

from pymodel.simtime import MS, NS, US
from tb import toolchain
from tb.cosim.rtl_nic import BUGS
from tb.run import words

FATES = {
    "loss": "a frame is lost",
    "duplicate": "a frame arrives twice",
    "reorder": "a frame is overtaken by later ones",
    "corrupt": "bits of a frame flip, so that its FCS is wrong",
}
"""What can happen to a frame on the wire, each with a probability."""


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
    from pymodel.featurebits import features_in
    from pymodel.regs import FEATURES_OFFERED, FEATURES_REQUIRED

    names = tuple(text.replace(",", " ").upper().split())
    known = [feature.name for feature in features_in(FEATURES_OFFERED & ~FEATURES_REQUIRED)]
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
_count.__name__ = "number (1 or more)"
_waves.__name__ = "number of microseconds (or last: and a number, all, off)"
_time.__name__ = "time with its unit (ps, ns, us or ms)"
_seconds.__name__ = "number of seconds"
_probability.__name__ = "probability (0 to 1)"


class _Manual(argparse.HelpFormatter):
    """Fills what is prose, and leaves alone what has lines of its own."""

    def add_argument(self, action: argparse.Action) -> None:
        """As argparse does, which forgets that commands are indented, and breaks the line after long ones."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text.rstrip() if "\n" in text else super()._fill_text(text, width, indent)


_Add = Callable[..., argparse.ArgumentParser]


def parser_of() -> argparse.ArgumentParser:
    """Of the whole command line, but for what follows `--` and `--python` (tb/run/words.py)."""
    parser = argparse.ArgumentParser(
        prog="fdwire",
        formatter_class=_Manual,
        description="From a file descriptor to the wire: real programs, over sockets, TCP/IP, a "
        "virtio-net driver and packed rings, through the Verilog of a NIC in a simulator, and a "
        "golden model beside it that predicts what the NIC does.",
        epilog="""\
first:
  fdwire sim                         the main job; leaves build/sim/report.html and more
  fdwire report --open               look at it
  fdwire COMMAND --help              each command's options and examples

exit status:
  0 all is well; 1 something failed, and what is said; 2 the command line is wrong; 130 interrupted

environment:
  FDWIRE_BUILD    where everything goes (build)
  FDWIRE_FAILURES where what explains a failure goes (build/failures)
  FDWIRE_RTL      the directory of another NIC's Verilog (docs/own-nic.md)

README.md and docs/ (`make docs` makes pages of them) tell the rest.
""",
    )
    parser.add_argument("--version", action="version", version=f"fdwire {metadata.version('fdwire')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")

    def add(name: str, help: str, description: str, examples: str, **more: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=help,
            description=description,
            epilog=examples,
            formatter_class=_Manual,
            **more,  # type: ignore[arg-type]
        )

    _sim(add)
    _waves_of(add)
    _report(add)
    _run(add)
    _tap(add)
    _vhost(add)
    _packetdrill(add)
    _regress(add)
    _bench(add)
    return parser


def _out(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    parser.add_argument(
        "--out", type=Path, default=toolchain.BUILD / name, metavar="DIR", help=f"{what} (build/{name})"
    )


def _wire(parser: argparse.ArgumentParser) -> None:
    wire = parser.add_argument_group("the wire (probabilities from 0 to 1, each 0 unless given)")
    for name, what in FATES.items():
        wire.add_argument(f"--{name}", type=_probability, default=0.0, metavar="P", help=what)


def _without(parser: argparse._ActionsContainer, who: str) -> None:
    parser.add_argument(
        "--without",
        type=_features,
        default=(),
        metavar="FEATURE[,FEATURE]",
        help=f"virtio features that {who}, nor what needs them: CSUM, EVENT_IDX …",
    )


def _sim(add: _Add) -> None:
    sim = add(
        "sim",
        "the main job: HTTP through the RTL NIC, checked in lockstep",
        "Build the simulator if need be and send files both ways: host A, on the Verilog NIC, fetches a "
        "text and random bytes from host B over HTTP and posts the text back. A golden model predicts "
        "every frame, DMA transfer, used descriptor and interrupt of the NIC while it runs.",
        """\
examples:
  fdwire sim                              as `make sim` does it
  fdwire sim --loss 0.02 --reorder 0.05   a bad wire; every byte still arrives
  fdwire sim --trace --waves all          all that can be seen of the run
  fdwire sim --waves last:50              the 50 µs before the first mismatch, or the end
  fdwire sim --plant "used length"        a bug in the NIC; the check says what and when

leaves in the directory:
  report.html (the run as a page), summary.json, wire.pcapng (for Wireshark), waves.* (fdwire waves),
  trace.perfetto-trace with --trace (for ui.perfetto.dev)

exit status:
  0 if every file arrived whole and NIC and golden model agreed everywhere, else 1
""",
    )
    sim.add_argument("--bytes", type=_size, default=1 << 20, metavar="N", help="of random data (1 MiB)")
    sim.add_argument("--seed", type=int, default=1, metavar="N", help="decides everything random (1)")
    _out(sim, "sim", "where the results go")
    _wire(sim)
    nic = sim.add_argument_group("the NIC and the check")
    _without(nic, "host A's driver does not accept")
    nic.add_argument("--plant", choices=BUGS, default="", help="a bug to plant in the NIC")
    nic.add_argument("--no-lockstep", action="store_true", help="no golden model: faster, and unchecked")
    record = sim.add_argument_group("what is recorded")
    record.add_argument(
        "--waves",
        type=_waves,
        default="200",
        metavar="WHAT",
        help="µs from the start, last:µs, all or off (200)",
    )
    record.add_argument("--trace", action="store_true", help="every segment's way from system call to wire")


def _waves_of(add: _Add) -> None:
    waves = add(
        "waves",
        "open the waves of a run in GTKWave",
        "Open GTKWave with the signals in groups, states, registers and descriptors in words, and markers "
        "at the first doorbell, DMA burst, word sent, frame received and interrupt. Without GTKWave, or "
        "without a display, it says which file to open.",
        """\
examples:
  fdwire waves                         the last run of `fdwire sim`
  fdwire waves --at 14083.2ns          at a time that report.html or a trace named, with a marker

For Surfer there are commands beside: surfer -c build/sim/waves.sucl build/sim/waves.fst
""",
    )
    waves.add_argument("--at", type=_time, metavar="TIME", help="with its unit: 14083200ps, 14083.2ns, 14us")
    _out(waves, "sim", "directory of the run")


def _report(add: _Add) -> None:
    report = add(
        "report",
        "make a run's report.html once more, and show it",
        "Make report.html from summary.json and report.json of a run: one page that needs nothing beside "
        "itself. It has the figures, the check, each segment's journey, each connection as a sequence "
        "diagram, and plots.",
        """\
examples:
  fdwire report --open
  fdwire report --out build/sim
""",
    )
    report.add_argument("--open", action="store_true", help="show it in a browser")
    _out(report, "sim", "directory of the run")


def _run(add: _Add) -> None:
    run = add(
        "run",
        "run a program on a simulated host: any, or one in Python",
        "Run an unmodified program (docs/run.md). After -- it is any dynamically linked program: its "
        "sockets are the simulated host's, its clock is the wall's. After --python it is a Python "
        "program: its sockets, threads and clock are the simulated host's. 127.0.0.1 is the stack's own "
        "loopback, the hosts are a (10.0.0.1) and b (10.0.0.2).",
        """\
examples:
  fdwire run --peer 'python3 -m http.server 80' -- curl http://b/
  fdwire run --nic rtl --ss --python -c 'import socket; print(socket.gethostname())'

exit status:
  the program's; 128 and its number if a signal ended it
""",
        usage=words.USAGE,
    )
    run.add_argument("--nic", choices=("golden", "rtl"), default="golden", help="host A's NIC (golden)")
    run.add_argument("--host", choices=("a", "b"), default="a", help="where the program runs (a)")
    run.add_argument("--seed", type=int, default=1, metavar="N", help="decides everything random (1)")
    run.add_argument("--ss", action="store_true", help="show every socket of both hosts at the end")
    python = run.add_argument_group("with --python")
    python.add_argument("--limit", type=_seconds, metavar="S", help="simulated time that it may take")
    native = run.add_argument_group("with --")
    native.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="CMD",
        help="shell command on the other host, ended with the run (repeatable)",
    )
    native.add_argument(
        "--beside", action="append", default=[], metavar="CMD", help="the same on the same host"
    )
    native.add_argument("--out", type=Path, metavar="DIR", help="directory for the capture (build/run)")


def _link(link: argparse.ArgumentParser, name: str) -> None:
    """What `fdwire tap` and `fdwire vhost-user` both have."""
    link.add_argument("--seed", type=int, default=1, metavar="N", help="decides what is random here (1)")
    link.add_argument("--no-lockstep", action="store_true", help="no golden model: faster, and unchecked")
    _out(link, name, "directory for the capture")
    outside = link.add_argument_group("outside")
    outside.add_argument(
        "--exec", dest="execute", default="", metavar="CMD", help="shell command; the run ends with it"
    )
    outside.add_argument(
        "--peer", action="append", default=[], metavar="CMD", help="shell command beside it (repeatable)"
    )
    outside.add_argument(
        "--serve", type=_directory, metavar="DIR", help="what the host's HTTP gives and takes"
    )
    outside.add_argument("--name", type=_interface, default="fdwire0", help="of the TAP (fdwire0)")
    _wire(link)


def _tap(add: _Add) -> None:
    tap = add(
        "tap",
        "join a simulated host to the Linux kernel's own stack",
        "The simulated host is 10.0.0.1, the kernel 10.0.0.2, in a network namespace made for the run, "
        "behind a TAP (docs/tap.md). The host serves echo (7), discard (9), chargen (19) and, with "
        "--serve, HTTP (80); or it runs the Python program given last. Simulated time is the wall's as "
        "far as the machine keeps up.",
        """\
examples:
  fdwire tap --exec 'ping -c 5 10.0.0.1'
  fdwire tap --serve docs --exec 'curl http://10.0.0.1/LICENSE'
  fdwire tap                              until Ctrl-C

exit status:
  that of --exec's command; else 0, or 1 if something failed
""",
        usage="fdwire tap [options] [--python SCRIPT|-m MODULE|-c CODE [arguments]]",
    )
    tap.add_argument("--nic", choices=("golden", "rtl"), default="rtl", help="the host's NIC (rtl)")
    _link(tap, "tap")


def _vhost(add: _Add) -> None:
    vhost = add(
        "vhost-user",
        "let DPDK, QEMU or another vhost-user client drive the NIC",
        "The NIC for a vhost-user client (docs/vhost-user.md): its driver works on the NIC's rings, and "
        "the NIC reads and writes its memory. At the far end of the wire is the simulated host, 10.0.0.1, "
        "that serves as with fdwire tap, or with --tap the kernel.",
        """\
examples:
  fdwire vhost-user --socket /tmp/nic
  fdwire vhost-user --socket /tmp/nic --nic golden --without INDIRECT_DESC
""",
        usage="fdwire vhost-user --socket PATH [options] [--python SCRIPT|-m MODULE|-c CODE [arguments]]",
    )
    vhost.add_argument("--nic", choices=("golden", "rtl"), default="rtl", help="what the client drives (rtl)")
    vhost.add_argument("--socket", required=True, type=_path, metavar="PATH", help="where clients come to")
    vhost.add_argument("--connect", action="store_true", help="the client listens there; we connect")
    _without(vhost, "the client is not offered")
    vhost.add_argument("--tap", action="store_true", help="the kernel is at the far end, through a TAP")
    _link(vhost, "vhost-user")


def _packetdrill(add: _Add) -> None:
    drill = add(
        "packetdrill",
        "run packetdrill scripts over the stack, in simulated time",
        "Run scripts in the packetdrill language (docs/packetdrill.md), one after the other. Further "
        "options of the form --name=value are options of the scripts: --mtu=1400, --tolerance_usecs=10000 "
        "…",
        """\
examples:
  fdwire packetdrill tests/packetdrill/*/*.pkt
  fdwire packetdrill -v --nic rtl examples/packetdrill_through_rtl.pkt

exit status:
  0 only if every script passes
""",
    )
    drill.add_argument("--nic", choices=("golden", "rtl"), default="golden", help="below the driver (golden)")
    drill.add_argument("--profile", default="linux", metavar="NAME", help="whose TCP it has (linux)")
    drill.add_argument("--json", action="store_true", help="results as JSON on standard output, nothing else")
    drill.add_argument(
        "-D", "--define", action="append", default=[], metavar="NAME=VALUE", help="a name in the scripts"
    )
    drill.add_argument("-v", "--verbose", action="store_true", help="show what happened, line by line")
    drill.add_argument("files", nargs="+", type=Path, metavar="FILE.pkt", help="a script")


def _regress(add: _Add) -> None:
    regress = add(
        "regress",
        "each configuration with each of many seeds, in one table",
        "Run each configuration with each seed, here or on a Dask cluster, and show in one table what "
        "passed, with what of the RTL all of them reached (docs/regress.md). A failure is named with the "
        "command that repeats it.",
        """\
examples:
  fdwire regress --seeds 1-20
  fdwire regress --seeds 7,9-12 --only campaign --jobs 4
""",
    )
    regress.add_argument("--seeds", default="1-4", metavar="LIST", help="1-20 or 7,9-12 (1-4)")
    regress.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a configuration (repeatable; all)"
    )
    regress.add_argument("--jobs", type=_count, default=0, metavar="N", help="at a time (one a core)")
    regress.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster: tcp://10.0.0.7:8786")
    regress.add_argument(
        "--no-coverage", action="store_true", help="do not measure what of the RTL is reached"
    )


def _bench(add: _Add) -> None:
    add(
        "bench",
        "measure the NIC, the co-simulation and the host stack",
        "Measure the NIC's rate, latency and use of its bus, the co-simulation's speed against a bare "
        "loop, and what a packet costs the host stack. Half an hour on two cores that do nothing else.",
        """\
leaves in build/bench/: the figures as JSON, and plots (`make bench` installs what draws them)
""",
    )
