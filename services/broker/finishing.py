"""Opening a core from its journal, and closing the books of a session whose broker is gone. Shell: it reads files.

As a program it is the short-lived child that says whether a session can take over what the one before kept: the session's
settings come as JSON on stdin, the state directory as the argument. Exit 0, or 2 with one line on stderr.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bus.messages import StopReason
from services.broker.config import BrokerConfig
from services.broker.core import BrokerCore
from services.broker.errors import CarryOverError, JournalError
from services.broker.journal_sqlite import Journal
from services.broker.orders import UsedIds
from services.file_names import JOURNAL
from services.session.state import CARRY_FILE
from services.waiting import read_json, write_atomic


def open_core(config: BrokerConfig, journal: Journal, carried: Any, *, on_ticks: bool = False) -> BrokerCore:
    """Return the core as the journal has it, or a new one.

    Args:
        config: the broker's settings.
        journal: the run's journal.
        carried: content of the carry file, None without one; taken by a new core alone, and kept in the journal.
        on_ticks: the strategy decides on ticks, too.

    Raises:
        CarryOverError: what was carried does not fit this session.
        JournalError: the journal can not be read.
    """
    snapshot = journal.load()
    if snapshot is not None:
        return BrokerCore.restore(config, snapshot, on_ticks=on_ticks, used_ids=journal.used_ids())
    kept = journal.meta("carried")
    if kept is None and carried is not None:
        kept = json.dumps(carried)
        journal.set_meta("carried", kept)
    carried = None if kept is None else json.loads(kept)
    return _new_core(config, carried, on_ticks=on_ticks, used_ids=journal.used_ids())


def _new_core(
    config: BrokerConfig, carried: Any, *, on_ticks: bool = False, used_ids: UsedIds | None = None
) -> BrokerCore:
    try:
        return BrokerCore(config, on_ticks=on_ticks, used_ids=used_ids, carried=carried)
    except CarryOverError as error:
        advice = f"delete {CARRY_FILE} in the state directory to begin with a fresh account"
        raise CarryOverError(f"{error}; {advice}") from None


def carry_fault(settings: Mapping[str, Any], state_dir: Path) -> str:
    """Return why a session with these settings could not take over what the one before kept; empty when it could."""
    try:
        _new_core(BrokerConfig.from_settings(settings), read_carried(state_dir))
    except CarryOverError as error:
        return str(error)
    return ""


def read_carried(state_dir: Path) -> Any:
    """Return what the session before kept, None when it kept nothing.

    Raises:
        CarryOverError: there is something that can not be read.
    """
    path = state_dir / CARRY_FILE
    kept = read_json(path)
    if kept is None and path.exists():
        raise CarryOverError(f"{path} can not be read; delete it to begin with a fresh account")
    return kept


def finish_journal(run_dir: Path, state_dir: Path, settings: Mapping[str, Any], reason: StopReason) -> None:
    """Close the books if the broker could not, and leave to the next session what is to be kept.

    A broker that was killed while the session stopped leaves a position: it is closed here, on the newest quote that
    its journal knows. Without a journal there is nothing to do. A position that an earlier session kept, and that no
    quote of this one has priced, is left to the next session whatever `on_stop` says.
    """
    path = run_dir / JOURNAL
    if not path.exists():
        return
    config = BrokerConfig.from_settings(settings)
    try:
        with Journal(path) as journal:
            core = open_core(config, journal, read_carried(state_dir))
            said = core.close(reason, 0)
            if said:
                journal.record(said, core.snapshot())
            with suppress(JournalError):
                journal.seal()
    except (JournalError, CarryOverError):
        return  # the report says what is wrong with the journal
    carry, left = state_dir / CARRY_FILE, core.carry_over()
    if config.keep or left["position"] is not None:
        write_atomic(carry, json.dumps(left).encode())
    else:
        carry.unlink(missing_ok=True)


def main() -> int:
    """Look at what was kept; nothing is changed."""
    fault = carry_fault(json.loads(sys.stdin.buffer.read()), Path(sys.argv[1]))
    if fault:
        sys.stderr.buffer.write(f"{fault}\n".encode(errors="backslashreplace"))
    return 2 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
