"""Holds for every test: what tests start can be interrupted, wherever they themselves were started, and runs
the sources, whatever `make fast` has left; no example of a property has to be quick: time on a busy machine
is no measure."""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

os.environ.setdefault("FDWIRE_COMPILED", "off")

# A shell has its background jobs ignore SIGINT (POSIX XCU 2.11), and all that they start inherits it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
