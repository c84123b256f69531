"""What the scenarios share: small socket programs that report what every call did, on two implementations.

Each is run twice by the test_*_against_linux: on this machine's kernel and on a simulated host. So they
import inside, they reach nothing beyond 127/8, and they report nothing that may differ by chance
(port numbers, sizes of buffers nobody set). `SETTLE` lets segments in flight arrive.
"""

SETTLE = 0.02


def attempt(call, *args):
    """What `call(*args)` returns, or its error's class and errno."""
    try:
        result = call(*args)
    except (OSError, TypeError, ValueError, OverflowError) as error:
        return type(error).__name__, getattr(error, "errno", None)
    return result


def mask(sock):
    """poll(2)'s view, all bits asked for."""
    import select

    poller = select.poll()
    poller.register(sock, 0x20C7)
    ready = poller.poll(0)
    return ready[0][1] if ready else 0


def pair(prepare=lambda listener: None):
    """A connected client and server on 127.0.0.1; the listener is closed."""
    import socket

    listener = socket.socket()
    prepare(listener)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.socket()
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    return client, server
