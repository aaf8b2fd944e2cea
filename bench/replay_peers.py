"""Replay beside four backtesters: the same file, a crossing of averages with stop and target, data in memory on both sides.

Ticks: two days of real trades (LTC, 0.01 grid), made into minute candles by everybody. Candles: 42 days of real minutes (ETH).
Settings: sma_cross 10/30 (candles: 300/1,200 too, which trades a twentieth as often: a candle costs us next to nothing, a trade
in exact decimals does), stop 30 bps, target 1.5 R, taker fee 6 bps, no breaker; the throttle, latency and slippage are ours alone.
Ours says all trades, refusals and the account, in exact decimals; journal and report are not part of it, nor are theirs. Each peer
runs in `.venv-peers` (`make peers`), after a run to warm up (numba compiles then), between two of ours; the median of TRIALS counts.
Processor seconds, all of them in one thread. Loading (file to memory) is timed apart, and so is the whole command.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from msgspec.structs import astuple
from table import ABSENT, compare, median, row

from bus.messages import Fill, MarketEvent, OrderAccepted, StopReason, TradeClosed
from services.broker.config import BrokerConfig
from services.broker.decimals import BPS, exactly
from services.broker.draws import entry_factor, exit_factor, latency_ms
from services.broker.prices import slipped
from services.broker.sizing import quantity, stop_and_target
from services.feed.config import FeedConfig, Instrument
from services.feed.core import FeedCore, FeedRules
from services.feed.facts import RawCandle, RawTrade
from services.feed.source import make_info
from services.replay.columnar.columns import Columns
from services.replay.columnar.data_arrays_file import DataArrays, read_arrays
from services.replay.columnar.feed_columns import candle_columns, merged, tick_columns
from services.replay.columnar.quiet import Quiet, Said
from services.replay.script import Script, read_script
from services.replay.staging import set_stage
from services.settings import resolve

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PEERS = Path(os.environ.get("PEERS", ROOT / ".venv-peers" / "bin" / "python"))
TRIALS = int(os.environ.get("REPEAT", "5"))
ROUNDS = 3
"""How often ours and the peer take turns: a processor that is quicker at one time than at another meets both."""
TICKS, CANDLES = "binance_ltcusdt_20250621_22_trades.csv.gz", "binanceperp_ethusdt_20250504_0615_candles_1m.csv.gz"
SETTINGS = {
    "source": "mock",
    "seed": "7",
    "tick_size": "0.01",
    "lot_size": "0.001",
    "starting_balance": "1000000",
    "risk_pct": "0.1",
    "max_daily_drawdown_pct": "100",
    "max_consecutive_losses": "1000000",
}
CROSS, SLOW_CROSS = (10, 30), (300, 1_200)
"""Candles of the two averages."""
PEER_TIMEOUT_S = 300
DAY_MS = 86_400_000


class Ours:
    """One file, ready to be replayed, in each of our ways."""

    def __init__(self, name: str, cross: tuple[int, int] = CROSS) -> None:
        self.path = DATA / name
        self.cross = cross
        params = "fast={},slow={}".format(*cross)
        self.values = resolve({**SETTINGS, "strategy_params": params}, ROOT, {}).values
        self.feed = FeedConfig.from_settings(self.values)
        self.rules = FeedRules(self.feed.half_spread_bps, self.feed.max_quote_age_ms)
        self.arrays: DataArrays = read_arrays(self.path)
        mode = "candle" if self.arrays.kind == "candles" else "tick"
        self.info = make_info(self.feed, Instrument(), mode=mode)
        self.facts = self._facts()
        self.events = self.fed()

    @property
    def rows(self) -> int:
        """How many there are in the file."""
        return int(self.arrays.ts_ms.size)

    def _facts(self) -> list[RawTrade] | list[RawCandle]:
        rows = zip(self.arrays.ts_ms.tolist(), self.arrays.numbers.tolist(), strict=True)
        if self.info.mode == "candle":
            return [RawCandle(ts_ms, *numbers) for ts_ms, numbers in rows]
        return [RawTrade(ts_ms, price, size, "buy" if side else "sell") for ts_ms, (price, size, side) in rows]

    def fed(self) -> list[MarketEvent]:
        """Work the rows up to events, one by one."""
        core = FeedCore(self.info, self.rules, self.info.interval_ms)
        return [event for fact in self.facts for event in core.take(fact)]

    def columns(self) -> Columns:
        """Work the rows up to columns of events."""
        if self.info.mode == "candle":
            found = candle_columns(self.arrays.ts_ms, self.arrays.numbers, self.info)
        else:
            ticks = merged([self.arrays])
            found = None if ticks is None else tick_columns(ticks, self.info, self.rules)
        assert found is not None, "the file is as plain as they come"
        return found

    def said(self, columns: Columns | None, events: list[MarketEvent] | None = None) -> list[Said]:
        """Replay; return what the broker said."""
        script = Script("bench", self.values, {}, self.info, iter(events or ()), columns=columns)
        staged = set_stage(script, ROOT)
        said = [one for part in staged.play(script.events) for one in part]
        staged.stage.finish(StopReason.END_OF_DATA)
        return [*said, *staged.stage.take_said()]

    def play(self, columns: Columns | None, events: list[MarketEvent] | None = None) -> int:
        """Replay; return the number of trades."""
        return sum(isinstance(one, TradeClosed) for one in self.said(columns, events))

    def in_leaps(self) -> int:
        """From rows in memory: candles, quotes and all."""
        return self.play(self.columns())

    def one_by_one(self) -> int:
        """From events in memory."""
        return self.play(None, self.events)

    def with_feed(self) -> int:
        """From rows in memory, through the feed's core."""
        return self.play(None, self.fed())


