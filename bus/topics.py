"""Which message travels under which topic, and who alone may write it.

A topic is written by exactly one service; `""` as a writer marks what every service writes of itself, `"rpc"` what
travels on a request socket and is never published, `"in"` what travels inside of other messages alone. The endpoint of a service's publisher is the port of that name
(`bus.ports`).
"""

from dataclasses import dataclass
from typing import Final

from bus import messages as m

SEPARATOR: Final = b"|"
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Topic:
    """A row of the table: its name on the wire, the class it carries, and its one writer."""

    name: str
    message: type[m.Message]
    writer: str


TABLE: Final = (
    Topic("burst", m.Burst, "feed"),
    Topic("quote", m.Quote, "in"),
    Topic("trade", m.Trade, "in"),
    Topic("candle", m.Candle, "in"),
    Topic("funding", m.Funding, "in"),
    Topic("info", m.StreamInfo, "rpc"),
    Topic("feed_status", m.FeedStatus, "feed"),
    Topic("info_request", m.InfoRequest, "rpc"),
    Topic("events_request", m.EventsRequest, "rpc"),
    Topic("events_page", m.EventsPage, "rpc"),
    Topic("decide", m.Decide, "rpc"),
    Topic("decision", m.Decision, "rpc"),
    Topic("strategy_failed", m.StrategyFailed, "rpc"),
    Topic("strategy_hello", m.StrategyHello, "rpc"),
    Topic("strategy_status", m.StrategyStatus, "strategy"),
    Topic("recall", m.Recall, "rpc"),
    Topic("signal", m.Signal, "rpc"),
    Topic("account", m.Account, "rpc"),
    Topic("order_accepted", m.OrderAccepted, "broker"),
    Topic("order_rejected", m.OrderRejected, "broker"),
    Topic("order_resting", m.OrderResting, "broker"),
    Topic("order_cancelled", m.OrderCancelled, "broker"),
    Topic("fill", m.Fill, "broker"),
    Topic("trade_closed", m.TradeClosed, "broker"),
    Topic("funding_paid", m.FundingPaid, "broker"),
    Topic("breaker_tripped", m.BreakerTripped, "broker"),
    Topic("entries_halted", m.EntriesHalted, "broker"),
    Topic("decision_timed_out", m.DecisionTimedOut, "broker"),
    Topic("decision_taken", m.DecisionTaken, "broker"),
    Topic("session_closed", m.SessionClosed, "broker"),
    Topic("broker_status", m.BrokerStatus, "broker"),
    Topic("heartbeat", m.Heartbeat, ""),
    Topic("notice", m.Notice, ""),
    Topic("shutdown", m.Shutdown, "monitor"),
)

NAMES: Final = {topic.message: topic.name for topic in TABLE}
PREFIXES: Final = {topic.message: topic.name.encode() + SEPARATOR for topic in TABLE}
"""What frames and recorded lines begin with, and subscriptions match on."""
CLASSES: Final = {topic.name: topic.message for topic in TABLE}
MARKET: Final = frozenset({"quote", "trade", "candle", "funding"})
"""Topics of the market stream: recorded, with a `seq` of their own that survives the feed's restarts."""
