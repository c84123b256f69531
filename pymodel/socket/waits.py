"""What the threads of a process wait for, in words: for the sentence about a deadlock."""

import os
from collections.abc import Iterator
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from pymodel.socket.constants import AF_UNIX
from pymodel.socket.dropin.netdb import dotted
from pymodel.socket.sock import Socket

if TYPE_CHECKING:
    from pymodel.socket.process import Process


def _chain(call: Any) -> Iterator["GeneratorType[Any, Any, Any]"]:
    while isinstance(call, GeneratorType):
        yield call
        call = call.gi_yieldfrom


def _describe(process: "Process", call: Any) -> str:
    found = "something that nothing will wake"
    for part in _chain(call):
        if part.gi_frame is None:
            continue
        variables = part.gi_frame.f_locals
        name = part.gi_code.co_name
        if name == "wait" and "queue" in variables:
            return "a lock, an event or another thread"
        if "process" not in variables or not hasattr(process.kernel, name):
            continue
        fd = variables.get("fd", variables.get("epfd"))
        if fd is None:
            found = f"{name}()"
            break
        file = process.files.peek(fd)
        found = f"{name}() on descriptor {fd}"
        if isinstance(file, Socket):
            host, port = file.local_name()
            unix = file.family == AF_UNIX
            found += f" ({os.fsdecode(host)})" if unix else f" ({dotted(host)}:{port})"
        break
    return found


def blocked(process: "Process") -> list[str]:
    """For each thread of `process`, what it is blocked in."""
    return [f"{thread.name} waits in {_describe(process, thread.call)}" for thread in process.threads]
