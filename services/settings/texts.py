"""What a setting's text means where it stands for more than one value, and how a value is shown to a person.

Pure but for one question: whether a file of that name exists, so that a name with a comma in it can be given.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.waiting import is_there

_SHOWN = 60


def parse_params(text: str) -> object:
    """`fast=5,slow=20` or a JSON object, as a table; an empty text is an empty table.

    Raises:
        ValueError: It is neither.
    """
    if text.lstrip().startswith("{"):
        return json.loads(text)
    params: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name or name in params:
            raise ValueError(part)
        params[name] = _scalar(value)
    return params


def _scalar(text: str) -> object:
    """A number, true or false if the text reads as one, else the text itself."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_urls(text: str) -> list[object]:
    """URLs with commas or spaces between them, or a JSON list."""
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            return [text]
        return listed if isinstance(listed, list) else [text]
    return [part for part in re.split(r"[\s,]+", text) if part]


def parse_files(text: str, cwd: Path) -> list[str]:
    """File names with commas or the system's path separator between them; a text that is a file's name is that one."""
    if "\0" not in text and text.strip() and is_there(cwd / text):
        return [text]
    return [part.strip() for part in re.split(f"[,{re.escape(os.pathsep)}]", text) if part.strip()]


def shown(name: str, value: object) -> str:
    """A value in one short line, as a person would write it; the secret part of a notification URL stays out."""
    if value is None:
        return "inf" if name == "duration" else "unset"
    if name == "alert_urls":
        urls = value if isinstance(value, list) else str(value).split(",")
        return ", ".join(map(_scheme, map(str, urls))) or "none"
    text = _plain(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _scheme(url: str) -> str:
    """What of a notification URL is no secret; of a text that is none, nothing."""
    scheme, is_url, _ = url.strip().partition("://")
    return f"{scheme[:20]}://..." if is_url else "..."


def _plain(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float() if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
            return str(int(value))
        case str():
            return value if value and value.isprintable() and " " not in value else repr(value)
        case list() | tuple():
            return ", ".join(_plain(item) for item in value) or "none"
        case Mapping():
            return ", ".join(f"{key}={_plain(item)}" for key, item in value.items()) or "none"
        case _:
            return str(value)
