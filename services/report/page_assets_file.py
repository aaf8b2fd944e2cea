"""What the page carries inside itself: the chart library, our own scripts and style, read from beside this file."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

_HERE = Path(__file__).parent
_SCRIPTS = ("vendor/uPlot.iife.min.js", "page/charts.js", "page/tables.js")
_STYLES = ("vendor/uPlot.min.css", "page/page.css")


@cache
def scripts() -> tuple[str, ...]:
    """The page's scripts, in the order in which they run."""
    return tuple(_read(name) for name in _SCRIPTS)


def script(name: str) -> str:
    """One of the page's scripts by its file's name, for another page: `uPlot.iife.min.js`."""
    return next(text for path, text in zip(_SCRIPTS, scripts(), strict=True) if path.endswith(f"/{name}"))


@cache
def style() -> str:
    """The page's style sheet."""
    return "\n".join(_read(name) for name in _STYLES)


def hashes(*texts: str) -> str:
    """The hashes of scripts, as a Content-Security-Policy names those that may run."""
    return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts)


def policy() -> str:
    """The page's Content-Security-Policy: nothing is loaded, and no script runs but these very ones."""
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes(*scripts())}"


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
