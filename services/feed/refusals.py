"""Telling people what was refused, without a flood. Pure."""

from collections.abc import Mapping
from typing import Final

EVERY_MS: Final = 10_000


class RefusalReport:
    """Says at most every 10 s what was refused since the last time, with an example."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._next_ms = 0
        self._example = ""

    def example(self, name: str, detail: str) -> None:
        """Remember what a refused thing looked like."""
        if not self._example:
            self._example = f"{name}: {detail}"

    def due(self, counts: Mapping[str, int], now_ms: int) -> str | None:
        """Return the words to say now, None when there is nothing new or it is too early."""
        words = self.rest(counts) if now_ms >= self._next_ms else None
        if words is not None:
            self._next_ms = now_ms + EVERY_MS
        return words

    def rest(self, counts: Mapping[str, int]) -> str | None:
        """Return the words for what was not told yet, however short ago that was; None when there is nothing new."""
        if sum(counts.values()) == sum(self._told.values()):
            return None
        fresh = {name: count - self._told.get(name, 0) for name, count in counts.items()}
        words = ", ".join(f"{count} {name}" for name, count in sorted(fresh.items()) if count)
        example = f" (for example {self._example})" if self._example else ""
        self._told, self._example = dict(counts), ""
        return f"refused from the source: {words}{example}"
