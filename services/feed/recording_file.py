"""The recording: what the feed publishes, on disk before it is published.

`events.jsonl`: one line a message, `topic|` and the message's fields as a JSON array; the first line is the stream's
head (`info|...`). A burst is one write. A line that is torn (the last one, after a kill) is cut off on reopening.
An event's place is found by halving the file, lines being in order of `seq`: nothing has to be kept in memory, and a
page of events costs the same however long the recording is. It grows as long as its disk has room: before that ends
it says so, so that the session can end in order. After the session it is packed (`packed_file`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Final

from bus.errors import MalformedFrameError
from bus.messages import Candle, Funding, MarketEvent, Quote, StreamInfo, Trade
from services.feed.packed_file import PLAIN, place_of, recorded_lines
from services.feed.recording_lines import RecordingError, is_whole, line_of, message_of, seq_of
from services.feed.source import Resume

NAME: Final = PLAIN
_CHUNK: Final = 1 << 20
_NEAR: Final = 1 << 16
"""Bytes within which a line is looked for one by one."""
_MOST_TORN: Final = 1 << 24
"""Bytes cut off at most; a file with more nonsense at its end is not ours to cut."""
STRETCH_BYTES: Final = 1 << 24
ROOM_BYTES: Final = 1 << 26
"""Before each stretch of recording so much must be free: enough for it, for the journal and for the report."""
_EVENTS: Final = (Quote, Trade, Candle, Funding)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a recording holds: the newest number, ticks (quotes and trades), candles."""

    last_seq: int
    ticks: int
    candles: int


def read_all(path: Path) -> Iterator[StreamInfo | MarketEvent]:
    """Yield a recording's head and events, in order. `path` may be the run's directory. A torn last line is left out.

    Raises:
        RecordingError: it is not there, or no recording.
    """
    path = place_of(path)
    try:
        for number, line in enumerate(recorded_lines(path), 1):
            if not line.endswith(b"\n"):
                return
            message = _decoded(line, path, number)
            if isinstance(message, StreamInfo) != (number == 1):
                raise RecordingError(f"{path} line {number}: the stream's head must be the first line, and once")
            yield message
    except OSError as error:
        raise RecordingError(f"{path} can not be read: {error.strerror or error}") from None


def _decoded(line: bytes, path: Path, number: int) -> StreamInfo | MarketEvent:
    try:
        message = message_of(line)
    except MalformedFrameError as error:
        raise RecordingError(f"{path} line {number}: {error}") from None
    if not isinstance(message, StreamInfo | Quote | Trade | Candle | Funding):
        raise RecordingError(f"{path} line {number}: no market event")
    return message


