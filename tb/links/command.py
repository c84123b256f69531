"""`fdwire tap` and `fdwire vhost-user`: into a namespace if there is a TAP, then over the golden NIC here
or over the RTL in a simulator.
"""

import os
import sys
from dataclasses import replace

from tb import toolchain
from tb.links import golden, namespace, rtl
from tb.links.errors import LinkError
from tb.links.options import Options
from tb.links.vhost import listening


def run(options: Options, arguments: list[str]) -> int:
    """Run it; the exit status. `arguments`: the command line, for the start inside the namespace.

    Raises PlaceUnusable, before anything else happens; with the RTL ToolMissing, BuildFailed and EndedEarly,
    too.
    """
    toolchain.writable(options.directory)
    try:
        if options.tap and not namespace.inside():
            namespace.enter(arguments)
        environment = {key: value for key, value in os.environ.items() if key != namespace.INSIDE}
        chosen = replace(options, environment=environment)
        run_on = golden.run if options.nic == "golden" else rtl.run
        if not options.socket or options.connect:
            return run_on(chosen, None)
        with listening.listen(options.socket) as listener:
            try:
                return run_on(chosen, listener)
            finally:
                listening.unlink(options.socket)
    except LinkError as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 1
