"""Where jobs run: on the cores of this machine, or on the workers of a Dask cluster."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from typing import Protocol

from tb.regress.job import Job, Outcome, stop

Run = Callable[[Job, bool], Outcome]
_AGAIN = 0.05
"""Seconds until jobs are ended once more: one that was just about to begin is late for the first time."""


class Place(Protocol):
    """Somewhere to run jobs."""

    def outcomes(self, jobs: Sequence[Job], run: Run, count: bool) -> Iterator[Outcome]:
        """Run all `jobs`; each one's outcome as it comes, once."""


class Cores:
    """`number` jobs at a time on this machine."""

    def __init__(self, number: int) -> None:
        self._number = number

    def outcomes(self, jobs: Sequence[Job], run: Run, count: bool) -> Iterator[Outcome]:
        """See `Place`. When the caller stops early, what has not begun does not begin, and what runs ends."""
        pool = ThreadPoolExecutor(self._number)
        futures = [pool.submit(run, job, count) for job in jobs]
        try:
            for done in as_completed(futures):
                yield done.result()
        finally:
            for future in futures:
                future.cancel()
            stop()
            while wait(futures, timeout=_AGAIN).not_done:
                stop()
            pool.shutdown()


class Unreachable(Exception):
    """There is no scheduler at the address; the text is the whole message."""


class Cluster:
    """The workers of the Dask scheduler at `address`, e.g. ``tcp://10.0.0.7:8786``.

    A worker is a clone of the project with `make env` done, and `.venv/bin/dask worker ADDRESS` in it. A job
    under which a worker died is given to another one by the scheduler (until so many have died that it might
    be the job's fault: `distributed.scheduler.allowed-failures`); a job is one future, and a future has one
    result, so nothing is lost and nothing counted twice however often it ran.
    """

    def __init__(self, address: str, timeout: float = 10) -> None:
        self._address = address
        self._timeout = timeout

    def outcomes(self, jobs: Sequence[Job], run: Run, count: bool) -> Iterator[Outcome]:
        """See `Place`. Raises Unreachable."""
        from distributed import Client
        from distributed import as_completed as completed

        with contextlib.ExitStack() as stack:
            try:
                client = stack.enter_context(
                    Client(self._address, timeout=self._timeout, set_as_default=False)
                )
            except OSError:
                raise Unreachable(f"no Dask scheduler answers at {self._address}") from None
            futures = {client.submit(run, job, count, pure=False, key=job.name): job for job in jobs}
            for future in completed(list(futures), loop=client.loop):
                if future.status == "finished":
                    yield future.result()
                else:
                    yield Outcome(futures[future], False, f"it could not be run: {future.exception()}")
                future.release()