class Least:
    """What no replay in decimals can leave out, and nothing else: the messages it says, and the sums that make its trades.

    The sums are the broker's own (draws, slippage, size, stop and target, fees, profit), and find their order, price and quote
    at hand: no candle is looked at, no rule of filling judged, no account kept.
    """

    def __init__(self, ours: Ours) -> None:
        said = [one for one in ours.said(ours.columns()) if not isinstance(one, Quiet)]
        self._words = [(type(one), astuple(one)) for one in said]
        self._orders = {one.client_order_id: one for one in said if isinstance(one, OrderAccepted)}
        fills = [one for one in said if isinstance(one, Fill)]
        self._trades = list(zip(fills[::2], fills[1::2], strict=False))
        self._config, self._market = BrokerConfig.from_settings(ours.values), ours.info

    def play(self) -> int:
        """Say and reckon everything; return the number of trades."""
        for kind, values in self._words:
            kind(*values)
        config = self._config
        for order in self._orders.values():
            latency_ms(config.seed, order.client_order_id, config.latency_min_ms, config.latency_max_ms)
        for entry, exit_ in self._trades:
            self._reckon(entry, exit_)
        return len(self._trades)

    @exactly
    def _reckon(self, entry: Fill, exit_: Fill) -> None:
        config, market, signal = self._config, self._market, self._orders[entry.client_order_id].signal
        sign, tick = signal.side.sign, market.tick_size
        factor = entry_factor(config.seed, entry.client_order_id)
        bought = slipped(entry.base_price, config.slip_bps, factor, sign, tick)
        qty = quantity(config, market, signal, bought, config.starting_balance, None)
        sl, _ = stop_and_target(market, signal, bought)
        factor = exit_factor(config.seed, entry.client_order_id)
        sold = slipped(exit_.base_price, config.slip_bps, factor, -sign, tick)
        fees = qty * bought * config.taker_fee_bps / BPS + qty * sold * config.taker_fee_bps / BPS
        pnl = sign * (sold - bought) * qty - fees
        (pnl / (qty * abs(bought - sl))).quantize(Decimal("0.000001"))


def seconds_of(work: Callable[[], object], trials: int = TRIALS) -> list[float]:
    """Return the processor's seconds for each trial; what lies in memory anyway is not collected meanwhile."""
    gc.collect()
    gc.freeze()
    found = []
    for _ in range(trials):
        begun = process_time()
        work()
        found.append(process_time() - begun)
    return found


