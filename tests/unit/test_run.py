"""`fdwire run --python`: programs on a simulated host, their output, their exit status, and their ends."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tb import cli
from tb.run.words import UsageError, Words, parse, split

ECHO = """
import socket, sys, threading, time
listener = socket.create_server(("127.0.0.1", 7))
def serve():
    connection, _ = listener.accept()
    connection.sendall(connection.recv(100).upper())
threading.Thread(target=serve).start()
began = time.monotonic()
time.sleep(1000)
with socket.create_connection(("localhost", 7)) as s:
    s.sendall(" ".join(sys.argv[1:]).encode())
    print(s.recv(100).decode(), round(time.monotonic() - began), __name__)
"""


def fdwire(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fdwire", "run", *arguments])
    return cli.main()


def test_script_runs_in_simulated_time_with_its_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    began = time.monotonic()
    assert fdwire(monkeypatch, "--python", str(script), "two", "--words") == 0
    assert capsys.readouterr().out == "TWO --WORDS 1000 __main__\n"
    assert time.monotonic() - began < 30


def test_module_finds_its_neighbours_and_main_is_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    (tmp_path / "helper_of_run.py").write_text("value = 'helped'\n")
    (tmp_path / "main_of_run.py").write_text(
        "import sys, helper_of_run\nprint(helper_of_run.value, sys.modules['__main__'].helper_of_run.value)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert fdwire(monkeypatch, "--python", "-m", "main_of_run") == 0
    assert capsys.readouterr().out == "helped helped\n"
    assert "helper_of_run" not in sys.modules


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("pass", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit('gone wrong')", 1, "gone wrong\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os; os._exit is None; raise KeyError('x')", 1, "KeyError: 'x'\n"),
    ],
)
def test_exit_status_and_complaint_are_pythons(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, code: str, status: int, told: str
) -> None:
    assert fdwire(monkeypatch, "--python", "-c", code) == status
    error = capsys.readouterr().err
    assert error.endswith(told) and "pymodel" not in error


REGRESSIONS = {
    "negative time limits of poll() that round to 0 are none":
        """import os, select, threading, time
r, w = os.pipe()
p = select.poll(); p.register(r, select.POLLIN)
t = threading.Thread(target=p.poll, args=(-1e-100,)); t.start(); t.join(0.1)
assert t.is_alive(); os.write(w, b"x"); t.join()""",
    "a failed send() keeps no hold of the program's buffer":
        """import socket
l = socket.create_server(("127.0.0.1", 0)); a = socket.create_connection(l.getsockname())
b, _ = l.accept(); b.close()
data = bytearray(b"x" * 100)
a.send(data)
try:
    a.send(data)
except OSError:
    data.clear()
assert not data""",
    "a signal that comes with its wake-up byte leaves no second wake-up behind":
        """import asyncio, signal, threading
for _ in range(2):
    loop = asyncio.new_event_loop()
    loop.add_signal_handler(signal.SIGALRM, loop.stop)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    loop.run_forever()
    loop.close()
    thread = threading.Thread(target=lambda: None)
    thread.start(); thread.join()""",
    "an OSError keeps no socket alive":
        """import gc, socket, weakref
gc.disable()
s = socket.socket()
try:
    s.getpeername()
except OSError:
    pass
gone = weakref.ref(s); s.close(); del s
assert gone() is None""",
    "a handshake over loopback is over when a non-blocking connect() returns":
        """import select, socket
listener = socket.create_server(("127.0.0.1", 0))
s = socket.socket(); s.setblocking(False)
assert s.connect_ex(listener.getsockname()) == 115
e = select.epoll(); e.register(listener, select.EPOLLIN)
assert e.poll(0) == [(listener.fileno(), select.EPOLLIN)]""",
    "a copy of a file's descriptor is a file's":
        """import os, select, sys
