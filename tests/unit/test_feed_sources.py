"""Whole feeds without a wire: a source, the core and a recording, turned by hand, killed and started again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from feed_builders import MINUTE, OF_NO_KIND, SYMBOL, FakeMouth, settings

from bus.messages import (
    Burst,
    Candle,
    EventsPage,
    EventsRequest,
    FeedState,
    FeedStatus,
    Funding,
    InfoRequest,
    MarketEvent,
    Message,
    Quote,
    Shutdown,
    StopReason,
    StreamInfo,
    Trade,
)
from services.feed.config import FeedConfig
from services.feed.core import FeedRules
from services.feed.facts import Refusal, Said
from services.feed.mock import START_MS, MockMarket
from services.feed.process import PAGE, FeedShell
from services.feed.recording_file import NAME, Recording, read_all
from services.feed.source import Now, Resume, Source, SourceError
from services.feed.source_mock import MockSource
from services.feed.source_replay import open_replay
from services.feed.warmup import session_start_ms

Opener = Callable[[Resume | None], Source]
BOOT = 5_000_000


@dataclass
class Feed:
    """A feed with clocks that stand still between turns."""

    shell: FeedShell
    mouth: FakeMouth
    recording: Recording
    elapsed_ms: int = 0

    def turn_at(self, elapsed_ms: int) -> int:
        """Turn once, that long after the session's start."""
        self.elapsed_ms = elapsed_ms
        return self.shell.on_turn(elapsed_ms)

    def run_to(self, elapsed_ms: int) -> None:
        """Turn until nothing more is due then."""
        while self.turn_at(elapsed_ms) == 0 and self.status.state is not FeedState.ENDED:
            pass

    @property
    def events(self) -> list[MarketEvent]:
        return [message for message in self.mouth.published if isinstance(message, Quote | Trade | Candle | Funding)]

    @property
    def status(self) -> FeedStatus:
        return [message for message in self.mouth.published if isinstance(message, FeedStatus)][-1]

    def ask(self, message: Message) -> Message:
        self.shell.hear((b"peer", message))
        return self.mouth.answers[-1][1]

    def kill(self) -> None:
        """Go without a word."""
        self.recording.close()


def open_feed(folder: Path, opener: Opener) -> Feed:
    recording = Recording(folder / NAME)
    mouth = FakeMouth()
    feed: Feed
    shell = FeedShell(mouth, recording, opener(recording.resume()), FeedRules(), lambda: BOOT + feed.elapsed_ms)
    feed = Feed(shell, mouth, recording)
    return feed


def mock(**changes: object) -> Opener:
    config = FeedConfig.from_settings(settings(**changes))
    return lambda resume: MockSource(config, 7, BOOT, resume)


def replay(root: Path, *names: str, **changes: object) -> Opener:
    config = FeedConfig.from_settings(settings(source="replay", replay_file=list(names), **changes))
    return lambda resume: open_replay(config, root, BOOT, resume)


def test_the_mock_plays_its_walk_by_the_session_s_clock(tmp_path: Path) -> None:
    feed = open_feed(tmp_path, mock())
    feed.run_to(0)
    assert [event.ts_ms for event in feed.events] == [START_MS]
    assert feed.status.state is FeedState.CONNECTED
    feed.run_to(90_000)
    info = feed.ask(InfoRequest())
    assert isinstance(info, StreamInfo)
    assert (len(info.history), info.history[-1].close_ms) == (200, START_MS)
    walk = MockMarket(7, info.tick_size, SYMBOL).facts()
    expected = [fact.ts_ms for fact, _ in zip(walk, range(2_000), strict=False) if fact.ts_ms <= START_MS + 90_000]
    assert [event.ts_ms for event in feed.events if not isinstance(event, Candle)] == expected
    assert [event.open_ms for event in feed.events if isinstance(event, Candle)] == [START_MS]
    feed.kill()


def test_a_killed_mock_feed_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole = open_feed(tmp_path / "whole", mock(interval="5s"))
    whole.run_to(60_000)
    feed = open_feed(tmp_path / "killed", mock(interval="5s"))
    for elapsed in (1, 3_333, 5_000, 5_001, 29_999, 60_000):
        feed.run_to(elapsed)
        feed.kill()
        feed = open_feed(tmp_path / "killed", mock(interval="5s"))
    feed.run_to(60_000)
    feed.kill()
    assert (tmp_path / "killed" / NAME).read_bytes() == (tmp_path / "whole" / NAME).read_bytes()
    assert (feed.status.ticks, feed.status.candles) == (whole.status.ticks, whole.status.candles)
    whole.kill()


