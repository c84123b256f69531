"""`fdwire tap`: into a namespace, then over the golden NIC here or over the RTL in a simulator."""

import os
import sys
from dataclasses import replace

from tb.links import golden, namespace, rtl
from tb.links.errors import LinkError
from tb.links.options import Options


def run(options: Options, arguments: list[str]) -> int:
    """Run it; the exit status. `arguments`: the command line, for the start inside the namespace."""
    try:
        if not namespace.inside():
            namespace.enter(arguments)
        environment = {key: value for key, value in os.environ.items() if key != namespace.INSIDE}
        chosen = replace(options, environment=environment)
        return golden.run(chosen) if options.nic == "golden" else rtl.run(chosen)
    except LinkError as error:
        print(f"fdwire: {error}", file=sys.stderr)
        return 1