fd = os.open(sys.executable, os.O_RDONLY); copy = os.dup(fd); os.close(fd)
assert os.read(copy, 4) == b"\\x7fELF"
p = select.poll(); p.register(copy, select.POLLIN)
assert p.poll() == [(copy, select.POLLIN)]
p.register(9999, select.POLLIN)
assert (9999, select.POLLNVAL) in p.poll(0)""",
    "a file touched by the program was touched in simulated time":
        """import os, sys, tempfile, time
with tempfile.NamedTemporaryFile() as file:
    time.sleep(5)
    first = os.stat(file.name)
    assert first.st_mtime == time.time() == os.fstat(file.fileno()).st_mtime, first
    time.sleep(5)
    assert os.lstat(file.name).st_mtime_ns == first.st_mtime_ns
    file.write(b"x"); file.flush()
    assert int(os.stat(file.name).st_mtime) == int(first.st_mtime) + 5
    os.utime(file.name, (7, 8.5))
    assert os.stat(file.name)[7:9] == (7, 8) and os.stat(file.name).st_mtime == 8.5""",
    "a drop-in module that was deleted and is imported again is the drop-in":
        """import sys, time
old = time.monotonic, sys.modules.pop("time"), sys.modules.pop("_queue")
import time
assert time.monotonic is old[0] and time.monotonic() < 60
try:
    import _queue
except ModuleNotFoundError as error:
    assert error.name == "_queue"
else:
    raise AssertionError""",
    "a file is always ready for select(), and a closed one is no descriptor":
        """import select, sys
with open(sys.executable, "rb") as file:
    fd = file.fileno()
    assert select.select([fd], [], [], 5) == ([fd], [], [])
try:
    select.select([fd], [], [], 0)
except OSError as error:
    assert error.errno == 9, error
else:
    raise AssertionError""",
    "finalizers that the garbage collector runs make their calls in the program's thread":
        """import gc, os, time
r, w = os.pipe2(os.O_NONBLOCK)
class Ring:
    def __init__(self):
        self.me, self.file = self, open(os.dup(r), "rb")
    def __del__(self):
        os.write(w, b"x")
gc.set_threshold(50)
for _ in range(200):
    Ring()
    time.sleep(0.001)
gc.collect()
assert len(os.read(r, 1000)) == 200
assert os.dup(r) == 5""",
    "local time is UTC until TZ and tzset() say otherwise":
        """import datetime, os, time
assert time.localtime(0)[:5] == (1970, 1, 1, 0, 0) and time.timezone == 0
os.environ["TZ"] = "STD-1DST,M3.2.0,M11.1.0"
time.tzset()
assert time.localtime(2000000000)[3:5] == (5, 33) and time.mktime(time.localtime(7)) == 7
assert (time.timezone, time.tzname) == (-3600, ("STD", "DST"))
assert datetime.datetime.fromtimestamp(2000000000).hour == 5
assert datetime.datetime.now().hour == 1 and datetime.datetime.utcnow().hour == 0
del os.environ["TZ"]
time.tzset()
assert time.localtime(2000000000)[3:5] == (3, 33) and time.tzname == ("UTC", "UTC")""",
    "a thread that sends signals without end lets others run":
        """import signal, threading
seen, stop = [], False
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
def work():
    while not stop:
        signal.raise_signal(signal.SIGUSR1)
thread = threading.Thread(target=work); thread.start()
while len(seen) < 10:
    signal.getsignal(signal.SIGUSR1); threading.Event().wait(1e-6)
stop = True; thread.join()""",
    "a wake-up byte of a signal that cannot be written is warned of":
        """import contextlib, io, os, signal
signal.signal(signal.SIGALRM, lambda *_: None)
r, w = os.pipe2(os.O_NONBLOCK)
def warning():
    with contextlib.redirect_stderr(io.StringIO()) as told:
        signal.raise_signal(signal.SIGALRM)
    return told.getvalue()
