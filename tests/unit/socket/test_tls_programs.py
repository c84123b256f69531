"""Unmodified `ssl` over simulated sockets: blocking, with a time limit, and under asyncio."""

import subprocess

import pytest

pytest.importorskip("ssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost"
    )
    command += f" -addext subjectAltName=DNS:localhost -keyout {path} -out {path}.crt"
    try:
        subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl is not installed")
    path.write_text(path.read_text() + path.with_suffix(".pem.crt").read_text())
    return str(path)


def exchange(pem, timeout):
    import hashlib
    import socket
    import ssl
    import threading

    listener = socket.create_server(("127.0.0.1", 0))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(pem)
    trusted = ssl.create_default_context(cafile=pem)
    data = bytes(range(256)) * 2000

    def serve():
        connection, _ = listener.accept()
        with served.wrap_socket(connection, server_side=True) as tls:
            got = b""
            while len(got) < len(data):
                got += tls.recv(65536)
            tls.sendall(hashlib.sha256(got).digest())
            tls.unwrap().close()

    thread = threading.Thread(target=serve)
    thread.start()
    plain = socket.create_connection(listener.getsockname(), timeout)
    with trusted.wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(data)
        answer = tls.recv(100)
        version, end = tls.version(), tls.recv(1)
    thread.join()
    return answer == hashlib.sha256(data).digest(), version, end


@pytest.mark.parametrize("timeout", [None, 5])
def test_both_ways_arrive_whole_over_tls(ethernet, certificate, timeout):
    assert ethernet.run(exchange, certificate, timeout) == (True, "TLSv1.3", b"")


def test_certificate_that_nobody_trusts_is_refused(stack, certificate):
    def program(pem):
        import socket
        import ssl
        import threading

        listener = socket.create_server(("127.0.0.1", 0))
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(pem)
        told = []

        def serve():
            try:
                served.wrap_socket(listener.accept()[0], server_side=True)
            except ssl.SSLError as error:
                told.append(error.reason)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            ssl.create_default_context().wrap_socket(
                socket.create_connection(listener.getsockname()), server_hostname="localhost"
            )
        except ssl.SSLCertVerificationError as error:
            told.append(error.reason)
        thread.join()
        return sorted(told)

    assert stack.run(program, certificate) == ["CERTIFICATE_VERIFY_FAILED", "TLSV1_ALERT_UNKNOWN_CA"]


def test_handshake_with_a_silent_peer_ends_after_the_time_limit(stack):
    def program():
        import socket
        import ssl
        import time

        listener = socket.create_server(("127.0.0.1", 0))
        s = socket.create_connection(listener.getsockname(), 3)
        context = ssl._create_unverified_context()
        try:
            context.wrap_socket(s)
        except TimeoutError as error:
            return str(error), round(time.monotonic())

    assert stack.run(program) == ("The handshake operation timed out", 3)


def test_asyncio_streams_run_over_tls(stack, certificate):
    def program(pem):
        import asyncio
        import ssl

        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(pem)

        async def shout(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        async def main():
            server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=served)
            port = server.sockets[0].getsockname()[1]
            trusted = ssl.create_default_context(cafile=pem)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusted, server_hostname="localhost"
            )
            writer.write(b"quiet\n")
            answer = await reader.readline()
            writer.close()
            server.close()
            return answer

        return asyncio.run(main())

    assert stack.run(program, certificate) == b"QUIET\n"
