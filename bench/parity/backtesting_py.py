"""Hold the candle mode against backtesting.py, trade by trade: the same candles, signals, stops, targets and costs.

Run it with `make parity`. Ours is what `lap replay` does, out of its own files; the library's side is written anew from
the execution model's text and shares no code with it. Every difference must be of a class that README.md explains;
anything else is printed, and the exit code is 1.
"""

import csv
import hashlib
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from backtesting import Backtest, Strategy

from bus.messages import Candle
from services.replay.run import replay
from services.replay.script import read_script

ROOT = Path(__file__).resolve().parent.parent.parent
SHARED = ROOT.parent / "shared" / "data"
SEED, SYMBOL = 7, "BTCUSDT"
FAST, SLOW = 10, 30
STOP_BPS, TP_R = Decimal(50), Decimal("1.5")
BALANCE, RISK_PCT, LEVERAGE = Decimal(100_000_000), Decimal("0.25"), Decimal(5)
"""So much that whole units do: the library trades no fractions."""
BPS = Decimal(10_000)
MINUTE = 60_000


class Costs(NamedTuple):
    """A set of costs, in bps."""

    name: str
    half_spread: Decimal
    slip: Decimal
    fee: Decimal


CASES = (
    Costs("none", Decimal(0), Decimal(0), Decimal(0)),
    Costs("fees", Decimal(0), Decimal(0), Decimal(6)),
    Costs("all", Decimal("0.5"), Decimal("0.5"), Decimal(6)),
)


class Tape(NamedTuple):
    """A file of minute candles, and its price grid."""

    name: str
    path: Path
    tick: Decimal


class Row(NamedTuple):
    """A round trip, as both sides tell it."""

    side: int
    qty: int
    entry_ts: int
    entry_price: Decimal
    exit_ts: int
    exit_price: Decimal
    reason: str
    pnl: Decimal


# --- ours ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ours:
    """What `lap replay` makes of a tape: its candles, from which on they are a session's, orders, refusals, trades."""

    candles: Sequence[Candle]
    first: int
    orders: Sequence[tuple[int, str]]
    refused: Mapping[tuple[int, str], str]
    rows: Sequence[Row]


def ours(tape: Tape, costs: Costs, out: Path) -> Ours:
    """Replay a tape as a person would, and read what it left."""
    settings = {
        "seed": SEED,
        "symbol": SYMBOL,
        "strategy_params": f"fast={FAST},slow={SLOW}",
        "stop_bps": STOP_BPS,
        "tp_r": TP_R,
        "starting_balance": BALANCE,
        "risk_pct": RISK_PCT,
        "max_leverage": LEVERAGE,
        "tick_size": tape.tick,
        "lot_size": 1,
        "min_qty": 1,
        "half_spread_bps": costs.half_spread,
        "slip_bps": costs.slip,
        "taker_fee_bps": costs.fee,
        "min_trade_interval_sec": 0,
        "max_daily_drawdown_pct": 100,
        "max_consecutive_losses": 1_000_000,
    }
    texts = {name: str(value) for name, value in settings.items()}
    history = read_script([tape.path], texts, out).info.history
    events = [event for event in read_script([tape.path], texts, out).events if isinstance(event, Candle)]
    replay(read_script([tape.path], texts, out), out, out, lambda _: None, check=False)
    with sqlite3.connect(out / "journal.db") as journal:
        orders = journal.execute("SELECT ts_ms, side FROM orders ORDER BY ts_ms").fetchall()
        refusals = journal.execute(
            "SELECT o.ts_ms, o.side, r.reason FROM rejections r JOIN orders o USING (client_order_id)"
        ).fetchall()
    with (out / "trades.csv").open(encoding="ascii") as file:
        rows = [_row_of(line) for line in csv.DictReader(file)]
    return Ours([*history, *events], len(history), orders, {(ts, side): why for ts, side, why in refusals}, rows)


def _row_of(line: Mapping[str, str]) -> Row:
    return Row(
        1 if line["side"] == "LONG" else -1,
        int(line["qty"]),
        int(line["entry_ts"]),
        Decimal(line["entry_price"]),
        int(line["exit_ts"]),
        Decimal(line["exit_price"]),
        line["exit_reason"],
        Decimal(line["pnl"]),
    )