def peer(script: str, data: Path, cross: tuple[int, int]) -> dict[str, Any] | None:
    """Return what a peer's script tells, None where it is not installed."""
    if not PEERS.exists():
        return None
    words = [str(PEERS), str(ROOT / "bench" / "peers" / f"{script}.py"), str(data), str(TRIALS), *map(str, cross)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PEER_TIMEOUT_S, check=False)
    if done.returncode:
        print(f"{script}: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return None
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def beside(
    name: str, script: str, ours: Ours, data: Path, ways: dict[str, Callable[[], int]], goals: list[str]
) -> None:
    """Print a row for each of our ways beside one peer, in rows of the file a second, taken in turns."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    theirs_s: list[float] = []
    told: dict[str, Any] | None = {}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            seconds[way] += seconds_of(work)
        told = peer(script, data, ours.cross)
        theirs_s += told["seconds"] if told else []
    for (way, work), goal in zip(ways.items(), goals, strict=True):
        own = ours.rows / median(seconds[way])
        if not told:
            row(f"{way} over {name}{goal} (not installed: make peers)", f"{own:,.0f}/s")
        else:
            counts = (
                f"{work():,} trades, {told['trades']:,} there" if script != "hftbacktest_py" else f"{work():,} trades"
            )
            theirs = ours.rows / median(theirs_s)
            compare(f"{way} over {name} {told['version']}{goal}; {counts}", own, theirs, "/s")


def save(ours: Ours, place: Path) -> Path:
    """Write the rows down for the peers."""
    numbers = ours.arrays.numbers.T
    names = ("open", "high", "low", "close", "volume") if ours.info.mode == "candle" else ("price", "size", "is_buy")
    kinds = [(name, "?" if name == "is_buy" else "f8") for name in names]
    table = np.zeros(ours.rows, [("ts_ms", "i8"), *kinds])
    table["ts_ms"] = ours.arrays.ts_ms
    for name, column in zip(names, numbers, strict=True):
        table[name] = column
    path = place / f"{ours.info.mode}.npy"
    np.save(path, table)
    return path


def whole_command(ours: Ours, place: Path) -> float:
    """Return the seconds of `lap replay` on the file, from the shell to the report."""
    words = [
        str(Path(sys.executable).with_name("lap")),
        "replay",
        str(ours.path),
        "--quiet",
        "--out",
        str(place / "out"),
    ]
    sets = [word for name, value in SETTINGS.items() if name != "source" for word in ("--set", f"{name}={value}")]
    begun = perf_counter()
    subprocess.run([*words, *sets], check=True, capture_output=True, cwd=place)
    return perf_counter() - begun


def per_trade(often: Ours, rarely: Ours) -> None:
    """Print what a trade costs, its refused signals and the leaps to it and from it included."""
    more = median(seconds_of(often.in_leaps)) - median(seconds_of(rarely.in_leaps))
    row("candles, in leaps: a trade more", f"{more / (often.in_leaps() - rarely.in_leaps()) * 1e6:,.0f} µs")


def around(ours: Ours, place: Path) -> None:
    """Print what lies around the replay itself: loading, and the whole command."""
    what = "trades" if ours.info.mode == "tick" else "candles"
    overrides = {name: value for name, value in SETTINGS.items() if name != "source"}
    seconds = median(seconds_of(lambda: read_script([ours.path], overrides, place), 3))
    row(f"loading {ours.rows:,} {what} from a packed file to columns", f"{seconds:.2f} s")
    row(f"`lap replay` of {ours.rows:,} {what}, journal and report", f"{whole_command(ours, place):.1f} s")


def grow(what: str, ours: Ours, arrays: DataArrays) -> None:
    """Print what a row costs when the file is played 1, 10 and 100 times in a row, each pass later than the one before."""
    span_ms = int(arrays.ts_ms[-1] - arrays.ts_ms[0]) // DAY_MS * DAY_MS + DAY_MS
    for times in (1, 10, 100):
        shifts = np.repeat(np.arange(times) * span_ms, arrays.ts_ms.size)
        ours.arrays = DataArrays(
            arrays.kind, np.tile(arrays.ts_ms, times) + shifts, np.tile(arrays.numbers, (times, 1))
        )
        seconds = median(seconds_of(ours.in_leaps, 3))
        row(f"{what}, in leaps, {ours.rows:,} of them", f"{seconds / ours.rows * 1e9:,.0f} ns each")
    ours.arrays = arrays


def main() -> int:
    if not DATA.is_dir():
        row("replay: no real market data at ../shared/data", ABSENT)
        return 0
    ticks, candles = Ours(TICKS), Ours(CANDLES)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        tick_file, candle_file = save(ticks, place), save(candles, place)
        ways = {
            "trades, event by event,": ticks.one_by_one,
            "trades, event by event with the feed's work,": ticks.with_feed,
            "trades, in leaps,": ticks.in_leaps,
        }
        goals = [" (to reach: 2)", "", " (to reach: 20)"]
        beside("NautilusTrader", "nautilus_py", ticks, tick_file, ways, goals)
        leaps = {"trades, in leaps,": ticks.in_leaps}
        beside("hftbacktest", "hftbacktest_py", ticks, tick_file, leaps, [" (to reach: 0.3)"])
        rarely = Ours(CANDLES, SLOW_CROSS)
        for market in (candles, rarely):
            what = "candles, {} over {},".format(*market.cross)
            ways = {
                f"{what} in leaps,": market.in_leaps,
                f"{what} not ours but the least there is,": Least(market).play,
            }
            beside("backtesting.py", "backtesting_py", market, candle_file, ways, [" (to reach: 20)", ""])
            beside("vectorbt", "vectorbt_py", market, candle_file, ways, [" (to reach: 1)", ""])
        per_trade(candles, rarely)
        around(ticks, place)
        around(candles, place)
        grow("trades", ticks, ticks.arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
