"""`lap run` and `lap feed` ...: open or join the session, take the role's lock, supervise. Light on purpose."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bus.ports import SERVICES
from services import signals
from services.alerts_file import alert_of_crashes
from services.session import locate
from services.session.launcher import find_launcher, run_launcher
from services.session.opening import Opening, RefusedError, open_session, take_role
from services.session.state import read_stop
from services.supervision.supervisor import Supervisor

OPTIONS = {
    "source": ("S", "bitunix (default), demo, mock or replay"),
    "symbol": ("S", "the contract, such as BTCUSDT"),
    "interval": ("I", "candle length: 1s 5s 15s 1m 3m 5m 15m 30m 1h 4h 1d"),
    "duration": ("MIN", "minutes of wall time, or inf"),
    "seed": ("N", "the seed of every draw"),
}
"""Settings with an option of their own: what it takes, and help."""
ANY_OPTION = ("NAME=VALUE", "any setting; may be repeated")


class _Parser(argparse.ArgumentParser):
    """Words that are none of the command's are told of in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; '{self.prog} --help' tells what it takes\n")


def main(command: str, words: Sequence[str]) -> int:
    """Supervise one service (`feed` ...) or all of them (`run`); return the exit code."""
    options = parse_options(command, words)
    cwd = Path.cwd()
    if command == "run":
        os.environ.update(locate.dotenv(cwd))
    launcher = run_launcher() if command == "run" else find_launcher()
    try:
        opening = open_session(launcher, options, cwd)
        services = opening.session.services if command == "run" else (command,)
        locks = [take_role(opening.session, service) for service in services]
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    alert_of_crashes(opening.session.log_dir, f"lap {command}")
    _greet(command, opening)
    code = Supervisor(opening.session, services, launcher).run()
    signals.ignore()  # the interpreter's own end would give a late SIGTERM its deadly default back
    for lock in locks:
        lock.release()
    return code


def parse_options(command: str, words: Sequence[str]) -> dict[str, str]:
    """Return the settings that the command line gives, by name; exit with 2 and one line on words that are none."""
    what = "a whole session, without honcho" if command == "run" else f"the {command} service, supervised"
    parser = _Parser(
        prog=f"lap {command}",
        allow_abbrev=False,
        description=f"Start {what}. Options go over environment (LAP_<NAME>), .env and lap.toml.",
        epilog="See 'lap check' for every setting, its value and where it comes from.",
    )
    for name, (metavar, text) in OPTIONS.items():
        parser.add_argument(f"--{name}", metavar=metavar, help=text)
    metavar, text = ANY_OPTION
    parser.add_argument("--set", action="append", default=[], metavar=metavar, help=text)
    given = vars(parser.parse_args(words))
    options = {name: given[name] for name in OPTIONS if given[name] is not None}
    for item in given["set"]:
        name, equals, value = item.partition("=")
        if not equals:
            parser.error(f"--set takes NAME=VALUE, was {item!r}")
        options[name.strip()] = value
    return options


def _greet(command: str, opening: Opening) -> None:
    session = opening.session
    told = [opening.found] if opening.found else []
    if command in {"run", SERVICES[0]} and read_stop(session) is None:
        where = f"{session.settings['symbol']} from {session.settings['source']}"
        told.append(f"session {session.run_id}: {where}, seed {session.seed}; 'lap kill' stops it")
    with contextlib.suppress(OSError):  # what became of the output the supervisor sees by itself
        sys.stdout.write("".join(f"{line}\n" for line in told))
        sys.stdout.flush()
