"""`-m tb.links.iperf3 -s [-1] [-p PORT]` or `-c HOST [-p PORT] [-t SECONDS | -n BYTES] [-R] …`."""

import argparse
import sys

from tb.links.iperf3 import client, server
from tb.links.iperf3.control import PORT, STREAMS, TestFailed

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _size(text: str) -> int:
    unit = text[-1].upper() if text[-1:].isalpha() else ""
    size = round(float(text[: len(text) - len(unit)]) * _UNITS.get(unit, 0))
    if size <= 0:
        raise ValueError
    return size


def _streams(text: str) -> int:
    number = int(text)
    if not 1 <= number <= STREAMS:
        raise ValueError
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 16:
        raise ValueError
    return number


_size.__name__ = "number of bytes (10M, 1G, …)"
_streams.__name__ = f"number of streams (1 to {STREAMS})"
_port.__name__ = "port"


def main(arguments: list[str]) -> int:
    """Run a server or a client; the exit status. One sentence for what goes wrong."""
    parser = argparse.ArgumentParser(prog="iperf3", description="Measure TCP's throughput against an iperf3.")
    role = parser.add_mutually_exclusive_group(required=True)
    role.add_argument("-s", "--server", action="store_true")
    role.add_argument("-c", "--client", metavar="HOST")
    parser.add_argument("-p", "--port", type=_port, default=PORT)
    parser.add_argument("-1", "--one-off", action="store_true", help="server: end after one test")
    parser.add_argument("-t", "--time", type=float, default=10, metavar="SECONDS")
    parser.add_argument("-n", "--bytes", type=_size, default=0, metavar="N", help="instead of a time")
    parser.add_argument("-l", "--length", type=_size, default=1 << 17, help="bytes of one call of send")
    parser.add_argument("-P", "--parallel", type=_streams, default=1, metavar="STREAMS")
    parser.add_argument("-R", "--reverse", action="store_true", help="the server sends")
    parser.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="so long the server may take to come up"
    )
    given = parser.parse_args(arguments)
    try:
        if given.server:
            server.serve(given.port, once=given.one_off)
            return 0
        wanted = client.Wanted(
            seconds=given.time,
            count=given.bytes,
            length=given.length,
            parallel=given.parallel,
            reverse=given.reverse,
        )
        print("\n".join(client.run((given.client, given.port), wanted, patience=given.wait)))
    except (TestFailed, OSError) as error:
        print(f"iperf3: error - {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
