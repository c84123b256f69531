"""What each command of `fdwire` does."""

import argparse
import errno
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from rich.console import Console

from tb import toolchain
from tb.arguments import parser_of
from tb.cosim.errand import EndedEarly
from tb.run import words
from tb.toolchain import PlaceUnusable, ToolMissing
from tb.verilate import BuildFailed


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


def _is_there(program: words.Words) -> bool:
    """The script or module can be found; of a module in a package only the package is looked for."""
    if program.kind == "script":
        return Path(program.target).exists() and not Path(program.target).is_dir()
    if program.kind != "module":
        return True
    name = program.target.partition(".")[0]
    return bool(PathFinder.find_spec(name, [str(Path.cwd())]) or importlib.util.find_spec(name))


def main() -> int:
    """Run one command; its exit status."""
    parser = parser_of()
    own, program, native = sys.argv[1:], None, None
    if not own:
        parser.print_help(sys.stderr)
        return 2
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
    if program is not None and not _is_there(program):
        parser.error(f"there is no {program.kind} {program.target}")
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
    except PlaceUnusable as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 2
    except (ToolMissing, BuildFailed, EndedEarly) as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"fdwire: what it writes is not whole: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fdwire: interrupted", file=sys.stderr)
        return 130
