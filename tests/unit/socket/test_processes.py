"""Processes and their threads: the baton, the end of programs, and what programs see of the interpreter."""

import contextlib
import http.client  # noqa: F401 (so that there is a real one to hide from programs)
import io
import signal
import socket as real_socket
import sys
import threading as real_threading
import time as real_time

import pytest
from sim_hosts import Host, fake_kernel

from pymodel.simtime import MS, SEC
from pymodel.socket import AsyncSocket, ProcessKilled, current_process, sleep, spawn


def test_two_programs_that_sleep_take_turns_in_simulated_time(host):
    log = []

    def program(name, period):
        import time

        for _ in range(3):
            time.sleep(period)
            log.append((name, time.monotonic()))

    host.finish(host.start(program, "a", 2), host.start(program, "b", 3))
    assert log == [("a", 2), ("b", 3), ("a", 4), ("b", 6), ("a", 6), ("b", 9)]
    assert host.scheduler.now == 9 * SEC


def test_program_that_computes_stops_simulated_time_and_all_others(host):
    seen = []

    def watcher():
        import time

        while time.monotonic() < 2:
            seen.append(time.monotonic())
            time.sleep(0.5)

    def computing():
        import time

        time.sleep(0.75)
        before = len(seen), time.monotonic()
        real_sleep(0.02)
        return before == (len(seen), time.monotonic())

    real_sleep = real_time.sleep
    assert host.finish(host.start(watcher), host.start(computing)) == [None, True]


@pytest.mark.parametrize("kind", ["clock", "lock", "socket", "flag"])
def test_program_that_polls_without_blocking_does_not_stop_time(host, kind):
    def program():
        import socket
        import threading
        import time

        flag, lock = threading.Event(), threading.Lock()
        threading.Timer(0.001, flag.set).start()
        lock.acquire()
        threading.Timer(0.001, lock.release).start()
        s = socket.create_server(("127.0.0.1", 0))
        s.setblocking(False)
        c = socket.socket()
        threading.Timer(0.001, lambda: c.connect(s.getsockname())).start()
        if kind == "clock":
            while time.monotonic() < 0.001:
                pass
        elif kind == "lock":
            while not lock.acquire(False):
                pass
        elif kind == "flag":
            while not flag.is_set():
                pass
        else:
            while True:
                try:
                    return s.accept() and None
                except BlockingIOError:
                    pass

    host.run(program)
    assert host.scheduler.now >= 1 * MS


def test_interpreter_sees_its_own_modules_again_after_each_switch(host):
    before = dict(sys.modules)
    argv, path, stdout = sys.argv, sys.path, sys.stdout

    def program():
        import contextlib
        import selectors
        import socket
        import sys
        import time

        sys.path.append("/nowhere")
        with contextlib.redirect_stdout(io.StringIO()) as mine:
            time.sleep(1)
            print("here")
        del sys.modules["selectors"]
        time.sleep(1)
        return socket, selectors, sys.argv, mine.getvalue()

    program_ = host.start(program)
    while not program_.done:
        host.scheduler.step()
        assert dict(sys.modules) == before
        assert (sys.argv, sys.path, sys.stdout) == (argv, path, stdout)
    simulated, selectors, its_argv, printed = program_.result()
    assert simulated is not real_socket and simulated.__file__ == real_socket.__file__
    assert its_argv == ["program"] and printed == "here\n" and "/nowhere" not in sys.path
    assert selectors.DefaultSelector is selectors.EpollSelector


def test_modules_of_two_processes_are_separate_and_kept(host):
    def program(value):
        import socket
        import time
        import urllib.request

        socket.setdefaulttimeout(value)
        urllib.request.marker = value
        time.sleep(1)
        import urllib.request as again

        return again.marker, socket.getdefaulttimeout(), socket.socket().gettimeout()

    assert host.finish(host.start(program, 5), host.start(program, 6)) == [(5, 5, 5), (6, 6, 6)]
    import urllib.request

    assert not hasattr(urllib.request, "marker")


def test_program_raising_leaves_the_interpreter_as_it_was(host):
    before = dict(sys.modules)

    def program():

        raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        host.run(program)
    assert dict(sys.modules) == before


def uses_a_real_module():
    return real_socket.socket()


def uses_a_real_function():
    def inner():
        return create_connection

    return inner


create_connection = real_socket.create_connection


@pytest.mark.parametrize("program", [uses_a_real_module, uses_a_real_function])
def test_program_that_would_reach_the_real_network_is_refused(host, program):
    with pytest.raises(ValueError, match="import it inside"):
        host.start(program)


