"""How a SQLite file is named to `sqlite3.connect(..., uri=True)`."""

from pathlib import Path
from typing import Literal
from urllib.parse import quote


def sqlite_link(path: Path, mode: Literal["ro", "rwc"]) -> str:
    """Return the name of a file: `ro` reads what a killed writer left and changes nothing, `rwc` makes it if need be.

    Not `Path.as_uri`: of a path on a Windows share that makes a host, and SQLite knows of none
    (https://www.sqlite.org/uri.html).
    """
    return f"file:{quote(str(path.resolve()))}?mode={mode}"
