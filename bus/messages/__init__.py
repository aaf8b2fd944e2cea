"""The vocabulary: everything that services say to each other.

One class per meaning, frozen, slotted. What comes from a market, a strategy or a setting is checked when it is made, and all of
it against its types when it is decoded; what the broker alone says of itself is not checked again. Commands are imperative
(`Decide`, `Shutdown`), facts are nouns or past tense (`Fill`, `OrderRejected`). Units are in the names: `_ms`
(milliseconds; `ts_ms` counts from the Unix epoch, UTC, on the exchange's clock), `_bps` (1/10,000), `_pct` (1/100).
Prices and sizes of market events are doubles; money of our own is `Decimal`. The order of a class's fields is its
order on the wire and in the recording.
"""

from typing import TypeAlias

from bus.messages.broker import (
    BreakerTripped,
    BrokerStatus,
    DecisionTaken,
    DecisionTimedOut,
    EntriesHalted,
    Fill,
    FundingPaid,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderResting,
    SessionClosed,
    TradeClosed,
)
from bus.messages.checks import MOST
from bus.messages.decisions import (
    Account,
    Decide,
    Decision,
    QuestionKey,
    Recall,
    Signal,
    StrategyFailed,
    StrategyHello,
    StrategyStatus,
)
from bus.messages.feed import Burst, EventsPage, EventsRequest, FeedStatus, InfoRequest
from bus.messages.life import Heartbeat, Notice, Shutdown
from bus.messages.market import Candle, Funding, MarketEvent, Quote, StreamInfo, Tick, Trade
from bus.words import Entry, ExitReason, FeedState, Level, RejectReason, Side, StopReason

__all__ = [
    "MOST",
    "Account",
    "BreakerTripped",
    "BrokerStatus",
    "Burst",
    "Candle",
    "Decide",
    "Decision",
    "DecisionTaken",
    "DecisionTimedOut",
    "EntriesHalted",
    "Entry",
    "EventsPage",
    "EventsRequest",
    "ExitReason",
    "FeedState",
    "FeedStatus",
    "Fill",
    "Funding",
    "FundingPaid",
    "Heartbeat",
    "InfoRequest",
    "Level",
    "MarketEvent",
    "Message",
    "Notice",
    "OrderAccepted",
    "OrderCancelled",
    "OrderRejected",
    "OrderResting",
    "QuestionKey",
    "Quote",
    "Recall",
    "RejectReason",
    "SessionClosed",
    "Shutdown",
    "Side",
    "Signal",
    "StopReason",
    "StrategyFailed",
    "StrategyHello",
    "StrategyStatus",
    "StreamInfo",
    "Tick",
    "Trade",
    "TradeClosed",
]

Message: TypeAlias = (
    Quote
    | Trade
    | Candle
    | Funding
    | StreamInfo
    | Burst
    | FeedStatus
    | InfoRequest
    | EventsRequest
    | EventsPage
    | Decide
    | Signal
    | Decision
    | StrategyFailed
    | StrategyHello
    | StrategyStatus
    | Recall
    | Account
    | OrderAccepted
    | OrderRejected
    | OrderResting
    | OrderCancelled
    | Fill
    | TradeClosed
    | FundingPaid
    | BreakerTripped
    | EntriesHalted
    | DecisionTimedOut
    | DecisionTaken
    | SessionClosed
    | BrokerStatus
    | Heartbeat
    | Notice
    | Shutdown
)
