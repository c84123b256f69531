"""CPython's own tests, run by `fdwire run` with the drop-in modules in place of the interpreter's.

What a simulated host does not have is left out by name: fork, terminals and AF_INET6.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("test.test_socket", reason="this Python came without its own tests")

FDWIRE = str(Path(sys.executable).with_name("fdwire"))

ABSENT = (*("*_pty*", "*get_event_loop_new_process*", "*LogRecordTest.test_multiprocessing"),)
"""Tests of what is not there: terminals, and processes that are forked."""

MODULES = (
    *("test_logging", "test_queue", "test_urllib2", "test_ftplib", "test_poplib", "test_docxmlrpc"),
    *("test_wsgiref", "test_robotparser", "test_asyncio.test_subprocess", "test_asyncio.test_runners"),
    *("test_asyncio.test_futures2", "test_asyncio.test_futures", "test_asyncio.test_tasks"),
    *("test_select", "test_poll", "test_selectors", "test_epoll", "test_timeout", "test_socketserver"),
    *("test_asyncore", "test_asynchat", "test_telnetlib", "test_smtplib", "test_imaplib", "test_xmlrpc"),
    *("test_httplib", "test_httpservers", "test_urllib2_localnet", "test_ssl", "test_socket"),
    *("test_asyncio.test_events", "test_asyncio.test_streams", "test_asyncio.test_sock_lowlevel"),
    *("test_asyncio.test_ssl", "test_asyncio.test_sslproto"),
    *("test_asyncio.test_sendfile", "test_asyncio.test_server", "test_asyncio.test_base_events"),
    *("test_asyncio.test_unix_events", "test_asyncio.test_selector_events"),
)


@pytest.mark.slow
@pytest.mark.timeout(1000)  # with threads that hand over to each other all the time, on a busy machine
@pytest.mark.parametrize("module", MODULES)
def test_module_passes_over_the_simulated_host(module: str, tmp_path: Path) -> None:
    ignored = [word for pattern in ABSENT for word in ("-i", pattern)]
    command = [FDWIRE, "run", "--python", "-m", "test", "-u", "network,cpu", *ignored, module]
    # Each run names its files after its process, and that is number 1 in every one of them.
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=900,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0 and "SUCCESS" in done.stdout, (done.stdout + done.stderr)[-6000:]
