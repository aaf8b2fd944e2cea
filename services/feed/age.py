"""How long the source has said nothing useful. Pure.

Assumption: silence counts while the source is connected (a lost connection is another trouble, with rules of its own),
and only while we ourselves were running: a turn that comes late tells nothing about the source.
"""

from typing import Final

LATE_TURN_MS: Final = 1_500


class DataAge:
    """Ms of connected silence since the last useful data."""

    def __init__(self) -> None:
        self._age_ms = 0
        self._last_ms: int | None = None

    def pass_to(self, now_ms: int, *, connected: bool) -> None:
        """Time has gone on to `now_ms` (monotonic)."""
        if self._last_ms is not None and connected:
            step_ms = now_ms - self._last_ms
            self._age_ms += step_ms if step_ms <= LATE_TURN_MS else 0
        self._last_ms = now_ms

    def renew(self) -> None:
        """Something useful was said."""
        self._age_ms = 0

    @property
    def ms(self) -> int:
        """The age."""
        return self._age_ms
