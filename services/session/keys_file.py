"""The session's CURVE key pair on disk: made once, readable by its owner alone."""

import json
import os
import stat
from pathlib import Path

from bus.sockets import Keys, new_keys
from services.waiting import read_json, write_first


class KeysError(Exception):
    """The key file can not be trusted or read; one sentence that says what to do."""


_ELSEWHERE = (
    "set state_dir to a directory on a disk of this system's own (not exFAT, nor a network's, nor Windows' one in WSL)"
)


def load_or_make_keys(state_dir: Path) -> Keys:
    """Return the key pair of a state directory; the first to come makes it.

    Raises:
        KeysError: the file is readable by others, holds no keys, or can not be made.
    """
    path = state_dir / "bus.key"
    if not path.exists():
        keys = new_keys()  # of several that come at once, the first to link its file is right
        pair = {"public": keys.public.decode(), "secret": keys.secret.decode()}
        try:
            write_first(path, json.dumps(pair).encode())
        except OSError as error:
            raise KeysError(f"the key file {path} can not be made ({error.strerror}); {_ELSEWHERE}") from None
    return load_keys(state_dir)


def load_keys(state_dir: Path) -> Keys:
    """Return the key pair that is there.

    Raises:
        KeysError: the file is missing, readable by others, or holds no keys.
    """
    path = state_dir / "bus.key"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise KeysError(f"the key file {path} can not be read: {error.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise KeysError(
            f"the key file {path} is open to others (mode {mode:04o}); run: chmod 600 {path}; if that changes nothing, {_ELSEWHERE}"
        )
    try:
        pair = read_json(path)
        return Keys(pair["public"].encode("ascii"), pair["secret"].encode("ascii"))
    except (TypeError, KeyError, AttributeError, ValueError):
        raise KeysError(f"the key file {path} holds no keys; delete it and start again") from None
