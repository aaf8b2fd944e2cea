"""The short-lived child that resolves settings: options as a JSON object on stdin, the answer as JSON on stdout.

Exit 0 with `{"values": ..., "origins": ..., "on_ticks": ...}`, or 2 with one line on stderr. Both are UTF-8, whatever the console is.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.session.state import CARRY_FILE
from services.settings import SettingsError, resolve
from services.strategy.interface import StrategyError
from services.strategy.loading import load_strategy
from services.waiting import is_there


def main() -> int:
    """Resolve the settings of a session in the working directory; see that it can load its strategy, and take over."""
    options = json.loads(sys.stdin.buffer.read() or b"{}")
    try:
        resolved = resolve({name: str(value) for name, value in options.items()}, Path.cwd(), os.environ)
        strategy = load_strategy(resolved.values["strategy"], resolved.values["strategy_params"], Path.cwd())
        _refuse_what_was_kept(resolved.values)
    except (SettingsError, StrategyError) as error:
        sys.stderr.buffer.write(f"{error}\n".encode(errors="backslashreplace"))
        return 2
    answer = json.dumps(
        {"values": resolved.values, "origins": resolved.origins, "on_ticks": strategy.decides_on_ticks},
        allow_nan=False,
    )
    sys.stdout.write(f"{answer}\n")
    return 0


def _refuse_what_was_kept(settings: Mapping[str, Any]) -> None:
    state_dir = Path.cwd() / settings["state_dir"]
    if is_there(state_dir / CARRY_FILE):
        from services.broker.finishing import carry_fault  # noqa: PLC0415 - nearly always nothing was kept

        if fault := carry_fault(settings, state_dir):
            raise SettingsError(fault)


if __name__ == "__main__":
    sys.exit(main())