@pytest.mark.parametrize("status, raised", [(None, False), (0, False), (2, True), ("text", True)])
def test_exit_status_of_a_program_that_calls_sys_exit(host, status, raised):
    def program():
        import sys

        sys.exit(status)

    if raised:
        with pytest.raises(SystemExit) as caught:
            host.run(program)
        assert caught.value.code == status
    else:
        assert host.run(program) is None


def test_program_returning_waits_for_threads_and_kills_daemons(host):
    log = []

    def program():
        import atexit
        import threading
        import time

        def work(name, seconds):
            try:
                time.sleep(seconds)
                log.append(name)
            finally:
                log.append(f"{name} unwound")

        threading.Thread(target=work, args=("worker", 5)).start()
        threading.Thread(target=work, args=("daemon", 9), daemon=True).start()
        threading.Thread(target=work, args=("quick daemon", 1), daemon=True).start()
        atexit.register(log.append, "at exit")
        atexit.register(log.append, "never")
        atexit.unregister(log.append)
        atexit.register(lambda: log.append("at exit"))
        return "value"

    assert host.run(program) == "value"
    assert log == [
        *("quick daemon", "quick daemon unwound", "worker", "worker unwound"),
        *("at exit", "daemon unwound"),
    ]
    assert host.scheduler.now == 5 * SEC


def test_exit_closes_descriptors_so_that_the_peer_sees_the_end(loopback):
    def server():
        import socket

        listener = socket.create_server(("127.0.0.1", 7))
        connection, _ = listener.accept()
        return connection.recv(9), connection.recv(9)

    def client():
        import socket

        global kept
        kept = socket.create_connection(("127.0.0.1", 7))
        kept.send(b"bye")

    assert loopback.finish(loopback.start(server), loopback.start(client))[0] == (b"bye", b"")


def test_socket_dropped_without_close_is_closed_at_the_next_switch(host):
    def program():
        import socket

        first = socket.socket().fileno()
        s = socket.socket()
        again = s.fileno()
        del s
        return first, again, socket.socket().fileno()

    assert host.run(program) == (3, 3, 3)


