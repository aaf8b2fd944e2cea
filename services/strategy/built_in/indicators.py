"""Indicators that do not grow: a library's keep every value they ever saw, and a session may last for months."""

from talipp.indicators.Indicator import Indicator

_SPARE = 1_000


def forget_old(keep: int, *indicators: Indicator) -> None:
    """Let the oldest values go, now and then.

    Args:
        keep: how many of the newest are looked at; more than the longest period, for an indicator with just so many values
            would take itself for a new one.
        indicators: what is to stay small; none of them stands on another.
    """
    for indicator in indicators:
        if len(indicator) > keep + _SPARE:
            indicator.purge_oldest(_SPARE)
