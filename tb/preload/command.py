"""`fdwire run -- PROGRAM`: over golden NICs here, or over the RTL in a simulator."""

import os
import sys
from dataclasses import replace

from tb import toolchain
from tb.preload import golden, library, rtl
from tb.preload.errors import PreloadError
from tb.preload.options import Options


def run(options: Options) -> int:
    """Run it; the exit status is the program's, 128 and more: a signal's.

    Raises PlaceUnusable, before anything else happens; with the RTL ToolMissing, BuildFailed and EndedEarly,
    too.
    """
    toolchain.writable(options.directory)
    try:
        program = library.find(options.words[0])
        chosen = replace(
            options,
            words=(str(program), *options.words[1:]),
            library=str(library.build()),
            environment=dict(os.environ),
        )
        return golden.run(chosen) if options.nic == "golden" else rtl.run(chosen)
    except PreloadError as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 1
