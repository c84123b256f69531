"""The view of every socket and TCB, as ss(8) gives it."""

from pymodel.socket import AsyncSocket, blocking, sleep
from pymodel.socket.ss import rows, table


async def one_of_each(kernel):
    """A listener with a waiting connection, a connection with data both ways, UDP: the rows and the table."""
    listener, client, other, udp = AsyncSocket(), AsyncSocket(), AsyncSocket(), AsyncSocket(type=2)
    listener.bind(("127.0.0.1", 80))
    listener.listen(5)
    await client.connect(("127.0.0.1", 80))
    server, _ = await listener.accept()
    await other.connect(("127.0.0.1", 80))
    udp.bind(("127.0.0.1", 53))
    await client.send(b"12345")
    await sleep(0.01)
    await blocking(kernel.close(udp._process, other.fileno()))
    await sleep(0.01)
    return rows(kernel), table(kernel), server.getpeername()


def test_every_socket_is_shown_with_state_queues_owner_and_figures(stack):
    found, _, client = stack.run(one_of_each, stack.kernel, name="prog")
    by_state = {(row.kind, row.state): row for row in found}
    listener = by_state["tcp", "LISTEN"]
    assert (listener.receive_queue, listener.send_queue, listener.local) == (1, 5, (b"\x7f\0\0\1", 80))
    assert listener.owner == ("prog", 1, 3) and listener.info["state"] == 10
    server = next(row for row in found if row.state == "ESTAB" and row.receive_queue)
    assert server.receive_queue == 5 and server.remote[1] == client[1]
    assert server.info["snd_cwnd"] == 10 and server.info["bytes_received"] in (0, 5)
    assert by_state["udp", "UNCONN"].local == (b"\x7f\0\0\1", 53)


async def unix_sockets(kernel):
    """A listener with a waiting connection in the abstract name space, and a pair with data."""
    process = kernel.processes[1]
    call = [kernel.socket(process, 1), kernel.socket(process, 1)]
    listener, client = [await blocking(c) for c in call]
    await blocking(kernel.bind(process, listener, (b"\0door", 0)))
    await blocking(kernel.listen(process, listener, 7))
    await blocking(kernel.connect(process, client, (b"\0door", 0)))
    one, _ = await blocking(kernel.socketpair(process, 1, 2))
    await blocking(kernel.send(process, one, b"12345"))
    return rows(kernel), table(kernel)


def test_unix_sockets_are_shown_with_their_paths(stack):
    found, text = stack.run(unix_sockets, stack.kernel, name="prog")
    shown = [(row.kind, row.state, row.receive_queue, row.local[0], row.remote[0]) for row in found]
    assert shown == [
        ("u_str", "LISTEN", 1, b"\0door", b""),
        ("u_str", "ESTAB", 0, b"", b"\0door"),
        ("u_dgr", "ESTAB", 0, b"", b""),
        ("u_dgr", "ESTAB", 5, b"", b""),
    ]
    assert found[0].send_queue == 7 and found[2].send_queue > 5 and found[0].owner == ("prog", 1, 3)
    assert any(
        line.split()[:5] == ["u_str", "ESTAB", "0", "0", "*"] and "@door" in line for line in text.split("\n")
    )


def test_connections_without_a_descriptor_are_shown_without_an_owner(stack):
    found, text, _ = stack.run(one_of_each, stack.kernel)
    orphans = [row for row in found if row.owner is None]
    assert {row.state for row in orphans} == {"FIN-WAIT-2", "CLOSE-WAIT"}
    assert any(name == "timewait" and 59e12 < left <= 60e12 for row in orphans for name, left in row.timers)
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["Netid", "State", "Recv-Q", "Send-Q"] and len(lines) == len(found) + 1
    assert any("127.0.0.1:80 " in line and "LISTEN" in line for line in lines)
    assert any(
        "FIN-WAIT-2" in line and "timer:(timewait,60s)" in line and "cwnd:10" in line for line in lines
    )


def test_unsent_data_and_its_timers_are_shown(stack):
    async def program(kernel):
        listener, client = AsyncSocket(), AsyncSocket()
        listener.setsockopt(1, 8, 3000)
        listener.listen()
        await client.connect(listener.getsockname())
        await client.send(bytes(100_000))
        await sleep(0.5)
        return [row for row in rows(kernel) if row.owner and row.owner[2] == 4]

    (row,) = stack.run(program, stack.kernel)
    assert row.send_queue > 90_000 and row.info["notsent_bytes"] > 90_000
    assert {name for name, _ in row.timers} & {"on", "persist"}
