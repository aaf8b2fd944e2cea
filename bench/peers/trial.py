"""What a peer's script does with its work: once to warm up, then as often as asked, told as one line of JSON.

Runs where the peers are installed, so it knows nothing of this project. A script is told: the data, how many trials, and over
how many candles the two averages go.
"""

import json
import sys
from collections.abc import Callable
from time import process_time

FAST, SLOW = int(sys.argv[3]), int(sys.argv[4])


def tell(make: Callable[[], Callable[[], int]], version: str) -> None:
    """Print the processor's seconds for each trial and the number of trades.

    Args:
        make: builds a fresh run, which is not timed, and returns what runs it; that returns the number of trades.
        version: of the peer.
    """
    seconds = []
    trades = make()()
    for _ in range(int(sys.argv[2])):
        work = make()
        begun = process_time()
        trades = work()
        seconds.append(process_time() - begun)
    print(json.dumps({"seconds": seconds, "trades": trades, "version": version}))
