"""Things to replay, on disk: data files from a drawn market, and a recorded run made of a golden session."""

import csv
import gzip
import io
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from golden import GOLDEN, STRATEGIES, read_session
from market_path import MarketPath

from bus.messages import Candle
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import Fact, RawQuote, RawTrade
from services.replay.run import replay

HEADS = {
    "trades": ("ts_ms", "price", "size", "side"),
    "quotes": ("ts_ms", "bid", "ask", "bid_size", "ask_size"),
    "candles": ("ts_ms", "open", "high", "low", "close", "volume"),
}


def swings() -> list[Fact]:
    """Two hours in which averages cross often; the first third becomes a session's history."""
    path = MarketPath("00:00", 1000)
    for hour in range(2):
        for minute, price in ((5, 1002), (11, 992), (15, 997), (19, 988), (25, 1003), (29, 998), (36, 1006), (40, 994)):
            path.to(f"{hour:02}:{minute:02}", price)
        path.to(f"{hour:02}:59", 1008)
    return path.facts


def rows_of(facts: Iterable[Fact], kind: type[RawQuote] | type[RawTrade]) -> list[tuple[object, ...]]:
    return [tuple(fact) for fact in facts if isinstance(fact, kind)]


def candle_rows(facts: Sequence[Fact]) -> list[tuple[object, ...]]:
    core = FeedCore(read_session(GOLDEN / "trend").info, FeedRules())
    closed = [event for fact in facts for event in core.take(fact) if isinstance(event, Candle)]
    return [(one.open_ms, one.open, one.high, one.low, one.close, one.volume) for one in closed]


def write_csv(path: Path, kind: str, rows: Iterable[Sequence[object]]) -> Path:
    """Write a data file, gzipped if its name says so."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADS[kind])
    writer.writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def recorded_run(directory: Path, name: str = "trend") -> Path:
    """Make a run's directory as a session would have left it, out of a golden session."""
    replay(read_session(GOLDEN / name).script(name), directory, STRATEGIES, lambda _: None, check=False)
    shutil.copy(GOLDEN / name / "events.jsonl", directory)
    config = json.loads((directory / "config.json").read_bytes())
    del config["replayed"]
    (directory / "config.json").write_text(json.dumps(config))
    return directory
