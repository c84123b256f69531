"""Which modules a program sees: `sys.modules` of the interpreter, or of one simulated process.

While a program of the process runs, the interpreter's copies of all modules that are not `SHARED`
are taken out of `sys.modules` and the process's own are put in; whatever the program imports then is
loaded anew, on top of the drop-in modules, and kept for the next time. Real threads of other software
that import something in just that moment would see the drop-ins: simulations run none.
"""

import builtins
import dis
import io
import os
import sys
import types
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import BuiltinImporter, ExtensionFileLoader, FrozenImporter, ModuleSpec
from typing import TYPE_CHECKING, Any

from pymodel.socket.dropin import accelerator
from pymodel.socket.dropin.files import open_file
from pymodel.socket.dropin.modules import build

if TYPE_CHECKING:
    from pymodel.socket.process import Process

SHARED = {
    # The interpreter's own state, and classes whose identity matters across modules.
    *("__mp_main__", "ast", "builtins", "codecs", "collections", "contextlib", "copy", "copyreg"),
    *("ctypes", "dataclasses", "decimal", "dis", "encodings", "enum", "faulthandler", "fractions"),
    *("functools", "heapq", "importlib", "inspect", "io", "keyword", "linecache", "numbers", "opcode"),
    *("operator", "pickle", "re", "reprlib", "site", "string", "struct", "sys", "textwrap", "token"),
    *("tokenize", "traceback", "types", "typing", "typing_extensions", "warnings"),
    # The simulation itself, and what tests are made of.
    *("pymodel", "tb", "cocotb", "cocotb_tools", "cocotbext", "pygpi", "find_libpython"),
    *("pytest", "_pytest", "pluggy", "hypothesis", "coverage", "execnet", "xdist", "numpy"),
}
"""Top-level names of modules that programs share with the interpreter. May be added to."""

_OPEN = io.open

_SHARED_LOADERS = (BuiltinImporter, FrozenImporter)

NEVER_REAL = frozenset({"asyncio", "select", "selectors", "socket", "_socket", "subprocess", "ssl"})
"""Modules that reach the real network or block for real: no program may hold one of them."""


def is_private(name: str, module: types.ModuleType | None, replaced: frozenset[str]) -> bool:
    """Whether a process has its own copy of `module`. C code and frozen modules cannot be loaded twice."""
    if name in replaced:
        return True
    if name.partition(".")[0] in SHARED or module is None:
        return False
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return not (loader in _SHARED_LOADERS or isinstance(loader, ExtensionFileLoader))


class _Real:
    """What is known of the interpreter's own `sys.modules`; stale when `mark` differs."""

    mark: tuple[int, str | None] = (0, None)
    hidden: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


def _mark() -> tuple[int, str | None]:
    # New modules are appended, so length and last name tell whether anything was imported.
    return len(sys.modules), next(reversed(sys.modules), None)


class _Finder(MetaPathFinder, Loader):
    """Finds the drop-in modules for a program that deletes them from `sys.modules` and imports them anew."""

    def __init__(self, modules: dict[str, types.ModuleType | None], accelerated: bool) -> None:
        self._modules = modules
        self._accelerated = accelerated

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for what is not replaced; ModuleNotFoundError for what programs must not find."""
        if name not in self._modules:
            return None
        if name == accelerator.NAME and self._accelerated and self._modules[name] is None:
            self._modules[name] = accelerator.load()
        if self._modules[name] is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return ModuleSpec(name, self)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        """The drop-in, as it is."""
        return self._modules[spec.name]

    def exec_module(self, module: types.ModuleType) -> None:
        """It is complete."""


SYS_ATTRIBUTES = ("argv", "flags", "path", "stdin", "stdout", "stderr")
"""What of `sys` is the process's own, once it has been set from outside or by the program."""


class Overlay:
    """The modules of one process, and its `attributes` of `sys` (those of `SYS_ATTRIBUTES`)."""

    def __init__(self, process: "Process", attributes: dict[str, Any]) -> None:
        self._process = process
        self._outside = ""
        """The interpreter's working directory, while a process that has its own runs."""
        self._own: dict[str, Any] = build(process)
        self._finder = _Finder(dict(self._own), process.kernel.accelerators)
        self._replaced = frozenset(self._own)
        if process.kernel.accelerators:
            del self._own[accelerator.NAME]  # found when it is wanted
        self._attributes = attributes
        self._saved: dict[str, types.ModuleType] = {}
        self._saved_attributes: dict[str, Any] = {}
        self._size = 0

    def enter(self) -> None:
        """Put the process's modules in place."""
        modules = sys.modules
        if _mark() != _Real.mark:
            _Real.hidden = tuple(n for n, m in modules.items() if is_private(n, m, self._replaced))
            _Real.names = frozenset(modules)
        self._saved = {name: modules.pop(name) for name in _Real.hidden}
        modules.update(self._own)
        self._size = len(modules)
        sys.meta_path.insert(0, self._finder)
        builtins.open = io.open = open_file
        self._saved_attributes = {key: getattr(sys, key) for key in SYS_ATTRIBUTES}
        for key, value in self._attributes.items():
            setattr(sys, key, value)
        if self._process.directory is not None:
            self._outside = os.getcwd()
            os.chdir(self._process.directory)

    def leave(self) -> None:
        """Put the interpreter's back, and keep what the program has imported meanwhile."""
        modules = sys.modules
        builtins.open = io.open = _OPEN
        if self._process.directory is not None:
            self._process.directory = os.getcwd()
            os.chdir(self._outside)
        if self._finder in sys.meta_path:  # the program may have taken it out
            sys.meta_path.remove(self._finder)
        for key, value in self._saved_attributes.items():
            if getattr(sys, key) is not value:
                self._attributes[key] = getattr(sys, key)
                setattr(sys, key, value)
        names = list(self._own)
        if len(modules) != self._size:
            shared = _Real.names.difference(self._saved)
            names = [name for name in modules if name not in shared]
        self._own = {name: modules.pop(name) for name in names if name in modules}
        modules.update(self._saved)
        self._saved = {}
        _Real.mark = _mark()


def check_program(program: Any) -> None:
    """ValueError if `program`'s code refers to a global that is, or comes from, a real network module.

    Such a function would get around the simulation: its module was imported outside of it.
    """
    function = getattr(program, "__func__", program)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    pending, names = [code], set[str]()
    while pending:
        code = pending.pop()
        names.update(i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
        pending.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    for name in sorted(names):
        value = function.__globals__.get(name)
        origin = None
        if isinstance(value, types.ModuleType):
            origin = value.__name__
        elif isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            origin = value.__module__
        if isinstance(origin, str) and _reaches_network(origin):
            raise ValueError(
                f"program {function.__name__} uses {name} of the real module {origin}: "
                f"import it inside the function, so that it gets the simulated one"
            )


def _reaches_network(name: str) -> bool:
    """Whether the loaded module `name` is, or holds, one of `NEVER_REAL`, or clocks and threads."""
    if name in NEVER_REAL or name in {"time", "threading", "_thread"}:
        return True
    module = sys.modules.get(name)
    if module is None or name.partition(".")[0] in SHARED:
        return False
    return any(
        isinstance(value, types.ModuleType) and value.__name__ in NEVER_REAL
        for value in vars(module).values()
    )
