"""History as read-only columns: the newest candles, and what was handed out stays what it was."""

import pytest

from bus.messages import Candle
from services.strategy.history import History

COLUMNS = ("open", "high", "low", "close", "volume", "open_ms")


def candle(index: int) -> Candle:
    price = float(index + 1)
    return Candle(index + 1, 0, "BTCUSDT", 1_000, index * 1_000, price, price + 2, price / 2, price + 1, price * 10)


def filled(count: int, room: int = 3) -> History:
    history = History(room)
    for index in range(count):
        history.append(candle(index))
    return history


@pytest.mark.parametrize("count", range(12))
def test_it_holds_the_newest_candles_in_columns(count: int) -> None:
    history = filled(count)
    kept = [candle(index) for index in range(count)][-3:]
    assert len(history) == len(kept)
    for name in COLUMNS:
        assert list(getattr(history, name)) == [getattr(one, name) for one in kept]


@pytest.mark.parametrize("name", COLUMNS)
def test_what_was_handed_out_does_not_change(name: str) -> None:
    history = filled(3)
    handed_out = getattr(history, name)
    for index in range(3, 12):
        history.append(candle(index))
    assert list(handed_out) == [getattr(candle(index), name) for index in range(3)]


@pytest.mark.parametrize("name", COLUMNS)
def test_it_can_not_be_written_into(name: str) -> None:
    with pytest.raises(TypeError, match="read-only"):
        getattr(filled(3), name)[0] = 1


def test_numpy_takes_it_as_it_is() -> None:
    numpy = pytest.importorskip("numpy")
    closes = numpy.asarray(filled(3).close)
    assert closes.mean() == 3.0
    assert not closes.flags.writeable
