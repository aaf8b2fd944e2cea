"""What runs on a Dask worker: the sweep's files, handed out once to each, and the runs."""

import signal
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import Worker, WorkerPlugin

from services.sweep.bundle_file import Bundle
from services.sweep.folds import Window
from services.sweep.workshop_file import Workshop

_workshops: dict[str, Workshop] = {}
"""This worker's, by the name of their kit."""


class Kit(WorkerPlugin):
    """A sweep's files for a worker.

    Args:
        bundle: the files.
        ignores_interrupts: Ctrl-C on the terminal is the business of the process that started the worker.
    """

    idempotent = True

    def __init__(self, bundle: Bundle, *, ignores_interrupts: bool) -> None:
        self.name = f"lap-sweep-{bundle.digest[:16]}"
        self._bundle = bundle
        self._ignores_interrupts = ignores_interrupts
        self._directory: TemporaryDirectory[str] | None = None

    def setup(self, worker: Worker) -> None:
        """Unpack; called in each worker, also in one that comes later."""
        if self._ignores_interrupts:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        directory = TemporaryDirectory(dir=worker.local_directory, prefix=f"{self.name}-", ignore_cleanup_errors=True)
        self._directory = directory
        _workshops[self.name] = Workshop(self._bundle, Path(directory.name))

    def teardown(self, worker: Worker) -> None:
        """Forget it and take its files away."""
        _workshops.pop(self.name, None)
        if self._directory is not None:
            self._directory.cleanup()


def perform(kit: str, settings: Mapping[str, Any], window: Window | None) -> dict[str, Any]:
    """Play one run; see `Workshop.perform`."""
    return _workshops[kit].perform(settings, window)
