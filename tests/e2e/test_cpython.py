"""CPython's own tests, run by `fdwire run` with the drop-in modules in place of the interpreter's.

What a simulated host does not have is left out by name: processes beside it, terminals, AF_UNIX and AF_INET6.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("test.test_socket", reason="this Python came without its own tests")

FDWIRE = str(Path(sys.executable).with_name("fdwire"))

ABSENT = (
    *("*TestLinuxAbstractNamespace*", "*_subprocess_*", "*_pty*", "*get_event_loop_new_process*"),
    *("*test_read_all_from_pipe_reader", "*test_env_var_debug", "*test_Time2Internaldate"),
    "*TestSSL.test_handshake_timeout_handler_leak",
)
"""Tests of what is not there. The last but one wants a time zone, and every simulated host is in UTC; the
last one counts the references that asyncio's accelerator in C keeps, and its Python sources keep more."""

MODULES = (
    *("test_select", "test_poll", "test_selectors", "test_epoll", "test_timeout", "test_socketserver"),
    *("test_asyncore", "test_asynchat", "test_telnetlib", "test_smtplib", "test_imaplib", "test_xmlrpc"),
    *("test_httplib", "test_httpservers", "test_urllib2_localnet", "test_ssl", "test_socket"),
    *("test_asyncio.test_events", "test_asyncio.test_streams", "test_asyncio.test_sock_lowlevel"),
    *("test_asyncio.test_ssl", "test_asyncio.test_sslproto"),
    *("test_asyncio.test_sendfile", "test_asyncio.test_server", "test_asyncio.test_base_events"),
)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_module_passes_over_the_simulated_host(module: str, tmp_path: Path) -> None:
    ignored = [word for pattern in ABSENT for word in ("-i", pattern)]
    command = [FDWIRE, "run", "--python", "-m", "test", "-u", "network,cpu", *ignored, module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, (done.stdout + done.stderr)[-6000:]
