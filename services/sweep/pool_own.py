"""The pool that is this very process: one run after the other, for a debugger, and without Dask."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.sweep.bundle_file import Bundle
from services.sweep.folds import Window
from services.sweep.scheduler import Playing
from services.sweep.workshop_file import Workshop


class OwnPool:
    """A thread that plays, so that the main one hears signals."""

    width = 1

    def __init__(self, workshop: Workshop, executor: ThreadPoolExecutor) -> None:
        self._workshop = workshop
        self._executor = executor

    def submit(self, settings: Mapping[str, Any], window: Window | None) -> Playing:
        """Hand in a run."""
        return self._executor.submit(self._workshop.perform, settings, window)

    def check(self) -> None:
        """It is there as long as this process."""


@contextmanager
def own_pool(bundle: Bundle) -> Iterator[OwnPool]:
    """Play in this process until the block ends; a run in progress is waited for."""
    with TemporaryDirectory(prefix="lap-sweep-") as directory, ThreadPoolExecutor(1) as executor:
        yield OwnPool(Workshop(bundle, Path(directory)), executor)
