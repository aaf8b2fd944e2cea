"""The key file: made once, private, refused when it is open to others or broken."""

import errno
import os
import stat
from pathlib import Path

import pytest

from services.session.keys_file import KeysError, load_keys, load_or_make_keys


def test_the_first_makes_it_and_the_others_get_the_same(tmp_path: Path) -> None:
    first = load_or_make_keys(tmp_path)
    assert load_or_make_keys(tmp_path) == first == load_keys(tmp_path)
    assert len(first.public) == len(first.secret) == 40


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    load_or_make_keys(tmp_path)
    path = tmp_path / "bus.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(KeysError, match="chmod 600"):
        load_or_make_keys(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_a_disk_without_links_or_modes_is_told_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT, or Windows' own disk in WSL."""

    def has_none(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", has_none)
        with pytest.raises(KeysError, match="set state_dir to a directory on a disk"):
            load_or_make_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []
    load_or_make_keys(tmp_path)
    (tmp_path / "bus.key").chmod(0o777)
    with pytest.raises(KeysError, match="if that changes nothing, set state_dir"):
        load_or_make_keys(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"public": 1, "secret": 2}', '{"public": "é", "secret": "x"}'])
def test_a_broken_one_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bus.key"
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(KeysError, match="delete it"):
        load_keys(tmp_path)


def test_a_missing_one_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="can not be read"):
        load_keys(tmp_path)
