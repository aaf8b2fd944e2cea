"""The recording after its session: packed, and read as before; and the disk that is about to be full."""

import gzip
from pathlib import Path

import pytest
from feed_builders import FakeMouth, feed_core, published, raw_quote, raw_trade, settings, stream_info

from services.feed import recording_file
from services.feed.config import FeedConfig
from services.feed.core import FeedRules
from services.feed.packed_file import LEAST_BYTES, PACKED, PLAIN, pack
from services.feed.process import FeedShell
from services.feed.recording_file import ROOM_BYTES, Recording, read_all, replayable
from services.feed.recording_lines import RecordingError
from services.feed.source_mock import MockSource
from services.replay.seal_file import changed_since_sealed, seal_run


def record(run_dir: Path, count: int = 30_000) -> bytes:
    """Write a recording; return its bytes."""
    recording = Recording(run_dir / PLAIN)
    recording.begin(stream_info())
    core = feed_core()
    for at in range(0, count, 1_000):
        facts = [raw_quote(n) if n % 3 else raw_trade(n) for n in range(at, at + 1_000)]
        recording.append(published(core, facts))
    recording.close()
    return (run_dir / PLAIN).read_bytes()


def test_a_packed_recording_reads_as_before_by_each_of_its_names(tmp_path: Path) -> None:
    plain = record(tmp_path)
    assert len(plain) > LEAST_BYTES
    before = list(read_all(tmp_path))
    seal_run(tmp_path)
    pack(tmp_path)
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == [PACKED, "seal.json"]
    assert gzip.decompress((tmp_path / PACKED).read_bytes()) == plain
    assert (tmp_path / PACKED).stat().st_size < len(plain) / 4
    for path in (tmp_path, tmp_path / PLAIN, tmp_path / PACKED):
        assert replayable(path)
        assert list(read_all(path)) == before
    assert changed_since_sealed(tmp_path) == ""


def test_packing_twice_or_a_short_one_or_none_does_nothing(tmp_path: Path) -> None:
    pack(tmp_path)
    short = record(tmp_path, 1_000)
    pack(tmp_path)
    assert (tmp_path / PLAIN).read_bytes() == short
    assert not (tmp_path / PACKED).exists()


def test_the_same_recording_packs_to_the_same_bytes(tmp_path: Path) -> None:
    packed = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        record(tmp_path / name)
        pack(tmp_path / name)
        packed.append((tmp_path / name / PACKED).read_bytes())
    assert packed[0] == packed[1]


def test_a_plain_one_beside_a_packed_one_is_the_one_that_counts(tmp_path: Path) -> None:
    """A kill between the two steps of packing leaves both."""
    plain = record(tmp_path)
    (tmp_path / PACKED).write_bytes(gzip.compress(plain)[:1_000])
    assert len(list(read_all(tmp_path))) > 30_000
    pack(tmp_path)
    assert gzip.decompress((tmp_path / PACKED).read_bytes()) == plain


@pytest.mark.parametrize("how", ["cut", "changed"])
def test_a_packed_recording_that_is_broken_is_one_sentence_and_found_by_its_seal(tmp_path: Path, how: str) -> None:
    record(tmp_path)
    seal_run(tmp_path)
    pack(tmp_path)
    content = bytearray((tmp_path / PACKED).read_bytes())
    if how == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2] ^= 0xFF
    (tmp_path / PACKED).write_bytes(content)
    with pytest.raises(RecordingError, match=PACKED):
        list(read_all(tmp_path))
    assert "events.jsonl is not the one that was recorded" in changed_since_sealed(tmp_path)


def test_a_disk_that_is_almost_full_ends_the_session_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at once for each stretch of the recording, not for each burst."""
    monkeypatch.setattr(recording_file, "STRETCH_BYTES", 100_000)
    sizes: list[int] = []

    def free_bytes(_: Path) -> int:
        sizes.append((tmp_path / PLAIN).stat().st_size)
        return ROOM_BYTES if len(sizes) < 3 else ROOM_BYTES - 1

    recording, mouth, now_ms = Recording(tmp_path / PLAIN, free_bytes), FakeMouth(), 0
    config = FeedConfig.from_settings(settings(interval="1s"))
    shell = FeedShell(mouth, recording, MockSource(config, 7, 0, None), FeedRules(), lambda: now_ms)
    while not mouth.ended:
        now_ms += 100
        shell.on_turn(now_ms)
    assert [size // 100_000 for size in sizes] == [1, 2, 3]
    assert mouth.ended == ["the disk of the recording is almost full"]
    recording.close()