signal.set_wakeup_fd(w); assert warning() == "" and os.read(r, 9) == bytes([signal.SIGALRM])
signal.set_wakeup_fd(r); assert "Exception ignored when trying to write to the signal wakeup fd" in warning()
while os.get_blocking(w) is False:
    try:
        os.write(w, b"x" * 4096)
    except BlockingIOError:
        break
signal.set_wakeup_fd(w); assert "[Errno 11]" in warning()
signal.set_wakeup_fd(w, warn_on_full_buffer=False); assert warning() == "" """,
    "RLIMIT_NOFILE bounds the descriptors of the simulated process":
        """import os, resource, select, socket
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1024, 4096)
resource.setrlimit(resource.RLIMIT_NOFILE, (5, 4096))
a = socket.socket(); b = os.dup(a.fileno())
for call in (socket.socket, os.pipe, select.epoll, lambda: os.dup(b)):
    try:
        call()
    except OSError as error:
        assert error.errno == 24, error
    else:
        raise AssertionError(call)
resource.setrlimit(resource.RLIMIT_NOFILE, (2048, 2048))
assert os.dup2(b, 2047) == 2047
p = select.poll(); p.register(2047, select.POLLIN)
assert p.poll(0)[0][0] == 2047
try:
    select.select([2047], [], [], 0)
except ValueError:
    pass
else:
    raise AssertionError
for limits in ((5, 4), (1, 1 << 40)):
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    except ValueError:
        continue
    raise AssertionError(limits)""",
    "a numeric IPv6 address is an address, and no socket can use it":
        """import socket
found = socket.getaddrinfo("::1", 80, type=socket.SOCK_STREAM)
assert found == [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 80, 0, 0))], found
try:
    socket.socket(socket.AF_INET6)
except OSError as error:
    assert error.errno == 97, error""",
    "a datagram beyond the MTU leaves in fragments, unless IP_PMTUDISC_DO":
        """import socket, threading
s = socket.socket(type=socket.SOCK_DGRAM); s.connect(("b", 7))
assert s.send(b"x" * 65507) == 65507
s.setsockopt(socket.IPPROTO_IP, 10, 2)
assert s.send(b"x" * 1472) == 1472
try:
    s.send(b"x" * 1473)
except OSError as error:
    assert error.errno == 90, error