# --- the execution model's text, once more -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """A trade before it is made: what it will cost, and where it will be left, as seen from the candles' prices."""

    order_id: str
    side: int
    entry_price: Decimal
    sl: Decimal
    tp: Decimal
    sl_middle: Decimal
    tp_middle: Decimal


@dataclass(frozen=True)
class Model:
    """Prices by the text: a spread around each price, slippage drawn for each order, a grid."""

    costs: Costs
    tick: Decimal

    def grid(self, price: Decimal, rounding: str) -> Decimal:
        """A price on the grid."""
        return (price / self.tick).to_integral_value(rounding) * self.tick

    def seen(self, price: Decimal, buys: int) -> Decimal:
        """What a candle's price is to a buyer (+1: the ask) or a seller (-1: the bid)."""
        away = price * (1 + buys * self.costs.half_spread / BPS)
        return self.grid(away, ROUND_CEILING if buys > 0 else ROUND_FLOOR)

    def slipped(self, price: Decimal, buys: int, order_id: str, k: int) -> Decimal:
        """A price worsened by an order's own slippage, its `k`-th draw."""
        digest = hashlib.sha256(f"{SEED}:{order_id}:{k}".encode()).digest()
        factor = Decimal("0.5") + Decimal(int.from_bytes(digest[:8], "big")) / Decimal(2**64)
        worse = price * (1 + buys * self.costs.slip * factor / BPS)
        return self.grid(worse, ROUND_CEILING if buys > 0 else ROUND_FLOOR)

    def plan(self, decided_ms: int, side: int, opening: Decimal) -> Plan:
        """Plan the trade of a decision that meets an open."""
        order_id = f"sma_cross-{SYMBOL}-{decided_ms}-{'LONG' if side > 0 else 'SHORT'}"
        price = self.slipped(self.seen(opening, side), side, order_id, 1)
        distance = price * STOP_BPS / BPS
        sl = self.grid(price - side * max(distance, self.tick), ROUND_HALF_EVEN)
        tp = self.grid(price + side * max(TP_R * distance, self.tick), ROUND_HALF_EVEN)
        return Plan(order_id, side, price, sl, tp, self._middle(sl, side, -1), self._middle(tp, side, 1))

    def _middle(self, level: Decimal, side: int, gain: int) -> Decimal:
        """The first candle price, going towards a loss (-1) or a gain (+1), at which the exit side is at the level."""
        step = side * gain * self.tick
        price = self.grid(level * (1 + side * self.costs.half_spread / BPS), ROUND_HALF_EVEN) - 5 * step
        while side * gain * (self.seen(price, -side) - level) < 0:
            price += step
        return price

    def exit_price(self, plan: Plan, base: Decimal) -> Decimal:
        """What leaving at a base price gives."""
        return self.slipped(base, -plan.side, plan.order_id, 2)

    def size(self, plan: Plan, balance: Decimal) -> Decimal:
        """The size before it is rounded down to whole units."""
        distance = plan.entry_price * STOP_BPS / BPS
        return max(Decimal(0), min(balance * RISK_PCT / 100 / distance, balance * LEVERAGE / plan.entry_price))

    def fee(self, qty: int, price: Decimal) -> Decimal:
        """The taker's fee."""
        return qty * price * self.costs.fee / BPS


def crosses(candles: Sequence[Candle], first: int, tick: Decimal) -> dict[int, int]:
    """The signals by candle: whole numbers of ticks, so that sums and comparisons are exact."""
    closes = [int(Decimal(repr(candle.close)) / tick) for candle in candles]
    found: dict[int, int] = {}
    before: int | None = None
    for index in range(SLOW - 1, len(closes)):
        fast, slow = sum(closes[index + 1 - FAST : index + 1]), sum(closes[index + 1 - SLOW : index + 1])
        difference = fast * SLOW - slow * FAST
        now = (difference > 0) - (difference < 0)
        if index >= first and now and before is not None and before * now <= 0 and candles[index].complete:
            found[index] = now
        before = now
    return found


# --- the library's -----------------------------------------------------------------------------------------------------


