"""Each process's own log: `logs/<service>.jsonl` through loguru, rotated by size, and the stacks of a hung loop."""

import faulthandler
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson
from loguru import logger

from services.clock import iso
from services.signals import STACKS_SIGNAL

if TYPE_CHECKING:
    from loguru import Message as LogMessage

ROTATE_BYTES = 20 * 1024 * 1024
KEEP_FILES = 3


def open_log(log_dir: Path, service: str, *, to_terminal: bool) -> None:
    """Send this process's log to its file (bounded: `KEEP_FILES` of `ROTATE_BYTES`), and to the terminal when bare."""
    logger.remove()
    log_dir.mkdir(parents=True, exist_ok=True)
    logger.configure(extra={"service": service}, patcher=_as_json_line)
    logger.add(
        log_dir / f"{service}.jsonl",
        format="{extra[line]}",
        rotation=ROTATE_BYTES,
        retention=KEEP_FILES,
        level="INFO",
        catch=True,
    )
    if to_terminal:
        logger.add(_to_stderr, format="{time:HH:mm:ss.SSS} {level: <8} {message}", level="INFO", colorize=None)


def close_log() -> None:
    """Write out what is left. A full disk loses it, in one line."""
    try:
        logger.remove()
    except OSError as error:
        sys.stderr.write(f"the end of the log can not be written: {error.strerror}\n")


def open_stacks(log_dir: Path, service: str) -> TextIO | None:
    """Return the file into which all stacks go whenever the signal of a supervisor comes; None where there is none.

    No thread watches over the time: it would read the stacks while they change, which has been seen to end a process
    that had only slept.
    """
    if STACKS_SIGNAL is None:
        return None
    stacks = (log_dir / f"{service}.stacks.txt").open("a", encoding="utf-8")
    faulthandler.register(STACKS_SIGNAL, stacks)
    return stacks


def _to_stderr(text: "LogMessage") -> None:
    sys.stderr.write(text)


def _as_json_line(record: Any) -> None:
    extra = {name: value for name, value in record["extra"].items() if name != "line"}
    line = {
        "ts": iso(int(record["time"].timestamp() * 1000)),
        "level": record["level"].name,
        "pid": record["process"].id,
        "message": record["message"],
        **extra,
    }
    record["extra"]["line"] = orjson.dumps(line, default=str).decode()
