"""The journal's tables. Decimals are TEXT without exponent, flags 0 or 1, times ms since the Unix epoch, UTC.

| table | a row is |
|---|---|
| `orders` | an accepted signal; `status` is pending, resting, filled, cancelled or rejected, `status_ts_ms` since when |
| `rejections` | a refusal, of an accepted order or on arrival (`duplicate`, `invalid`: those have no row in `orders`) |
| `fills` | one execution; `exit_reason` is null for an entry. A FLAT's exit has the FLAT's id, others the entry's |
| `trades` | a closed round trip, as `trades.csv` has it; `trade_id` rises in the order of opening, and so of closing |
| `funding` | funding settled on the open position; a positive `amount` was paid |
| `decisions` | a question (`candles`: JSON array, `account`: JSON object) and its `answer` (JSON array of signals, null: none yet), taken after event `answer_seq`; `timed_out`: the broker went on without, `late`: it came after that |
| `tick_decisions` | the same about a `tick` (JSON object), named by its `seq`, of a strategy that decides on ticks; empty for all others |
| `facts` | in the order of happening, what a replay can not know or wants to compare: `entries_halted`, `decision_timed_out`, `decision_late`, `strategy_failed`, `breaker_tripped`, `session_closed`, with the `seq` after which it took effect and the rest as JSON |
| `equity` | the account at a candle's close, as asked with |
| `incidents` | what a person should know; `ts_ms` is wall time |
| `state` | one row: the broker's whole memory after event `last_seq`, as JSON (`first_ts`, `last_ts`, `last_close`, `tick_count`, `candle_count`, `starting_balance`, `balance`, `equity`, `exposure_ms`, `position`, `closed` ...); `emitted` counts what it ever said |
| views `trade_list`, `order_list`, `equity_curve`, `incident_list` | the same for people: readable times, every rejection with its reason |
| `meta` | `run_id`, `stream` (the stream's head), `carried` (what an earlier session kept) ... |
"""

VERSION = 2
READABLE = frozenset({0, 1, VERSION})
"""Versions that are still read: 0 is an empty file, 1 has no `tick_decisions`."""

TABLES = """
CREATE TABLE orders (
    client_order_id TEXT PRIMARY KEY, seq INTEGER, ts_ms INTEGER, side TEXT, entry TEXT, limit_price REAL,
    stop_bps REAL, tp_r REAL, reason TEXT, latency_ms INTEGER, due_ms INTEGER, late INTEGER,
    status TEXT, status_ts_ms INTEGER, detail TEXT
) WITHOUT ROWID;
CREATE TABLE rejections (
    id INTEGER PRIMARY KEY, client_order_id TEXT, seq INTEGER, ts_ms INTEGER, side TEXT, reason TEXT, detail TEXT
);
CREATE TABLE fills (
    id INTEGER PRIMARY KEY, client_order_id TEXT, seq INTEGER, ts_ms INTEGER, trade_id INTEGER, side TEXT,
    is_entry INTEGER, qty TEXT, base_price TEXT, price TEXT, fee TEXT, liquidity TEXT, sl TEXT, tp TEXT,
    exit_reason TEXT
);
CREATE TABLE trades (
    trade_id INTEGER PRIMARY KEY, seq INTEGER, symbol TEXT, side TEXT, qty TEXT, entry_ts INTEGER, entry_price TEXT,
    exit_ts INTEGER, exit_price TEXT, exit_reason TEXT, fees TEXT, funding TEXT, pnl TEXT, r TEXT, equity TEXT,
    client_order_id TEXT, latency_ms INTEGER
);
CREATE TABLE funding (
    id INTEGER PRIMARY KEY, trade_id INTEGER, seq INTEGER, ts_ms INTEGER, rate REAL, mark TEXT, amount TEXT
);
CREATE TABLE decisions (
    open_ms INTEGER PRIMARY KEY, seq INTEGER, candles TEXT, account TEXT,
    answer TEXT, answer_seq INTEGER, late INTEGER DEFAULT 0, timed_out INTEGER DEFAULT 0
);
CREATE TABLE tick_decisions (
    seq INTEGER PRIMARY KEY, tick TEXT, account TEXT,
    answer TEXT, answer_seq INTEGER, late INTEGER DEFAULT 0, timed_out INTEGER DEFAULT 0
);
CREATE TABLE facts (id INTEGER PRIMARY KEY, kind TEXT, seq INTEGER, ts_ms INTEGER, detail TEXT);
CREATE TABLE equity (ts_ms INTEGER PRIMARY KEY, balance TEXT, equity TEXT);
CREATE TABLE incidents (id INTEGER PRIMARY KEY, ts_ms INTEGER, service TEXT, event TEXT, detail TEXT);
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), last_seq INTEGER, emitted INTEGER, snapshot TEXT);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
CREATE VIEW trade_list AS
    SELECT trade_id, side, qty, datetime(entry_ts / 1000, 'unixepoch') AS entered, entry_price,
        datetime(exit_ts / 1000, 'unixepoch') AS left, exit_price, exit_reason, pnl, r, equity
    FROM trades ORDER BY trade_id;
CREATE VIEW order_list AS
    SELECT datetime(o.ts_ms / 1000, 'unixepoch') AS decided, o.client_order_id, o.entry, o.latency_ms, o.status,
        coalesce(r.reason, '') AS reason, o.detail
    FROM orders o LEFT JOIN rejections r
        ON r.client_order_id = o.client_order_id AND r.reason NOT IN ('duplicate', 'invalid')
    UNION ALL
    SELECT datetime(ts_ms / 1000, 'unixepoch'), client_order_id, '', 0, 'rejected', reason, detail
    FROM rejections WHERE reason IN ('duplicate', 'invalid')
    ORDER BY 1, 2;
CREATE VIEW equity_curve AS
    SELECT datetime(ts_ms / 1000, 'unixepoch') AS candle_end, balance, equity FROM equity ORDER BY ts_ms;
CREATE VIEW incident_list AS
    SELECT datetime(ts_ms / 1000, 'unixepoch') AS wall_time, service, event, detail FROM incidents ORDER BY id;
"""
