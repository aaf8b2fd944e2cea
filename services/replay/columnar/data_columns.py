"""A session of data files as columns: what `services.feed.source_replay` and the feed's core make of the same files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bus.messages import StreamInfo
from services.data_file.files import LEAP_MS, refuse_seconds
from services.feed.config import FeedConfig, Instrument
from services.feed.core import FeedRules
from services.feed.source import make_info
from services.feed.warmup import session_start_ms
from services.replay.columnar.columns import Columns
from services.replay.columnar.data_arrays_file import DataArrays, read_arrays
from services.replay.columnar.feed_columns import (
    Ticks,
    are_candles_believed,
    candle_columns,
    history_of,
    merged,
    tick_columns,
)


def columns_of_files(config: FeedConfig, paths: Sequence[Path]) -> Columns | None:
    """Return the session that data files make; None where the feed has to look at them row by row.

    Raises:
        DataFileError: one is not there, not readable, or of no known kind.
    """
    files = [read_arrays(path) for path in paths]
    if any(file.unread for file in files):
        return None
    kinds = {file.kind for file in files}
    if "candles" not in kinds:
        ticks = merged(files)
        return None if ticks is None else _of_ticks(config, ticks)
    return _of_candles(config, files[0]) if len(files) == 1 else None


def _of_ticks(config: FeedConfig, ticks: Ticks) -> Columns | None:
    newest = np.maximum.accumulate(ticks.ts_ms)
    refuse_seconds(int(ticks.ts_ms.min()))
    if (np.diff(newest) > LEAP_MS).any():
        return None
    start_ms = session_start_ms(int(ticks.ts_ms.min()), int(newest[-1]), config.interval_ms)
    begin = int((ticks.ts_ms >= start_ms).argmax())
    rules = FeedRules(config.half_spread_bps, config.max_quote_age_ms)
    before = tick_columns(ticks.part(slice(begin + 1)), make_info(config, Instrument()), rules)
    if before is None:
        return None
    info = make_info(config, Instrument(), history_of(before.candles, start_ms))
    return tick_columns(ticks.part(slice(begin, None)), info, rules)


def _of_candles(config: FeedConfig, file: DataArrays) -> Columns | None:
    open_ms, numbers = file.ts_ms, file.numbers
    if open_ms.size < 2 or not are_candles_believed(open_ms, numbers, config.interval_ms):
        return None
    refuse_seconds(int(open_ms[0]))
    start_ms = session_start_ms(int(open_ms[0]), int(open_ms[-1]), config.interval_ms)
    begin = int(open_ms.searchsorted(start_ms))
    before = candle_columns(open_ms[:begin], numbers[:begin], _candle_info(config))
    info = _candle_info(config, before, start_ms)
    return candle_columns(open_ms[begin:], numbers[begin:], info)


def _candle_info(config: FeedConfig, before: Columns | None = None, start_ms: int = 0) -> StreamInfo:
    history = () if before is None else history_of(before.candles, start_ms)
    return make_info(config, Instrument(), history, mode="candle")