@dataclass
class Task:
    """What the library's strategy is told, and what it writes down.

    Attributes:
        plans, sizes: by the candle of the entry.
        skipped: signals while in position.
        holes: signals whose next candle was made up.
        balance, counted: after so many closed trades.
        held: the plan of the newest order.
        opening: the library's entry price, while it asks for the costs of a trade; `has_left`: and for its exit's.
    """

    candles: Sequence[Candle]
    signals: Mapping[int, int]
    model: Model
    plans: dict[int, Plan] = field(default_factory=dict)
    sizes: dict[int, Decimal] = field(default_factory=dict)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    holes: list[tuple[int, str]] = field(default_factory=list)
    balance: Decimal = BALANCE
    counted: int = 0
    broker: Any = None
    held: Plan | None = None
    opening: Decimal | None = None
    has_left: bool = False


class Follower(Strategy):
    """Trades the task's signals on the next open, one position at a time, sized by the balance that the rows give."""

    task: Task

    def init(self) -> None:
        """Keep the library's broker, whose commission wants to know what it is asked for."""
        self.task.broker = self._broker

    def next(self) -> None:
        """Decide on a closed candle."""
        task, index = self.task, len(self.data) - 1
        for trade in self.closed_trades[task.counted :]:
            task.balance += row_of(task, trade).pnl
            task.counted += 1
        side = task.signals.get(index)
        if side is None or index + 1 == len(task.candles):
            return
        key = (task.candles[index].close_ms, "LONG" if side > 0 else "SHORT")
        if not task.candles[index + 1].complete:
            task.holes.append(key)
        elif self.position:
            task.skipped.append(key)
        else:
            self._order(index, side)

    def _order(self, index: int, side: int) -> None:
        task = self.task
        plan = task.model.plan(task.candles[index].close_ms, side, exact(task.candles[index + 1].open))
        size = task.model.size(plan, task.balance)
        if size < 1:
            return
        task.plans[index + 1], task.sizes[index + 1] = plan, size
        task.held = plan
        order = (self.buy if side > 0 else self.sell)(size=int(size))
        # Not as arguments: the library holds them against this candle's close, and they are the next open's.
        order._replace(sl_price=float(plan.sl_middle), tp_price=float(plan.tp_middle))


def charge(task: Task, size: float, price: float) -> float:
    """The library's commission: all that a fill costs, the way from the candle's price to the fill's price included.

    The library asks before the entry (for the margin), at the entry, at the exit, and once more for the entry's.
    """
    plan, qty = task.held, int(abs(size))
    if plan is None:
        return 0.0
    if task.broker.trades:
        task.opening, task.has_left = exact(price), False
        return float(entry_cost(task.model, plan, qty, task.opening))
    if task.opening is None:
        return 0.0
    if not task.has_left:
        task.has_left = True
        at_end = is_at_end(task, task.broker.closed_trades[-1])
        paid = task.model.exit_price(plan, left_at(task, plan, exact(price), at_end=at_end)[0])
        return float(qty * plan.side * (exact(price) - paid) + task.model.fee(qty, paid))
    opening, task.opening = task.opening, None
    return float(entry_cost(task.model, plan, qty, opening))


def entry_cost(model: Model, plan: Plan, qty: int, opening: Decimal) -> Decimal:
    return qty * abs(plan.entry_price - opening) + model.fee(qty, plan.entry_price)


def left_at(task: Task, plan: Plan, price: Decimal, *, at_end: bool) -> tuple[Decimal, str]:
    """Ours for the price at which the library left: the base price before slippage, and the reason."""
    if at_end:
        return task.model.seen(price, -plan.side), "SESSION_END"
    if plan.side * (price - plan.sl_middle) <= 0:
        return (plan.sl if price == plan.sl_middle else task.model.seen(price, -plan.side)), "SL"
    return plan.tp, "TP"


def is_at_end(task: Task, trade: Any) -> bool:
    """Whether the library closed it because the data ended: then it takes the last candle's open."""
    plan, price = task.plans[trade.entry_bar], exact(trade.exit_price)
    is_level = price in {plan.sl_middle, plan.tp_middle}
    return bool(trade.exit_bar == len(task.candles) - 1 and not is_level and within(plan, price))


def within(plan: Plan, price: Decimal) -> bool:
    return plan.side * plan.sl_middle < plan.side * price < plan.side * plan.tp_middle


def exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def row_of(task: Task, trade: Any) -> Row:
    """A closed trade of the library as a row of ours; a better open beyond the target is given back."""
    plan, qty, left = task.plans[trade.entry_bar], int(abs(trade.size)), exact(trade.exit_price)
    base, reason = left_at(task, plan, left, at_end=is_at_end(task, trade))
    pnl = exact(trade.pl)
    if task.model.costs.half_spread == 0:  # the library's own money; else the commission has seen to it
        claimed = qty * plan.side * (left - base)
        pnl -= claimed - task.model.fee(qty, left) + task.model.fee(qty, base)
    return Row(
        plan.side,
        qty,
        task.candles[trade.entry_bar].open_ms,
        plan.entry_price if task.model.costs.half_spread else exact(trade.entry_price),
        task.candles[trade.exit_bar].open_ms,
        task.model.exit_price(plan, base),
        reason,
        pnl,
    )


def theirs(told: Ours, costs: Costs, tick: Decimal) -> tuple[Task, list[Any]]:
    """Let the library trade the same candles; return what was written down, and its closed trades."""
    task = Task(told.candles, crosses(told.candles, told.first, tick), Model(costs, tick))
    frame = pd.DataFrame(
        {name.title(): [getattr(candle, name) for candle in told.candles] for name in ("open", "high", "low", "close")},
        index=pd.to_datetime([candle.open_ms for candle in told.candles], unit="ms"),
    )

    def commission(size: float, price: float) -> float:
        return charge(task, size, price)

    follower = type("Following", (Follower,), {"task": task})
    test = Backtest(
        frame,
        follower,
        cash=float(BALANCE),
        commission=commission if costs.half_spread else float(costs.fee / BPS),
        margin=0.02,
        finalize_trades=True,
    )
    test.run()
    return task, sorted(task.broker.closed_trades, key=lambda trade: trade.entry_bar)


# --- one against the other ---------------------------------------------------------------------------------------------


@dataclass
class Verdict:
    """What a comparison came to: how often each thing was seen, and what nothing explains."""

    seen: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)


def compare(told: Ours, task: Task, trades: Sequence[Any]) -> Verdict:
    """Hold signals, refusals and trades against each other."""
    verdict = Verdict()
    _compare_signals(told, task, verdict)
    rows = [row_of(task, trade) for trade in trades]
    if len(rows) != len(told.rows):
        verdict.unexplained.append(f"{len(told.rows)} trades of ours, {len(rows)} of the library")
    for mine, row, trade in zip(told.rows, rows, trades, strict=False):
        _compare_rows(mine, row, task, trade, verdict)
    return verdict


def _compare_signals(told: Ours, task: Task, verdict: Verdict) -> None:
    signals = [(task.candles[at].close_ms, "LONG" if side > 0 else "SHORT") for at, side in task.signals.items()]
    if signals != list(told.orders):
        verdict.unexplained.append(f"signals: {set(signals) ^ set(told.orders)}")
    verdict.seen["signals"] = len(signals)
    verdict.seen["in position"] = len(task.skipped)
    expected = {**dict.fromkeys(task.skipped, "position_open"), **dict.fromkeys(task.holes, "expired")}
    verdict.seen["hole"] = len(task.holes)
    if expected != dict(told.refused):
        verdict.unexplained.append(f"refusals: {set(expected.items()) ^ set(told.refused.items())}")


def _compare_rows(mine: Row, row: Row, task: Task, trade: Any, verdict: Verdict) -> None:
    verdict.seen["trades"] += 1
    plan = task.plans[trade.entry_bar]
    if trade.entry_price != task.candles[trade.entry_bar].open:
        verdict.unexplained.append(f"the library entered at {trade.entry_price}: {row}")
    if row.reason == "SESSION_END" == mine.reason:
        same_entry = (mine.side, mine.qty, mine.entry_ts, mine.entry_price) == row[:4]
        verdict.seen["end"] += same_entry
        if not same_entry:
            verdict.unexplained.append(f"{mine} against {row}")
        return
    if mine.qty != row.qty:
        rest = task.sizes[trade.entry_bar] % 1
        if abs(mine.qty - row.qty) == 1 and min(rest, 1 - rest) < Decimal("1e-6"):
            verdict.seen["lot"] += 1
            return
    is_alike = mine[:-1] == row[:-1] and abs(mine.pnl - row.pnl) < Decimal("0.001")
    if not is_alike:
        verdict.unexplained.append(f"{mine} against {row}")
    elif row.reason == "TP" and exact(trade.exit_price) != plan.tp_middle:
        verdict.seen["target gap"] += 1
    else:
        verdict.seen["equal"] += 1
        _count_hard(row, task, trade, plan, verdict)