class Recording:
    """One run's recording, open for writing and reading.

    Args:
        path: the file; it and its directory are made if need be.
        free_bytes: tells how much room is left on a file's disk.

    Attributes:
        is_short_of_room: whether the disk is about to be full; the session has to end while it still can.

    Raises:
        RecordingError: it exists and is no recording.
    """

    def __init__(self, path: Path, free_bytes: Callable[[Path], int] = lambda path: disk_usage(path).free) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        # Unbuffered: a reader's buffer would still hold what was cut off.
        self._out = path.open("ab", buffering=0)
        self._in = path.open("rb", buffering=0)
        self._head_end = 0
        self._free_bytes = free_bytes
        self._stretch_end = STRETCH_BYTES
        self.is_short_of_room = False
        self.info: StreamInfo | None = None
        """The stream's head, None in a fresh recording."""
        self.last_seq = 0
        """The newest event's number, 0 for none."""
        try:
            self._size = self._cut_torn_end()
            if self._size:
                self._read_head()
                self.last_seq = self._seq_at_end()
        except RecordingError:
            self.close()
            raise

    def begin(self, info: StreamInfo) -> None:
        """Write the stream's head."""
        assert self.info is None, "a recording has one head"
        self._write(line_of(info))
        self._head_end = self._size
        self.info = info

    def append(self, events: Sequence[MarketEvent]) -> None:
        """Write events in one go; they are on their way to the disk when this returns.

        Raises:
            OSError: the disk is full or gone.
        """
        if not events:
            return
        assert events[0].seq == self.last_seq + 1, "events are numbered without a hole"
        self._write(b"".join(map(line_of, events)))
        self.last_seq = events[-1].seq
        if self._size >= self._stretch_end:
            self._stretch_end = self._size + STRETCH_BYTES
            self.is_short_of_room = self._free_bytes(self._path.parent) < ROOM_BYTES

    def events_after(self, seq: int, limit: int) -> tuple[MarketEvent, ...]:
        """Return up to `limit` events that follow `seq`."""
        if seq >= self.last_seq:
            return ()
        events: list[MarketEvent] = []
        for line in self._lines_from(self._offset_of(seq + 1)):
            event = message_of(line)
            assert isinstance(event, _EVENTS), "below the head there are events only"
            events.append(event)
            if len(events) >= limit:
                break
        return tuple(events)

    def totals(self) -> Totals:
        """Count what is recorded, in two passes over the bytes."""
        candles = self._count(b"\ncandle|")
        funding = self._count(b"\nfunding|")
        return Totals(self.last_seq, self.last_seq - candles - funding, candles)

    def tail(self) -> Iterator[MarketEvent]:
        """Yield, in order, what a core must work again to stand where the recording ends.

        That is: the newest quote if it is older than the last candle, and everything from the last candle on (all,
        without one), of which quotes but the newest are left out.
        """
        if not self.last_seq:
            return
        candle_at = self._last_line(b"candle|")
        quote_at = self._last_line(b"quote|")
        begin = self._head_end if candle_at is None else candle_at
        if quote_at is not None and quote_at < begin:
            yield self._event_at(quote_at)
        end_at = self._last_line(b"")
        offset = begin
        for line in self._lines_from(begin):
            if not line.startswith(b"quote|") or offset in {quote_at, end_at}:
                event = message_of(line)
                assert isinstance(event, _EVENTS), "below the head there are events only"
                yield event
            offset += len(line)

    def resume(self) -> Resume | None:
        """Return where the recording ends, None for a fresh one."""
        if self.info is None:
            return None
        ts_ms, ticks = 0, 0
        for event in self._backwards():
            ts_ms = ts_ms or event.ts_ms
            if event.ts_ms != ts_ms:
                break
            ticks += isinstance(event, Trade) or (isinstance(event, Quote) and not event.synthetic)
        return Resume(self.info, self.last_seq, ts_ms, ticks)

    def close(self) -> None:
        """Close the file."""
        self._out.close()
        self._in.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._out.write(view) :]
        self._size += len(data)

    def _read(self, offset: int, count: int) -> bytes:
        self._in.seek(offset)
        return self._in.read(min(count, self._size - offset))

    def _cut_torn_end(self) -> int:
        """Cut off what no whole event ends; return the length that is left."""
        self._size = whole_size = self._path.stat().st_size
        while self._size:
            begin = self._last_line(b"")
            line = self._read(begin or 0, self._size - (begin or 0))
            if line.endswith(b"\n") and is_whole(line):
                break
            if whole_size - self._size > _MOST_TORN or (not begin and line.endswith(b"\n")):
                raise RecordingError(f"{self._path} is no recording")
            self._size = begin or 0
        if self._size != whole_size:
            self._out.truncate(self._size)
        return self._size

    def _read_head(self) -> None:
        line = next(self._lines_from(0))
        info = _decoded(line, self._path, 1)
        if not isinstance(info, StreamInfo):
            raise RecordingError(f"{self._path} is no recording: it does not begin with the stream's head")
        self.info = info
        self._head_end = len(line)

    def _seq_at_end(self) -> int:
        begin = self._last_line(b"") or 0
        return seq_of(self._read(begin, self._size - begin)) if begin >= self._head_end else 0

    def _event_at(self, offset: int) -> MarketEvent:
        event = message_of(next(self._lines_from(offset)))
        assert isinstance(event, _EVENTS), "below the head there are events only"
        return event

    def _lines_from(self, offset: int) -> Iterator[bytes]:
        """Yield whole lines from an offset where one begins."""
        rest = b""
        while offset < self._size:
            block = self._read(offset, _CHUNK)
            offset += len(block)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            for line in lines:
                yield line + b"\n"

    def _last_line(self, prefix: bytes) -> int | None:
        """Return the offset of the last line with a prefix, whole or torn; None without one."""
        needle = b"\n" + prefix
        end = self._size - 1  # the last byte may end a line, it begins none
        while end > 0:
            begin = max(0, end - _CHUNK)
            # Blocks overlap by the needle, so that none falls between two.
            found = self._read(begin, end - begin + len(prefix)).rfind(needle)
            if found >= 0 and begin + found < end:
                return begin + found + 1
            end = begin
        if self._size and self._read(0, len(prefix)) == prefix:
            return 0
        return None

    def _backwards(self) -> Iterator[MarketEvent]:
        """Yield events from the newest back."""
        end = self._size
        rest = b""
        while end > self._head_end:
            begin = max(self._head_end, end - _NEAR)
            lines = (self._read(begin, end - begin) + rest).split(b"\n")
            end = begin
            rest = lines.pop(0) if begin > self._head_end else b""
            for line in reversed(lines):
                if line:
                    event = message_of(line)
                    assert isinstance(event, _EVENTS), "below the head there are events only"
                    yield event

    def _offset_of(self, seq: int) -> int:
        """Return where the line of an event begins; `seq` is in the recording."""
        low, high = self._head_end, self._size
        while high - low > _NEAR:
            middle = (low + high) // 2
            line_at = self._next_line(middle)
            if line_at < high and seq_of(self._read(line_at, 64)) <= seq:
                low = line_at
            else:
                high = middle
        offset = low
        for line in self._lines_from(low):
            if seq_of(line) >= seq:
                break
            offset += len(line)
        return offset

    def _next_line(self, offset: int) -> int:
        """Return where the first line after an offset begins, the file's end without one."""
        at = offset
        while at < self._size:
            found = self._read(at, 4_096).find(b"\n")
            if found >= 0:
                return at + found + 1
            at += 4_096
        return self._size

    def _count(self, needle: bytes) -> int:
        count, offset = 0, max(0, self._head_end - 1)
        while offset < self._size:
            block = self._read(offset, _CHUNK)
            count += block.count(needle)
            offset += len(block)
            if offset < self._size:
                offset -= len(needle) - 1
        return count


def replayable(path: Path) -> bool:
    """Whether a path is a recording (a run's directory, or its events), rather than a data file."""
    return path.is_dir() or path.name.endswith((".jsonl", ".jsonl.gz"))
