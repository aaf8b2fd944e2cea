"""A sign of life on stderr while a person waits for a command; nothing when quiet, or when nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def busy(words: str, *, quiet: bool = False) -> Iterator[None]:
    """Show words with something that turns beside them, until the block ends.

    Args:
        words: what is being done.
        quiet: show nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

    with Console(stderr=True).status(words):
        yield


@contextmanager
def counted(words: str, total: int, done: int = 0, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show how many of so many are done and how long the rest will take, until the block ends.

    Args:
        words: what is being done.
        total: how many there are in all.
        done: how many were done before.
        quiet: show nothing.

    Yields:
        What to call with the number of those that were done since.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=total, completed=done)
        yield lambda count: bar.advance(task, count)
