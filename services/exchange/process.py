"""The exchange as a command of its own: `lap exchange`. The composition root; a shell."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from services.exchange.config import ExchangeConfig, ExchangeError
from services.exchange.faults import FaultError, describe, parse_faults
from services.exchange.server_ws import serve


def run_standalone(data: Sequence[Path], speed: float, faults: Sequence[str], port: int, seed: int, symbol: str) -> int:
    """Run an exchange in the foreground until Ctrl-C or SIGTERM; return the exit code (0; 2 if it cannot open).

    A walk begins at once; data files begin with the first subscription, so that a client sees them whole. `speed` is
    in seconds of market time a second, > 0; port 0 takes a free one. The one line with the URLs goes to stdout.
    With `help` among the faults they are listed instead.
    """
    if "help" in faults:
        _say(describe())
        return 0
    try:
        config = ExchangeConfig(
            symbol=symbol,
            seed=seed,
            port=port,
            speed=speed,
            faults=parse_faults(faults),
            data=tuple(data),
            wait_for_subscription=bool(data),
        )
        asyncio.run(_until_signalled(config))
    except (ExchangeError, FaultError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _until_signalled(config: ExchangeConfig) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    # Not add_signal_handler: Windows has none. There the loop turns often enough for the signal to be seen.
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        await serve(config, stop, _nothing, _say)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing() -> None:
    """Stand in for the beat: nobody supervises a standalone exchange."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
