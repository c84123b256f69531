"""Who copies the bytes? send() once, MSG_ZEROCOPY not at all, if the memory is one that the NIC reaches.

A program may lend its bytes instead of having them copied (Linux: Documentation/networking/msg_zerocopy.rst).
It leaves them as they are until the socket's error queue says that the kernel has done with them, and
whether it had to copy after all.
"""

import hashlib
from pathlib import Path

from pymodel.lab import Lab

CAPTURE = Path("build/examples/zero_copy.pcapng")
SIZE = 200_000
DATA = hashlib.shake_256(b"zero copy").digest(SIZE)


def server() -> str:
    import hashlib
    import socket

    with socket.create_server(("b", 7)) as listener:
        connection, _ = listener.accept()
        received = hashlib.sha256()
        while data := connection.recv(65536):
            received.update(data)
        return received.hexdigest()


def client(memory: memoryview, flags: int) -> list[str]:
    import select
    import socket
    import struct

    sock = socket.create_connection(("b", 7))
    sock.setsockopt(socket.SOL_SOCKET, 60, 1)  # SO_ZEROCOPY: Python has no name for it
    calls = sent = 0
    while sent < len(memory):
        sent += sock.send(memory[sent : sent + 50_000], flags)
        calls += 1
    told, over = [], 0
    poll = select.poll()
    poll.register(sock, 0)  # POLLERR comes unasked
    while flags and over < calls:
        poll.poll()
        _, ancillary, _, _ = sock.recvmsg(0, 512, 0x2000)  # MSG_ERRQUEUE
        # struct sock_extended_err: errno, origin, type, code, pad, info, data
        error, origin, _, code, _, first, last = struct.unpack_from("=IBBBBII", ancillary[0][2])
        assert (error, origin) == (0, 5)  # SO_EE_ORIGIN_ZEROCOPY
        told.append(f"calls {first} to {last} are over, {'copied after all' if code else 'not copied'}")
        over = last + 1
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
    return [f"{calls} calls", *told]


def transfer(way: str, *, registered: bool, flags: int, capture: Path | None) -> float:
    """Send everything; how often each byte was copied on host A."""
    with Lab(capture=capture) as lab:
        memory = lab.a.registered(SIZE) if registered else memoryview(bytearray(SIZE))
        memory[:] = DATA
        receiving = lab.b.spawn(server)
        sending = lab.a.spawn(client, memory, flags)
        copied, queues = 0, {}
        while not sending.done:
            lab.sleep(1e-6)
            queues |= {id(each): each.send_queue for each in lab.a.tcp.connections.values()}
        copied = sum(queue.copied for queue in queues.values()) + lab.a.device.stats.tx_copied
        told = lab.run(sending)
        assert lab.run(receiving) == hashlib.sha256(DATA).hexdigest()
    print(f"{way:42}{copied / SIZE:5.2f} copies of each byte; {told[0]}")
    for line in told[1:]:
        print(f"    {line}")
    return copied / SIZE


def main() -> None:
    zerocopy = 0x4000000  # MSG_ZEROCOPY
    once = transfer("send()", registered=False, flags=0, capture=None)
    never = transfer("send(MSG_ZEROCOPY), memory for DMA", registered=True, flags=zerocopy, capture=CAPTURE)
    late = transfer("send(MSG_ZEROCOPY), any other memory", registered=False, flags=zerocopy, capture=None)
    assert (once, never, late) == (1, 0, 1)
    print(f"{SIZE:,} bytes each time, with the same SHA-256; and the NIC is the same in all three")


if __name__ == "__main__":
    main()
