"""Golden sessions on disk: what goes in, what came out, and how it is written down.

A session's directory holds what goes in: `session.json` (what it shows, the settings that are not default, the wall
clock's facts, what an earlier session left) and `events.jsonl` (a recording); and what came out: `trades.csv`, and
`said.txt` with everything that the broker said, one line a message. Fields that are 0, empty or false are left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from bus.messages import Candle, MarketEvent, Message, StopReason, StreamInfo, TradeClosed
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.feed.recording_file import read_all
from services.feed.recording_lines import line_of, message_of
from services.numbers import plain
from services.replay.script import Script
from services.replay.stage import Stage
from services.report.trades_csv import trades_csv
from services.settings import resolve
from services.strategy.config import StrategyConfig
from services.strategy.core import StrategyCore
from services.strategy.loading import load_strategy

GOLDEN = Path(__file__).parent / "replay" / "golden"
STRATEGIES = Path(__file__).parent
"""Where a golden session's own strategy is."""
INPUTS = ("session.json", "events.jsonl")
OUTPUTS = ("trades.csv", "said.txt")

_EPOCH_MS = 1_000_000_000_000


@dataclass(frozen=True)
class Session:
    """What goes into a golden session.

    Attributes:
        tells: what it shows, in a sentence.
        settings: those that are not default, as JSON types.
        info: the stream's head.
        events: the market.
        facts: the wall clock's facts, in the order of happening.
        carried: what an earlier session left.
    """

    tells: str
    settings: Mapping[str, Any]
    info: StreamInfo
    events: Sequence[MarketEvent]
    facts: Sequence[Message] = ()
    carried: Mapping[str, Any] | None = None

    def script(self, name: str) -> Script:
        """The session as `services.replay` plays it."""
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in self.settings.items()}
        resolved = resolve(texts, STRATEGIES, {})
        return Script(
            name=name,
            settings=resolved.values,
            origins=resolved.origins,
            info=self.info,
            events=iter(self.events),
            facts=self.facts,
            carried=self.carried,
        )


@dataclass(frozen=True)
class Performance:
    """What came out: everything said, and the broker as it stands then."""

    broker: BrokerCore
    said: Sequence[Message] = field(repr=False)

    def texts(self) -> dict[str, bytes]:
        """The files of what came out."""
        trades = [message for message in self.said if isinstance(message, TradeClosed)]
        listing = "".join(f"{told(message)}\n" for message in self.said)
        return {"trades.csv": trades_csv(trades).encode(), "said.txt": listing.encode()}


def perform(session: Session) -> Performance:
    """Play a session on the stage of a replay."""
    script = session.script("golden")
    config = StrategyConfig.from_settings(script.settings)
    strategy = StrategyCore(config, load_strategy(config.name, config.params, STRATEGIES))
    broker = BrokerCore(BrokerConfig.from_settings(script.settings), wall_clock=False, carried=script.carried)
    stage = Stage(broker, strategy, script.info, script.facts)
    for event in script.events:
        stage.play(event)
    stage.finish(StopReason.END_OF_DATA)
    return Performance(broker, stage.take_said())


def inputs_of(session: Session) -> dict[str, bytes]:
    """The files of what goes in."""
    head = {
        "tells": session.tells,
        "settings": session.settings,
        "facts": [line_of(fact).decode().rstrip("\n") for fact in session.facts],
        "carried": session.carried,
    }
    lines = [line_of(message) for message in (session.info, *session.events)]
    return {"session.json": f"{json.dumps(head, indent=1)}\n".encode(), "events.jsonl": b"".join(lines)}


def read_session(directory: Path) -> Session:
    """Read what goes into a golden session."""
    head = json.loads((directory / "session.json").read_bytes())
    info, *events = read_all(directory)
    assert isinstance(info, StreamInfo)
    return Session(
        tells=head["tells"],
        settings=head["settings"],
        info=info,
        events=[event for event in events if not isinstance(event, StreamInfo)],
        facts=[message_of(line.encode()) for line in head["facts"]],
        carried=head["carried"],
    )


def told(message: Message) -> str:
    """A message in one line: its name and its fields."""
    words = " ".join(f"{name}={text}" for name, text in _words_of(message))
    return f"{type(message).__name__} {words}"


def _words_of(thing: Any) -> list[tuple[str, str]]:
    return [(name, _text(value)) for name, value in asdict(thing).items() if value]


def _text(value: Any) -> str:
    match value:
        case Enum():
            return str(value.value)
        case Decimal():
            return plain(value)
        case Candle():
            mark = "" if value.complete else " incomplete"
            opened = _text(value.open_ms)
            return f"{opened} {value.open}/{value.high}/{value.low}/{value.close} volume {value.volume}{mark}"
        case tuple():
            return f"[{', '.join(map(_text, value))}]"
        case int() if value >= _EPOCH_MS:
            moment = datetime.fromtimestamp(value / 1000, UTC)
            return moment.isoformat(sep="_", timespec="milliseconds").removesuffix("+00:00")
        case Struct():
            return f"({' '.join(f'{name}={text}' for name, text in _words_of(value))})"
        case _:
            return str(value)
