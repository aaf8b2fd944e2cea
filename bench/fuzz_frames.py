"""A million mangled frames and REST answers through the feed's parsers, guards and core (`make fuzz`).

Half a minute on one core. VARIANTS=n for another number, FIRST=n to begin elsewhere: variant n is a function of n alone.
"""

import os
import time

from frame_fuzz import Fuzz

VARIANTS = int(os.environ.get("VARIANTS", "1000000"))
FIRST = int(os.environ.get("FIRST", "0"))
STEP = 50_000


def main() -> None:
    fuzz = Fuzz()
    began = time.perf_counter()
    for first in range(FIRST, FIRST + VARIANTS, STEP):
        fuzz.work(range(first, min(first + STEP, FIRST + VARIANTS)))
        print(f"{first + STEP - FIRST:>9,} variants, {time.perf_counter() - began:.0f} s", flush=True)
    print("each gave a result or one named refusal, and no event broke a law:")
    for name, count in fuzz.counts.most_common():
        print(f"{count:>9,} {name}")


if __name__ == "__main__":
    main()
