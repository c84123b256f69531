"""Processes that a program under `fdwire run` starts: on its own simulated host, or beside the simulation."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tb import cli

PROGRAMS = {
    "a Python child has the streams, arguments, directory and environment that it is given":
        """
code = "import os, sys; print(sys.stdin.read().upper(), sys.argv, os.getcwd(), os.environ['A'], os.getppid())"
done = run([python, "-uW", "error", "-c", code, "x"], input="hello", cwd="/", env={"A": "b"})
assert done.stdout == f"HELLO ['-c', 'x'] / b {os.getpid()}\\n" and done.returncode == 0, done
assert os.getcwd() != "/" and "A" not in os.environ
assert run([python, "-"], input="print(6 * 7)").stdout == "42\\n"
code = "import sys; print(sys.flags.ignore_environment, sys.flags.isolated, sys.flags.dev_mode)"
assert run([python, "-I", "-X", "dev", "-c", code]).stdout == "1 1 True\\n"
assert sys.flags.isolated == 0
assert run([python, "-V"]).stdout == "Python " + sys.version.split()[0] + "\\n" """,
    "a child's end is told as by a real one":
        """
for code, status, error in (
    ("import sys; sys.exit(3)", 3, ""),
    ("import sys; sys.exit('why')", 1, "why"),
    ("import os; os._exit(300)", 44, ""),
    ("import os, time; os.kill(os.getpid(), 9); time.sleep(9)", -9, ""),
    ("import signal; signal.raise_signal(signal.SIGTERM)", -15, ""),
    ("1/0", 1, "ZeroDivisionError: division by zero"),
    ("import threading; threading.Thread(target=lambda: print('late')).start()", 0, ""),
):
    done = run([python, "-c", code])
    assert (done.returncode, done.stderr.rstrip().split(chr(10))[-1]) == (status, error), done
assert done.stdout == "late\\n"
trace = run([python, "-c", "def f(): 1/0\\nf()"]).stderr
assert trace.count("File") == 2 and "pymodel" not in trace, trace""",
    "finalizers of a child's globals run at its end, and see the others":
        """
code = "import sys\\nclass A:\\n  def __del__(self): print('in __del__', sys is not None)\\na = A()"
assert run([python, "-c", code]).stdout == "in __del__ True\\n" """,
    "parent and child talk over the simulated loopback interface and inherited sockets":
        """
listener = socket.create_server(("127.0.0.1", 0))
code = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'net')"
child = subprocess.Popen([python, "-c", code, str(listener.getsockname()[1])])
connection, _ = listener.accept()
assert connection.recv(9) == b"net" and child.wait() == 0
a, b = socket.socketpair()
code = f"import socket; s = socket.socket(fileno={b.fileno()}); s.sendall(b'inherited ' + s.recv(9))"
child = subprocess.Popen([python, "-c", code], pass_fds=[b.fileno()])
b.close()
a.sendall(b"x")
assert (a.recv(20), a.recv(20), child.wait()) == (b"inherited x", b"", 0)
assert run([python, "-c", f"import os; os.fstat({a.fileno()})"]).returncode == 1""",
    "a child that sleeps takes simulated time, and can be stopped":
        """
began = time.monotonic()
assert run([python, "-c", "import time; time.sleep(1000)"]).returncode == 0
assert 1000 <= time.monotonic() - began < 1001
child = subprocess.Popen([python, "-c", "import time; time.sleep(1000)"])
assert child.poll() is None
try:
    child.wait(5)
except subprocess.TimeoutExpired:
    child.terminate()
assert child.wait() == -15 and time.monotonic() - began < 1007
seen = []
signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
child = subprocess.Popen([python, "-c", "import time; time.sleep(1)"])
fd = os.pidfd_open(child.pid)
assert select.select([fd], [], [], 0.5) == ([], [], []) and not seen
assert select.select([fd], [], [], 5) == ([fd], [], []) and seen == [1]
assert os.waitpid(child.pid, os.WNOHANG) == (child.pid, 0)
try:
    os.waitpid(child.pid, 0)
except ChildProcessError:
    pass
else:
    raise AssertionError""",
    "what cannot be executed is told as by a real exec":
        """
for arguments, options, expected in (
    (["/nowhere/to/be/found"], {}, FileNotFoundError),
    ([os.devnull], {}, PermissionError),
    ([python, "-c", ""], {"cwd": "/nowhere"}, FileNotFoundError),
    ([python, "-c", ""], {"preexec_fn": lambda: 1 / 0}, subprocess.SubprocessError),
):
    try:
        subprocess.run(arguments, **options)
    except expected:
        continue
    raise AssertionError(arguments)""",
    "any other program runs beside the simulation":
        """
assert run(["echo", "hello"]).stdout == "hello\\n"
assert run("cat; echo error >&2; exit 7", shell=True, input="x" * 300000).stdout == "x" * 300000
done = run("echo error >&2; kill -9 $$", shell=True)
assert (done.returncode, done.stderr) == (-9, "error\\n")
child = subprocess.Popen(["seq", "20000"], stdout=subprocess.PIPE)
assert child.wait() == 0  # there is more than the simulated pipe holds
assert child.stdout.read().split() == [b"%d" % number for number in range(1, 20001)]
child = subprocess.Popen(["sleep", "100"])
time.sleep(0.01)
child.kill()
assert child.wait() == -9
async def talk():
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
    return await child.communicate(b"through")
assert asyncio.run(talk()) == (b"through", None)
with open("out.txt", "w") as file:
    subprocess.run(["echo", "to a file"], stdout=file)
    subprocess.run([python, "-c", "print('too')"], stdout=file)
assert open("out.txt").read() == "to a file\\ntoo\\n" """,
    "parent and child have an asyncio accelerator each":
        """
code = "import asyncio, asyncio.tasks as t, asyncio.events as e; print(t.Task is t._CTask, id(t.Task)); "
code += "print(asyncio.run(asyncio.sleep(7, 'slept')), e.get_running_loop is e._c_get_running_loop)"
lines = run([python, "-c", code]).stdout.split()
tasks = asyncio.tasks
assert lines[0::2] == ["True", "slept"] and lines[3] == "True" and tasks.Task is tasks._CTask, lines
assert int(lines[1]) != id(tasks.Task) and asyncio.run(asyncio.sleep(7, 8)) == 8""",
    "/dev/stdin and /dev/fd are the simulated descriptors":
        """
code = "print(open('/dev/fd/0').fileno() > 2, open('/dev/stdin').read())"
assert run([python, "-c", code], input="abc").stdout == "True abc\\n" """,
}  # fmt: skip

HEAD = """import asyncio, os, select, signal, socket, subprocess, sys, time
python = sys.executable
def run(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, **options)
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_starts_others(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path, name: str
) -> None:
    script = tmp_path / "program.py"
    script.write_text(HEAD + PROGRAMS[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fdwire", "run", "--python", str(script)])
    assert cli.main() == 0, capsys.readouterr().err
