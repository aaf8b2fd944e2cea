"""The short-lived child that resolves settings: options as a JSON object on stdin, the answer as JSON on stdout.

Exit 0 with `{"values": ..., "origins": ..., "on_ticks": ...}`, or 2 with one line on stderr. Both are UTF-8, whatever the console is.
"""

import json
import os
import sys
from pathlib import Path

from services.settings import SettingsError, resolve
from services.strategy.interface import StrategyError
from services.strategy.loading import load_strategy


def main() -> int:
    """Resolve the settings of a session in the working directory, and see that its strategy can be loaded."""
    options = json.loads(sys.stdin.buffer.read() or b"{}")
    try:
        resolved = resolve({name: str(value) for name, value in options.items()}, Path.cwd(), os.environ)
        strategy = load_strategy(resolved.values["strategy"], resolved.values["strategy_params"], Path.cwd())
    except (SettingsError, StrategyError) as error:
        sys.stderr.buffer.write(f"{error}\n".encode(errors="backslashreplace"))
        return 2
    answer = json.dumps(
        {"values": resolved.values, "origins": resolved.origins, "on_ticks": strategy.decides_on_ticks},
        allow_nan=False,
    )
    sys.stdout.write(f"{answer}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