def test_a_mock_feed_killed_within_a_burst_goes_on_too(tmp_path: Path) -> None:
    feed = open_feed(tmp_path / "whole", mock(interval="1s", max_quote_age_sec=0.05))
    feed.run_to(10_000)
    feed.kill()
    whole = (tmp_path / "whole" / NAME).read_bytes()
    for length in range(len(whole) // 2, len(whole) // 2 + 900, 31):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / NAME).write_bytes(whole[:length])
        again = open_feed(folder, mock(interval="1s", max_quote_age_sec=0.05))
        again.run_to(10_000)
        again.kill()
        assert (folder / NAME).read_bytes() == whole


QUOTES = "ts_ms,bid,ask\n" + "".join(
    f"{second * 1_000},{100 + second % 5},{101 + second % 5}\n" for second in range(600)
)
TRADES = "ts_ms,price,size,side\n" + "".join(
    f"{second * 1_000 + 500},{100 + second % 7},1,buy\n" for second in range(600)
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "quotes.csv").write_text(QUOTES)
    (tmp_path / "trades.csv").write_text(TRADES)
    return tmp_path


def test_the_history_of_a_file_is_its_first_part(files: Path) -> None:
    """A third of ten minutes is three minutes and a bit: three candles, and the session begins with the fourth."""
    feed = open_feed(files / "run", replay(files, "quotes.csv", "trades.csv"))
    feed.run_to(0)
    info = feed.ask(InfoRequest())
    assert isinstance(info, StreamInfo)
    assert [(candle.open_ms, candle.volume, candle.seq) for candle in info.history] == [
        (0, 60.0, 0),
        (MINUTE, 60.0, 0),
        (2 * MINUTE, 60.0, 0),
    ]
    assert [event.ts_ms for event in feed.events] == [3 * MINUTE]
    feed.kill()


@pytest.mark.parametrize(
    ("first", "last", "start"),
    [(0, 600_000, 180_000), (30_000, 630_000, 180_000), (0, 170_000, 0), (10, 20, 10), (0, 10**9, 200 * MINUTE)],
)
def test_the_session_of_a_file_begins_after_a_third_or_200_candles(first: int, last: int, start: int) -> None:
    assert session_start_ms(first, last, MINUTE) == start


def test_a_file_is_played_at_its_speed_and_ends(files: Path) -> None:
    feed = open_feed(files / "run", replay(files, "quotes.csv", "trades.csv", replay_speed=10.0))
    feed.run_to(1_000)
    assert [event.ts_ms for event in feed.events][-1] == 3 * MINUTE + 10_000
    assert feed.turn_at(1_000) == 50
    assert feed.status.data_age_ms == 0
    feed.run_to(42_000)
    assert feed.status.state is FeedState.ENDED
    assert feed.status.last_seq == feed.recording.last_seq == 420 * 2 + 6
    assert sum(isinstance(event, Candle) for event in feed.events) == 6
    feed.kill()


def test_a_killed_replay_goes_on_as_if_nothing_had_been(files: Path) -> None:
    whole = open_feed(files / "whole", replay(files, "quotes.csv", "trades.csv", replay_speed="max"))
    whole.run_to(0)
    whole.kill()
    data = (files / "whole" / NAME).read_bytes()
    for length in (10, len(data) // 7, len(data) // 2, len(data) - 3, len(data)):
        (files / str(length)).mkdir()
        (files / str(length) / NAME).write_bytes(data[:length])
        feed = open_feed(files / str(length), replay(files, "quotes.csv", "trades.csv", replay_speed="max"))
        feed.run_to(0)
        feed.kill()
        assert (files / str(length) / NAME).read_bytes() == data
        assert feed.status.state is FeedState.ENDED


def test_a_recorded_run_is_replayed_with_its_own_head_and_events(files: Path) -> None:
    first = open_feed(files / "first", replay(files, "quotes.csv", "trades.csv", replay_speed="max"))
    first.run_to(0)
    first.kill()
    for names in (["first"], [f"first/{NAME}"]):
        again = open_feed(
            files / "again" / str(len(names[0])),
            replay(files, *names, replay_speed="max"),
        )
        again.run_to(0)
        assert again.events == list(read_all(files / "first"))[1:]
        assert again.ask(InfoRequest()) == next(read_all(files / "first"))
        assert again.status.state is FeedState.ENDED
        again.kill()


def test_a_killed_replay_of_a_run_says_nothing_twice(files: Path) -> None:
    first = open_feed(files / "first", replay(files, "quotes.csv", "trades.csv", replay_speed="max"))
    first.run_to(0)
    first.kill()
    whole = (files / "first" / NAME).read_bytes()
    feed = open_feed(files / "again", replay(files, "first", replay_speed=1.0))
    feed.run_to(60_000)
    feed.kill()
    feed = open_feed(files / "again", replay(files, "first", replay_speed=1.0))
    feed.run_to(60_001)
    feed.run_to(420_000)
    feed.kill()
    assert (files / "again" / NAME).read_bytes() == whole


def test_a_file_of_candles_makes_a_stream_of_candles(tmp_path: Path) -> None:
    rows = "".join(f"{minute * MINUTE},1,4,0.5,2,9\n" for minute in range(60) if minute != 40)
    (tmp_path / "candles.csv").write_text("ts_ms,open,high,low,close,volume\n" + rows)
    feed = open_feed(tmp_path / "run", replay(tmp_path, "candles.csv", interval="5m"))
    feed.run_to(0)
    assert feed.turn_at(0) == min(1_000, MINUTE)
    info = feed.ask(InfoRequest())
    assert isinstance(info, StreamInfo)
    assert (info.mode, len(info.history)) == ("candle", 3)
    feed.run_to(45 * MINUTE)
    candles = [event for event in feed.events if isinstance(event, Candle)]
    assert len(candles) == len(feed.events) == 9
    assert [(candle.open_ms // MINUTE, candle.volume, candle.complete) for candle in candles][4:7] == [
        (35, 45.0, True),
        (40, 36.0, False),
        (45, 45.0, True),
    ]
    feed.kill()


@pytest.mark.parametrize(
    ("text", "interval", "words"),
    [
        (
            "ts_ms,open,high,low,close,volume\n0,1,1,1,1,1\n120000,1,1,1,1,1\n",
            "3m",
            (
                "candles of 120 s do not add up to the interval of 180 s: "
                "the one of 1970-01-01T00:02:00.000Z is that close to the one before it"
            ),
        ),
        ("ts_ms,open,high,low,close,volume\n0,1,1,1,1,1\n", "3m", "a file of candles needs at least two of them"),
        ("what,is,this\n", "3m", f"data.csv line 1: {OF_NO_KIND}: what,is,this"),
    ],
)
def test_a_file_that_can_not_be_replayed_is_one_sentence(tmp_path: Path, text: str, interval: str, words: str) -> None:
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(SourceError) as error:
        replay(tmp_path, "data.csv", interval=interval)(None)
    assert str(error.value) == words


def test_a_run_is_replayed_alone_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(SourceError, match="replayed alone"):
        replay(tmp_path, "run", "data.csv")(None)
    with pytest.raises(SourceError, match="can not be read"):
        replay(tmp_path, "run")(None)
    (tmp_path / "run" / NAME).write_bytes(b"")
    with pytest.raises(SourceError, match="holds no recording yet"):
        replay(tmp_path, "run")(None)


@pytest.mark.parametrize(("name", "value"), [("symbol", "ETHUSDT"), ("interval", "1s"), ("tick_size", 0.5)])
def test_a_run_is_not_replayed_as_what_it_was_not(tmp_path: Path, name: str, value: object) -> None:
    feed = open_feed(tmp_path / "run", mock())
    feed.run_to(1_000)
    feed.kill()
    replay(tmp_path, "run")(None)
    with pytest.raises(SourceError, match=f"the recording was made with {name} "):
        replay(tmp_path, "run", **{name: value})(None)


def test_a_row_with_an_absurd_time_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "ts_ms,price,size,side\n1000,1,1,buy\n9000000000000,1,1,buy\n1500,1,1,buy\nx,1,1,buy\n"
    )
    feed = open_feed(tmp_path / "run", replay(tmp_path, "t.csv", interval="1s"))
    feed.run_to(500)
    assert [event.ts_ms for event in feed.events if isinstance(event, Trade)] == [1_000, 1_500]
    assert (feed.status.state, feed.status.refused) == (FeedState.ENDED, 2)
    feed.kill()


def test_events_are_given_again_in_pages(files: Path) -> None:
    feed = open_feed(files / "run", replay(files, "quotes.csv", "trades.csv", replay_speed="max"))
    feed.run_to(0)
    page = feed.ask(EventsRequest(5))
    assert page == EventsPage(5, feed.recording.last_seq, tuple(feed.events[5 : 5 + PAGE]))
    assert feed.ask(EventsRequest(10**9)) == EventsPage(10**9, feed.recording.last_seq, ())
    feed.kill()


def test_what_is_published_is_in_the_recording_first(files: Path) -> None:
    opener = replay(files, "quotes.csv", "trades.csv", replay_speed="max")
    recording = Recording(files / "run" / NAME)

    class Witness(FakeMouth):
        def publish(self, message: Message) -> None:
            assert not isinstance(message, Burst) or message.events[-1].seq <= recording.last_seq
            super().publish(message)

    witness = Witness()
    shell = FeedShell(witness, recording, opener(None), FeedRules(), lambda: BOOT)
    for _ in range(3):
        shell.on_turn(0)
    assert recording.last_seq > 0
    assert sum(isinstance(message, MarketEvent) for message in witness.published) == recording.last_seq
    assert shell.close(Shutdown(StopReason.KILL))


def test_all_that_was_refused_is_told_before_a_replay_has_ended(tmp_path: Path) -> None:
    rows = "".join(f"{3_600_000 if row % 1_500 == 0 else row},1,1,buy\n" for row in range(4_500))
    (tmp_path / "late.csv").write_text(f"ts_ms,price,size,side\n{rows}")
    feed = open_feed(tmp_path / "run", replay(tmp_path, "late.csv", interval="1s", replay_speed="max"))
    feed.run_to(0)
    told = [text for _, event, text in feed.mouth.told if event == "data_refused"]
    assert feed.status.refused > 0
    assert sum(int(word) for text in told for word in text.split() if word.isdigit()) == feed.status.refused
    assert [event for _, event, _ in feed.mouth.told][-2:] == ["data_refused", "end_of_data"]
    feed.kill()


class Headless(MockSource):
    """A source that refuses all it hears, so that nothing begins."""

    def __init__(self) -> None:
        super().__init__(FeedConfig.from_settings(settings()), 7, BOOT, None)
        self.head, self.info = self.info, None  # type: ignore[assignment]

    def poll(self, now: Now) -> Sequence[Said]:
        """Refuse."""
        return [Refusal("jump", "a price of 5")]


def test_what_is_refused_before_a_session_has_begun_is_told_as_well(tmp_path: Path) -> None:
    source = Headless()
    feed = open_feed(tmp_path, lambda _: source)
    for elapsed in range(0, 5_000, 50):
        feed.turn_at(elapsed)
    assert [text for _, event, text in feed.mouth.told if event == "data_refused"] == [
        "refused from the source: 1 jump (for example jump: a price of 5)"
    ]
    source.info = source.head
    feed.turn_at(10_000)
    assert feed.status.refused == 101
    feed.shell.close(Shutdown(StopReason.DURATION))
    assert sum(int(text.split()[4]) for _, event, text in feed.mouth.told if event == "data_refused") == 101


def test_the_feed_says_how_it_is_once_a_second_and_on_change(tmp_path: Path) -> None:
    feed = open_feed(tmp_path, mock())
    for elapsed in range(0, 5_001, 50):
        feed.turn_at(elapsed)
    statuses = [message for message in feed.mouth.published if isinstance(message, FeedStatus)]
    assert len(statuses) == 6
    assert feed.mouth.ready
    last = statuses[-1]
    assert (last.last_seq, last.refused, last.reconnects) == (feed.recording.last_seq, 0, 0)
    assert last.last_ts_ms == feed.events[-1].ts_ms
    feed.shell.close(Shutdown(StopReason.DURATION))
