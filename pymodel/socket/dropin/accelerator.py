"""asyncio's accelerator in C, for one process.

Such a module keeps what it has imported in variables of its library, so processes cannot share it. Each gets
a library of its own: the interpreter's, loaded from a copy of the file. What it refers to stays loaded.
"""

import os
import shutil
import tempfile
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from types import ModuleType

NAME = "_asyncio"


def load() -> ModuleType:
    """A fresh one, for the process that runs. ImportError: the interpreter has none in a file of its own."""
    real = PathFinder.find_spec(NAME)
    if real is None or not isinstance(real.loader, ExtensionFileLoader) or real.origin is None:
        raise ModuleNotFoundError(f"No module named {NAME!r}", name=NAME)
    handle, path = tempfile.mkstemp(suffix=os.path.basename(real.origin))
    os.close(handle)
    try:
        shutil.copyfile(real.origin, path)
        loader = ExtensionFileLoader(NAME, path)
        module: ModuleType = loader.create_module(ModuleSpec(NAME, loader, origin=path))
        loader.exec_module(module)
    finally:
        os.unlink(path)
    return module