def _count_hard(row: Row, task: Task, trade: Any, plan: Plan, verdict: Verdict) -> None:
    """Count the equal ones in which there was something to get wrong."""
    candle = task.candles[trade.exit_bar]
    touches = (
        exact(candle.low) <= min(plan.sl_middle, plan.tp_middle),
        exact(candle.high) >= max(plan.sl_middle, plan.tp_middle),
    )
    verdict.seen["both touched"] += all(touches)
    verdict.seen["own candle"] += trade.entry_bar == trade.exit_bar
    verdict.seen["stop gap"] += row.reason == "SL" and exact(trade.exit_price) != plan.sl_middle


def generated(path: Path, count: int = 20_000) -> Tape:
    """A walk with trends, gaps, violent minutes and holes: a function of the place alone."""

    def share(index: int, what: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{what}:{index}".encode()).digest()[:4], "big") % 1000

    close = 600_000  # tenths
    lines = ["ts_ms,open,high,low,close,volume"]
    for index in range(count):
        is_violent = share(index, "violent") < 10
        reach = 8_000 if is_violent else 250
        gap = (share(index, "gap") - 500) * (12 if share(index, "leaps") < 30 else 0)
        opening = close + gap
        drift = 60 if (index // 25) % 2 else -60
        close = opening + drift + (share(index, "move") - 500) * reach // 1000
        high = max(opening, close) + share(index, "high") * reach // 1000
        low = min(opening, close) - share(index, "low") * reach // 1000
        if share(index, "hole") >= 20:
            prices = ",".join(f"{price / 10:.1f}" for price in (opening, high, low, close))
            lines.append(f"{1_700_000_040_000 + index * MINUTE},{prices},10.0")
    path.write_text("\n".join([*lines, ""]), encoding="ascii")
    return Tape("generated", path, Decimal("0.1"))


def tapes(directory: Path) -> Iterator[Tape]:
    """The generated tape, and the real ones where they are."""
    yield generated(directory / "generated.csv")
    for name, file, tick in (
        ("BTC perp", "binanceperp_btcusdt_20250504_0603_candles_1m.csv.gz", "0.1"),
        ("ETH perp", "binanceperp_ethusdt_20250504_0615_candles_1m.csv.gz", "0.01"),
        ("BTC spot", "binance_btcusdt_20241230_20250129_candles_1m.csv.gz", "0.01"),
    ):
        if (SHARED / file).exists():
            yield Tape(name, SHARED / file, Decimal(tick))
        else:
            print(f"{name}: {file} is not there, left out")


COLUMNS = {
    "signals": "signals",
    "in position": "refused: in position",
    "trades": "trades",
    "equal": "equal",
    "own candle": "of these: left in their own candle",
    "both touched": "of these: stop and target touched",
    "stop gap": "of these: gap over the stop",
    "target gap": "differs: gap over the target",
    "hole": "differs: order meets a hole",
    "lot": "differs: edge of a lot",
    "end": "differs: end of the data",
}


def main(names: Sequence[str]) -> int:
    """Compare the tapes of these names (none: all) with all costs; return the exit code."""
    verdicts: dict[str, Verdict] = {}
    with tempfile.TemporaryDirectory() as directory, localcontext() as context:
        context.prec = 50
        for tape in [tape for tape in tapes(Path(directory)) if not names or tape.name in names]:
            for costs in CASES:
                out = Path(directory) / tape.name.replace(" ", "-") / costs.name
                out.mkdir(parents=True)
                told = ours(tape, costs, out)
                task, trades = theirs(told, costs, tape.tick)
                verdicts[f"{tape.name}, {costs.name}"] = compare(told, task, trades)
    _print(verdicts)
    return 1 if any(verdict.unexplained for verdict in verdicts.values()) else 0


def _print(verdicts: Mapping[str, Verdict]) -> None:
    print("| candles, costs | " + " | ".join([*COLUMNS.values(), "unexplained"]) + " |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for name, verdict in verdicts.items():
        counts = [verdict.seen[column] for column in COLUMNS]
        print(f"| {name} | " + " | ".join(map(str, [*counts, len(verdict.unexplained)])) + " |")
    for name, verdict in verdicts.items():
        for line in verdict.unexplained[:5]:
            print(f"{name}: {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
