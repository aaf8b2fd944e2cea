"""Workers of a Dask cluster, started on this machine, or there already.

A cluster on this machine listens on loopback alone, encrypted with keys that are made for it and held in memory: who
can reach a Dask scheduler can run code on its workers. One elsewhere is secured by its own Dask configuration.

The data travel once to each worker, also to one that joins later or is started again: as a plugin that the scheduler
hands out.
"""

import logging
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
from distributed import Client, LocalCluster, Security
from distributed.comm.core import CommClosedError

from services.clock import monotonic_ms
from services.sweep.bundle_file import Bundle
from services.sweep.errors import BrokenOffError, SweepError
from services.sweep.folds import Window
from services.sweep.scheduler import Playing
from services.sweep.worker_dask import Kit, perform

CONNECT_SEC = 5
MOST_HANDLES = 4_096
PATIENCE_MS = 60_000
"""How long it is waited for a first or another worker."""
_CHECK_MS = 1_000
_SCRATCH = "workers-"
_ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?[^/:]+:\d+|((tcp|tls|ws|wss)://)?\[[0-9A-Fa-f:]+\]:\d+")
_QUIET = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.comm.timeouts.connect": f"{CONNECT_SEC}s",
}
"""No pages to look at."""


class DaskPool:
    """Workers of a Dask cluster."""

    def __init__(self, client: Client, kit: Kit, address: str) -> None:
        self._executor = client.get_executor(pure=False)
        self._client = client
        self._name = kit.name
        self._address = address
        self._workers = 0
        self._checked_ms = self._seen_ms = monotonic_ms()

    @property
    def width(self) -> int:
        """Two runs a worker: one to work on, one to go on with."""
        return 2 * self._workers + 1

    def submit(self, settings: Mapping[str, Any], window: Window | None) -> Playing:
        """Hand in a run."""
        running: Playing = self._executor.submit(perform, self._name, settings, window)
        return running

    def check(self) -> None:
        """Count the workers.

        Raises:
            BrokenOffError: the scheduler does not answer, or there has been no worker for long.
        """
        now_ms = monotonic_ms()
        if self._workers and now_ms - self._checked_ms < _CHECK_MS:
            return
        self._checked_ms = now_ms
        try:
            self._workers = len(self._client.nthreads())
        except (OSError, CommClosedError, TimeoutError):
            raise BrokenOffError(f"the scheduler at {self._address} is gone; the same command goes on") from None
        if self._workers:
            self._seen_ms = now_ms
        elif now_ms - self._seen_ms > PATIENCE_MS:
            raise BrokenOffError(f"there is no worker at {self._address}; the same command goes on")


@contextmanager
def local_cluster(workers: int, bundle: Bundle, directory: Path) -> Iterator[DaskPool]:
    """Start workers on this machine, each a process; they end with the block, or with this process.

    Args:
        workers: how many.
        bundle: what they work with.
        directory: for their files meanwhile.
    """
    for left in directory.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)  # of a sweep that was killed
    security = Security.temporary()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        _allow_handles()
        place = None if sys.platform == "win32" else directory  # a path there is short, or the system's temporary one
        scratch = stack.enter_context(TemporaryDirectory(dir=place, prefix=_SCRATCH, ignore_cleanup_errors=True))
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=security,
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                local_directory=scratch,
                silence_logs=50,
            )
        )
        client = stack.enter_context(Client(cluster, security=security, set_as_default=False))
        yield stack.enter_context(_with_kit(client, bundle, "this machine", is_ours=True))


@contextmanager
def cluster_at(address: str, bundle: Bundle) -> Iterator[DaskPool]:
    """Use the cluster of a scheduler.

    Args:
        address: such as `tcp://192.168.1.5:8786`, or a scheduler file (`dask scheduler --scheduler-file`).
        bundle: what its workers work with.

    Raises:
        SweepError: no scheduler answers there.
    """
    is_file = Path(address).is_file()
    if not is_file and not _ADDRESS.fullmatch(address):
        raise SweepError(f"--scheduler takes tcp://host:port, tls://host:port or a scheduler's file, was {address!r}")
    if not is_file:
        _check_voice(address)
    where = {"scheduler_file": address} if is_file else {"address": address}
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        try:
            client = stack.enter_context(Client(**where, timeout=CONNECT_SEC, set_as_default=False))
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            raise SweepError(f"no scheduler answers at {address}: {_first_line(error)}") from None
        yield stack.enter_context(_with_kit(client, bundle, address, is_ours=False))


def _allow_handles() -> None:
    """Let this process open as many files as it may: it holds some fifteen for each worker, and a Mac begins with 256."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not there on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MOST_HANDLES if hard < 0 else min(hard, MOST_HANDLES)
        if 0 <= soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Dask's log be silent: it tells of what is then done again, and of what we tell in a sentence."""
    with dask.config.set(_QUIET):
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


@contextmanager
def _with_kit(client: Client, bundle: Bundle, address: str, *, is_ours: bool) -> Iterator[DaskPool]:
    """Hand the bundle to all workers; take it back from those that go on without us."""
    kit = Kit(bundle, ignores_interrupts=is_ours)
    client.register_plugin(kit)
    yield DaskPool(client, kit, address)
    if not is_ours:
        with suppress(OSError, CommClosedError, TimeoutError):
            client.unregister_worker_plugin(kit.name)


def _check_voice(address: str) -> None:
    """See that whoever listens there speaks first, as a scheduler does; Dask would wait for one that is silent for ever.

    Raises:
        SweepError: nobody listens, or it says nothing.
    """
    scheme, _, place = address.rpartition("://")
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SEC) as link:
            if scheme in {"", "tcp"} and not link.recv(1):
                raise SweepError(f"no scheduler answers at {address}: it hangs up")
    except TimeoutError:
        raise SweepError(f"no scheduler answers at {address}: it says nothing for {CONNECT_SEC} s") from None
    except (OSError, OverflowError) as error:
        raise SweepError(f"no scheduler answers at {address}: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