else:
    raise AssertionError""",
}  # fmt: skip


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regression_in_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path, name: str
) -> None:
    script = tmp_path / "program.py"
    script.write_text(REGRESSIONS[name])
    assert fdwire(monkeypatch, "--python", str(script)) == 0, capsys.readouterr().err


@pytest.mark.slow
def test_script_runs_over_the_rtl(monkeypatch: pytest.MonkeyPatch, capfd: Any, tmp_path: Path) -> None:
    script = tmp_path / "echo.py"
    script.write_text(
        "import socket, threading\n"
        "def serve(listener):\n    c, _ = listener.accept()\n    c.sendall(c.recv(100).upper())\n"
        "listener = socket.create_server(('127.0.0.1', 7))\n"
        "threading.Thread(target=serve, args=(listener,)).start()\n"
        "s = socket.create_connection(('127.0.0.1', 7)); s.sendall(b'over'); print(s.recv(10))\n"
        "u = socket.socket(type=socket.SOCK_DGRAM); u.connect(('b', 9)); u.send(b'through the NIC')\n"
        "try:\n    u.settimeout(1); u.recv(1)\nexcept ConnectionRefusedError:\n    print('refused')\n"
    )
    assert fdwire(monkeypatch, "--nic", "rtl", "--python", str(script)) == 0
    assert "b'OVER'\nrefused" in capfd.readouterr().out


@pytest.mark.slow
def test_regression_output_over_the_rtl_follows_what_the_file_held(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given, held = tmp_path / "given", tmp_path / "held"
    given.write_text("from the shell\n")
    code = "import sys; print(sys.stdin.read(), end=''); print('an error', file=sys.stderr)"
    saved = [os.dup(fd) for fd in (0, 1, 2)]
    with given.open() as source, held.open("w") as target:
        target.write("before\n")
        target.flush()
        try:
            for fd, file in enumerate((source, target, target)):
                os.dup2(file.fileno(), fd)
            status = fdwire(monkeypatch, "--nic", "rtl", "--python", "-c", code)
        finally:
            for fd, copy in enumerate(saved):
                os.dup2(copy, fd)
                os.close(copy)
    lines = held.read_text().splitlines()
    assert status == 0 and lines[0] == "before" and {"from the shell", "an error"} <= set(lines)


def test_program_that_wants_to_fork_is_told_why_it_cannot(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    code = "import os\nassert not hasattr(os, 'fork')\nos.fork()"
    assert fdwire(monkeypatch, "--python", "-c", code) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("cannot fork: the copy would share the simulation (subprocess works)")


def test_deadlock_ends_with_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    code = "import socket, threading\nl = threading.Lock(); l.acquire()\n"
    code += "threading.Thread(target=l.acquire, name='worker').start()\n"
    code += "socket.create_server(('', 80)).accept()"
    assert fdwire(monkeypatch, "--python", "-c", code) == 75
    error = capsys.readouterr().err
    assert error.startswith("fdwire: deadlock at 0.") and error.count("\n") == 1
    assert "waits in accept() on descriptor 3 (0.0.0.0:80)" in error
    assert "waits in a lock, an event or another thread" in error


def test_limit_ends_a_program_that_goes_on_for_ever(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    code = "import time\nwhile True: time.sleep(1)"
    assert fdwire(monkeypatch, "--limit", "50", "--python", "-c", code) == 75
    assert capsys.readouterr().err.startswith("fdwire: not done within 50 s at 5")


def test_sockets_left_are_shown_on_demand(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    code = "import socket; a = socket.create_server(('', 99)); b = socket.create_connection((NAME, 99), 1)\n"
    code += "c, _ = a.accept(); b.close(); c.close()"
    assert fdwire(monkeypatch, "--ss", "--host", "b", "--python", "-c", code.replace("NAME", "'a'")) == 1
    assert "ConnectionRefusedError" in capsys.readouterr().err
    assert fdwire(monkeypatch, "--ss", "--host", "b", "--python", "-c", code.replace("NAME", "'b'")) == 0
    table = capsys.readouterr().err
    assert table.startswith("Netid  State") and "TIME-WAIT" in table and "10.0.0.2:99" in table


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "say which program"),
        (["script.py"], "say which program"),
        (["--python"], "nothing follows --python"),
        (["--python", "-m"], "nothing follows -m"),
        (["--python", "-X", "dev"], "only -m and -c"),
        (["--nic", "fpga", "--python", "x.py"], "invalid choice"),
        (["--limit", "-3", "--python", "x.py"], "invalid number of seconds"),
    ],
)
def test_wrong_command_line_is_told_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        fdwire(monkeypatch, *words)
    assert stop.value.code == 2 and complaint in capsys.readouterr().err


def test_words_behind_python_belong_to_the_program() -> None:
    own, rest = split(["--nic", "golden", "--python", "-m", "pkg", "--nic", "rtl"])
    assert own == ["--nic", "golden"] and parse(rest) == Words("module", "pkg", ("--nic", "rtl"))
    assert parse(["-c", "code", "-m"]) == Words("code", "code", ("-m",))
    with pytest.raises(UsageError):
        split(["-m", "pkg"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--limit", "5", "--", "true"), "--limit is for --python"),
        (("--peer", "nc -l 80", "--python", "-c", "0"), "--peer is for programs after --"),
        (("--beside", "nc -l 80", "--python", "-c", "0"), "--beside is for programs after --"),
        (("--out", "here", "--python", "-c", "0"), "--out is for programs after --"),
    ],
)
def test_regression_option_of_the_other_way_in_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit):
        fdwire(monkeypatch, *words)
    assert said in capsys.readouterr().err
