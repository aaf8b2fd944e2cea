"""A million mangled frames and REST answers through the feed's parsers, guards and core (`make fuzz`).

atheris (libFuzzer) chooses: it begins with frames of every kind, keeps what reaches new code, and has it mangled further,
mostly by `frame_fuzz`, which knows JSON. A minute on one core. RUNS=n for another number, SEED=n to go other ways. An
input that fails is shown with the error, and the exit code is not 0.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["services.feed"]):
    from frame_fuzz import ANSWERS, Fuzz, mangled, originals

RUNS = int(os.environ.get("RUNS", "1000000"))
SEED = int(os.environ.get("SEED", "1"))
LONGEST = 16_384
BLINDLY = 6
"""Every so many-th input is mangled by libFuzzer itself, which knows no JSON."""
OPTIONS = (f"-runs={RUNS}", f"-seed={SEED}", f"-max_len={LONGEST}", "-rss_limit_mb=1024", "-timeout=10", "-verbosity=0")


def fuzz(place: Path) -> None:
    """Run in this process, which libFuzzer ends; inputs worth keeping lie in `place`."""
    whole = (*originals(), *(answer.encode() for answer in ANSWERS))
    for number, frame in enumerate(whole):
        (place / str(number)).write_bytes(frame)
    feed = Fuzz()
    done = 0

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        return mangled(data, seed, whole)[:most] if seed % BLINDLY else bytes(atheris.Mutate(data, most))

    def work(data: bytes) -> None:
        nonlocal done
        feed.take(data, done)
        done += 1
        if done % 100_000 == 0:
            print(f"{done:>9,} inputs", flush=True)
        if done == RUNS:
            print("each gave a result or one named refusal, and no event broke a law:")
            for name, count in feed.counts.most_common():
                print(f"{count:>9,} {name}")
            sys.stdout.flush()

    atheris.Setup([sys.argv[0], *OPTIONS, f"-artifact_prefix={place}/", str(place)], work, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        return subprocess.run([sys.executable, __file__, place], check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fuzz(Path(sys.argv[1]))
    sys.exit(main())