def test_thread_that_raises_or_exits_leaves_the_program_running(host):
    errors = io.StringIO()

    def program():
        import sys
        import threading

        for target in (sys.exit, lambda: 1 // 0):
            threading.Thread(target=target, name="worker").start()
        return "value"

    assert host.run(program, stderr=errors) == "value"
    assert errors.getvalue().startswith("Exception in thread worker:\nTraceback")
    assert errors.getvalue().endswith("ZeroDivisionError: integer division or modulo by zero\n")


def test_kill_unwinds_every_thread_and_frees_the_port(loopback):
    log = []

    def program():
        import socket
        import threading

        listener = socket.create_server(("127.0.0.1", 80))

        def worker():
            try:
                threading.Event().wait()
            finally:
                log.append("worker")

        threading.Thread(target=worker).start()
        try:
            listener.accept()
        except Exception:
            log.append("ProcessKilled must not be an Exception")
        finally:
            log.append("main")
            listener.close()

    def second():
        import socket

        socket.create_server(("127.0.0.1", 80)).close()

    victim = loopback.start(program)
    loopback.scheduler.run_until(1 * SEC)
    assert not victim.done and real_threading.active_count() > 2
    victim.kill()
    assert victim.done and sorted(log) == ["main", "worker"]
    with pytest.raises(ProcessKilled):
        victim.result()
    loopback.run(second)


def test_kill_before_the_first_step_ends_both_kinds_of_program(host):
    def thread_program():
        raise AssertionError("must not run")

    async def coroutine_program():
        raise AssertionError("must not run")

    for program in (host.start(thread_program), host.start(coroutine_program)):
        program.kill()
        with pytest.raises(ProcessKilled):
            program.result()


def test_program_that_swallows_its_end_is_reported(host):
    stubborn = []

    def program():
        import time

        while not stubborn:
            with contextlib.suppress(BaseException):
                time.sleep(1)

    program_ = host.start(program)
    host.scheduler.step()
    with pytest.raises(RuntimeError, match="cannot be killed"):
        program_.kill()
    stubborn.append(True)
    program_.process.threads[0].kill()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer(2) to interrupt")
@pytest.mark.parametrize("blocks_again", [True, False])
def test_interrupt_while_a_program_computes_leaves_it_killable(host, blocks_again):
    go_on = []
    before = dict(sys.modules)

    def program():
        import time

        while not go_on:
            pass
        if blocks_again:
            time.sleep(1)
            raise AssertionError("must have been killed")

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    program_ = host.start(program)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            host.scheduler.step()
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert dict(sys.modules) == before
    go_on.append(True)
    program_.kill()
    assert program_.done and not program_.process.threads


def test_coroutine_programs_have_a_process_and_sleep_in_simulated_time(host):
    async def program(seconds):
        before = current_process()
        await sleep(seconds)
        assert current_process() is before
        return before.name, before.pid, host.scheduler.now

    first = spawn(host.kernel, program, 2, name="first")
    second = spawn(host.kernel, program, 1, name="second")
    assert host.finish(first, second) == [("first", 1, 2 * SEC), ("second", 2, 1 * SEC)]
    with pytest.raises(RuntimeError, match="no simulated program runs here"):
        current_process()


def test_coroutine_killed_while_blocked_runs_its_finally_clauses(host):
    log = []

    async def program():
        async with AsyncSocket() as s:
            s.listen()
            try:
                await s.accept()
            finally:
                log.append("unwound")

    program_ = host.start(program)
    host.scheduler.run_until(1 * SEC)
    program_.kill()
    assert log == ["unwound"]
    assert host.kernel.processes == {}


def test_program_joined_by_another_hands_over_its_result(host):
    async def inner():
        await sleep(1)
        return 42

    async def outer(program):
        return await program.join()

    assert host.run(outer, host.start(inner)) == 42


def test_randomness_of_programs_follows_from_the_seed():
    def program():
        import os
        import random
        import tempfile
        import uuid

        names = next(tempfile._get_candidate_names())
        return random.random(), os.urandom(4), str(uuid.uuid4()), names, os.getpid()

    results = []
    for _ in range(2):
        host = Host(fake_kernel())
        results.append(host.finish(host.start(program), host.start(program)))
    assert results[0] == results[1]
    assert results[0][0] != results[0][1]


def test_program_that_raised_is_reported_unless_its_result_was_asked_for(host):
    from pymodel.socket import ProgramFailed, check_programs

    def broken():
        raise KeyError("told nobody")

    async def broken_coroutine():
        raise IndexError("nor here")

    def fine():
        raise SystemExit(0)

    first, second = host.start(broken), host.start(broken_coroutine)
    host.start(fine)
    killed = host.start(lambda: __import__("time").sleep(9))
    while not (first.done and second.done):
        host.scheduler.step()
    killed.kill()
    with pytest.raises(ProgramFailed) as caught:
        check_programs(host.kernel)
    assert "told nobody" in str(caught.value) and "nor here" in str(caught.value)
    assert "broken:" in str(caught.value) and "fine" not in str(caught.value)
    for program in (first, second):
        with pytest.raises(LookupError):
            program.result()
    check_programs(host.kernel)


def test_signal_of_a_timer_interrupts_the_call_or_lets_it_go_on(host):
    def program():
        import signal
        import socket
        import time

        seen = []
        signal.signal(signal.SIGALRM, lambda number, frame: seen.append((number, time.monotonic())))
        signal.setitimer(signal.ITIMER_REAL, 1, 2)
        time.sleep(4)
        ended = time.monotonic()
        signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
        listener = socket.create_server(("127.0.0.1", 0))
        try:
            listener.accept()
        except ZeroDivisionError:
            interrupted = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0)
        return seen, ended, interrupted, listener.fileno()

    seen, ended, interrupted, fd = host.run(program)
    assert seen == [(14, 1.0), (14, 3.0)] and (ended, interrupted, fd) == (4.0, 5.0, 3)


def test_descriptors_of_real_files_and_of_sockets_do_not_meet(host, tmp_path):
    def program(path):
        import os
        import socket
        import tempfile

        s = socket.socket()
        with open(path, "w") as file:
            file.write("kept")
            numbers = s.fileno(), file.fileno() >= 1024
            os.close(s.detach())
            file.write(" whole")
        with tempfile.TemporaryFile() as other:
            other.write(b"x")
        fd = os.open(path, os.O_RDONLY)
        data = os.read(fd, 99)
        os.close(fd)
        return numbers, data, os.fstat(0).st_mode != 0

    assert host.run(program, str(tmp_path / "file")) == ((3, True), b"kept whole", True)


def test_regression_sending_without_blocking_lets_time_pass(host):
    def program():
        import socket
        import time

        listener = socket.create_server(("127.0.0.1", 0))
        s = socket.create_connection(listener.getsockname())
        c, _ = listener.accept()
        while time.monotonic() < 0.04:
            s.send(b"x")
            c.recv(1)
        return time.monotonic() < 0.1

    assert host.run(program)
