"""A sign of life on stderr while a person waits for a command; nothing when quiet, or when nobody looks."""

import sys
from collections.abc import Iterator
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
