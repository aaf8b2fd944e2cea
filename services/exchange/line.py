"""What happens to pushes between the market and one client: mute, loss, doubles, swaps, garbage. Pure."""

from services.exchange.board import Push
from services.exchange.candles import HOUR_MS
from services.exchange.faults import Faults

Frame = str | bytes
OVERSIZED_BYTES = 2 * 1024 * 1024


class Line:
    """One connection's way out. Counts its pushes, so that every N-th one is met."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._clear = not faults.faults
        self._counts: dict[str, int] = {}
        self._held: str | None = None
        self._malformed = 0

    def carry(self, push: Push, elapsed_s: float) -> list[Frame]:
        """Return the frames that go out for a push, in order."""
        if self._clear:
            return [push.frame]
        if self._faults.on("mute", elapsed_s) or self._is_nth("gap", elapsed_s):
            return []
        frames: list[Frame] = [push.frame]
        if self._is_nth("duplicate", elapsed_s):
            frames.append(push.frame)
        swaps = self._is_nth("reorder", elapsed_s)
        if self._held is not None:
            frames.append(self._held)
            self._held = None
        elif swaps:
            self._held = push.frame
            return frames[1:]
        if self._is_nth("garbage", elapsed_s):
            malformed = garbage(push)
            frames.append(malformed[self._malformed % len(malformed)])
            self._malformed += 1
        if self._is_nth("oversized", elapsed_s):
            frames.append(oversized(push))
        return frames

    def _is_nth(self, name: str, elapsed_s: float) -> bool:
        fault = self._faults.active(name, elapsed_s)
        if fault is None:
            return False
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return count % int(fault.number) == 0


def _deep() -> str:
    """A list that a parser still takes, and that most programs can not write out again."""
    return "[" * 1_000 + "]" * 1_000


def garbage(push: Push) -> tuple[Frame, ...]:
    """Return malformed frames in the guise of a push: each a thing a client must survive."""
    trade = f'{{"ch":"trade","symbol":"{push.symbol}","ts":{push.ts_ms},"data":'
    depth = f'{{"ch":"depth_book1","symbol":"{push.symbol}","ts":{push.ts_ms},"data":'
    return (
        push.frame[: len(push.frame) // 2],
        "not json",
        "",
        "[]",
        "42",
        "null",
        b"\x00\xff\xfe",
        trade + "null}",
        trade + '[{"t":"soon","p":"","v":"","s":"buy"}]}',
        trade + '[{"t":"2026-01-01T00:00:00Z","p":"NaN","v":"1","s":"buy"}]}',
        trade + '[{"t":"2026-01-01T00:00:00Z","p":"-1","v":"1","s":"hold"}]}',
        trade + '[{"t":"2026-01-01T00:00:00Z","p":{},"v":[],"s":7}]}',
        f'{{"ch":"trade","symbol":"{push.symbol}","ts":"soon","data":[{{"p":"1","v":"1","s":"buy"}}]}}',
        f'{{"ch":"trade","symbol":"{push.symbol}","data":[{{"p":"1","v":"1","s":"buy"}}]}}',
        depth + '{"b":[["",""]],"a":[["",""]]}}',
        depth + '{"b":[],"a":[]}}',
        depth + '{"b":[["2","1"]],"a":[["1","1"]]}}',
        '{"op":"unheard-of","data":{"result":"maybe"}}',
        '{"ch":"unheard-of","ts":0,"data":{}}',
        f'{{"ch":"trade","symbol":"NOPE{push.symbol}","ts":{push.ts_ms},"data":[{{"p":"1","v":"1","s":"buy"}}]}}',
        f'{{"ch":"trade","symbol":"{push.symbol}\xff'.encode("latin-1"),
        "[" * 20_000,
        '{"data":' * 5_000 + "1" + "}" * 5_000,
        f'{{"op":{_deep()}}}',
        trade + f'[{{"t":"2026-01-01T00:00:00Z","p":{_deep()},"v":"1","s":"buy"}}]}}',
        trade + '[{"t":"2026-01-01T00:00:00Z","p":"0.1","v":"1","s":"buy"}]}',
        push.frame.replace(f'"ts":{push.ts_ms}', f'"ts":{push.ts_ms - HOUR_MS}'),
        push.frame.replace(f'"ts":{push.ts_ms}', f'"ts":{push.ts_ms + 2 * HOUR_MS}'),
        push.frame.replace(f'"ts":{push.ts_ms}', f'"ts":{push.ts_ms + HOUR_MS // 30}'),
    )


def oversized(push: Push) -> Frame:
    """Return a frame that is well formed and longer than anybody should have to keep."""
    return f'{{"ch":"trade","symbol":"{push.symbol}","ts":{push.ts_ms},"data":[{" " * OVERSIZED_BYTES}]}}'
