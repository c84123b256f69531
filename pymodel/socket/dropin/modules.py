"""Makes the set of replaced modules of one process, by the names that programs import."""

import _random
import functools
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pymodel.socket import constants
from pymodel.socket.dropin import (
    cfcntl,
    clock,
    cos,
    cresource,
    cselect,
    csocket,
    dates,
    locks,
    netdb,
    signals,
    subprocesses,
    threads,
    tls,
)

if TYPE_CHECKING:
    from pymodel.socket.process import Process

ABSENT = ("_queue", "_asyncio")
"""Modules that programs do not find: a queue would block for real, and processes cannot share asyncio's
accelerator (`accelerator`). `queue` and `asyncio` then fall back to their own Python sources."""

_SOCKET = (
    *("AF_", "SOCK_", "IPPROTO_", "SO_", "SOL_", "SOMAXCONN", "TCP_", "UDP_", "IP_", "IPV6_", "IPPORT_"),
    *("MSG_", "SHUT_", "SCM_", "AI_", "EAI_", "NI_", "INADDR_"),
)
"""What of our numbers the `socket` module has."""

CONSTANTS = {name: value for name, value in vars(constants).items() if name.isupper()}


def build(process: "Process") -> dict[str, ModuleType | None]:
    """Name → drop-in module; None makes the import fail with ModuleNotFoundError."""
    sockets = {name: value for name, value in CONSTANTS.items() if name.startswith(_SOCKET)}
    polls = {name: value for name, value in CONSTANTS.items() if name.startswith(("POLL", "EPOLL"))}
    modules: dict[str, ModuleType | None] = dict.fromkeys(ABSENT)
    encryption = tls.contents()
    modules["_ssl"] = None if encryption is None else _module("_ssl", encryption)
    modules["__main__"] = ModuleType("__main__")
    for module in (
        _module("_socket", sockets, netdb.EXPORTS, csocket.EXPORTS),
        _module("select", polls, cselect.EXPORTS),
        _module("time", clock.EXPORTS),
        _module("datetime", dates.EXPORTS),
        _module("_thread", locks.LOW_LEVEL, threads.LOW_LEVEL, {"interrupt_main": signals.interrupt_main}),
        _atexit(process),
        _random_source(process),
        _module("fcntl", cfcntl.EXPORTS),
        _module("resource", cresource.EXPORTS),
        _module("_signal", signals.contents(process)),
        _module("_posixsubprocess", {"fork_exec": subprocesses.fork_exec}),
        *cos.modules(process, _module),
    ):
        modules[module.__name__] = module
    return modules


def _module(name: str, *contents: dict[str, Any]) -> ModuleType:
    module = ModuleType(name, f"{name} of a simulated host")
    module.__spec__ = ModuleSpec(name, None)
    for content in contents:
        vars(module).update({key: _builtin(value) for key, value in content.items()})
    return module


def _builtin(value: Any) -> Any:
    """Our functions as C functions are: no methods when they are attributes of a class."""
    if not isinstance(value, FunctionType) or not value.__module__.startswith("pymodel."):
        return value
    made: Any = functools.partial(value)
    made.__name__, made.__qualname__, made.__doc__ = value.__name__, value.__qualname__, value.__doc__
    return made


def _atexit(process: "Process") -> ModuleType:
    def register(function: Any, *args: Any, **kwargs: Any) -> Any:
        process.at_exit.append((function, lambda: function(*args, **kwargs)))
        return function

    def unregister(function: Any) -> None:
        process.at_exit[:] = [entry for entry in process.at_exit if entry[0] != function]

    return _module("atexit", {"register": register, "unregister": unregister})


def _random_source(process: "Process") -> ModuleType:
    """The generator below `random`: unseeded ones follow from the simulation's seed."""

    class Random(_random.Random):
        def seed(self, a: Any = None, /) -> None:
            super().seed(process.random.getrandbits(256) if a is None else a)

    return _module("_random", {"Random": Random})
