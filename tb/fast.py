"""`make fast`: simulator and host stack compiled for speed. Arguments: which of them, both by default."""

import sys
from collections.abc import Callable
from pathlib import Path

from tb import compile_stack, toolchain, verilate
from tb.cosim import guided

PARTS: dict[str, tuple[Callable[[Callable[[str], None]], Path], str]] = {
    "simulator": (guided.build, "every run without waves"),
    "stack": (compile_stack.build, "every command but `fdwire sim`"),
}
"""How each is made, and who uses it."""


def main(arguments: list[str]) -> int:
    """Make them; 0, or 1 after one sentence on standard error, 130 after Ctrl-C."""
    try:
        for name in arguments or PARTS:
            build, user = PARTS[name]
            made = build(lambda text: print(f"{text} …", flush=True))
            print(f"the {name}: {made.relative_to(toolchain.BUILD.parent)}; {user} uses it")
    except (toolchain.ToolMissing, toolchain.PlaceUnusable, verilate.BuildFailed, RuntimeError) as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fdwire: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
