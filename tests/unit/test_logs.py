"""`lap logs`: all processes' logs merged, each event once, chosen by service and level."""

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import LAP, Desk, eventually

from services.commands.log_lines import LogLine, Merger, parse
from services.commands.reading import logs_command


def line(ms: int, service: str = "feed", event: str = "tick", message: str = "hello", **more: Any) -> dict[str, Any]:
    ts = f"2026-11-23T05:18:{ms // 1000:02d}.{ms % 1000:03d}Z"
    return {"ts": ts, "level": "INFO", "service": service, "event": event, "message": message, **more}


def write(directory: Path, name: str, *lines: dict[str, Any] | str) -> None:
    texts = [text if isinstance(text, str) else json.dumps(text) for text in lines]
    with (directory / f"{name}.jsonl").open("a") as file:
        file.write("".join(f"{text}\n" for text in texts))


def shown(directory: Path, capsys: pytest.CaptureFixture[str], service: str = "", level: str = "") -> list[str]:
    assert logs_command(directory, None, service, level, follow=False) == 0
    return [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]


def test_logs_are_merged_in_the_order_of_time_and_an_event_is_shown_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "feed", line(10, event="feed_connected"), line(900, message="later"))
    write(tmp_path, "broker", line(500, "broker", "order_accepted", "x"))
    write(tmp_path, "system", line(12, event="feed_connected"), line(600, "broker", "fill", "LONG 1"))
    assert shown(tmp_path, capsys) == [
        "05:18:00.010 INFO feed feed_connected hello",
        "05:18:00.500 INFO broker order_accepted x",
        "05:18:00.600 INFO broker fill LONG 1",
        "05:18:00.900 INFO feed tick later",
    ]


def test_a_service_and_a_level_choose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "feed", line(1), line(2, level="WARNING", message="w"), line(3, level="CRITICAL", message="c"))
    write(tmp_path, "broker", line(4, "broker", level="ERROR", message="e"))
    assert [text.split()[-1] for text in shown(tmp_path, capsys, "", "warning")] == ["w", "c", "e"]
    assert [text.split()[-1] for text in shown(tmp_path, capsys, "broker", "")] == ["e"]


def test_what_is_no_line_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "feed", "nonsense", "[]", '{"ts": 5}', line(1, message="good"), '{"ts": "2026-11-23T05:18:00')
    assert [text.split()[-1] for text in shown(tmp_path, capsys)] == ["good"]


def test_what_happens_again_later_is_shown_again() -> None:
    first, soon, later = (parse(json.dumps(line(ms)), "feed") for ms in (0, 4_000, 10_000))
    assert first is not None
    assert soon is not None
    assert later is not None
    assert list(Merger().merge([later, first, soon])) == [first, later]
    (day_after,) = [replace(first, ts=first.ts.replace("-23T", "-24T"))]
    assert list(Merger().merge([first, day_after])) == [first, day_after]
    nameless = LogLine(first.ts, "INFO", "feed", "", "a line of a library")
    assert len(list(Merger().merge([nameless, nameless]))) == 2


@pytest.mark.parametrize(
    ("service", "level", "sentence"),
    [
        ("food", "", "--service must be one of feed, strategy, broker, monitor, exchange, was 'food'"),
        ("", "loud", "--level must be one of INFO, WARNING, ERROR, CRITICAL, was 'loud'"),
        ("", "", "there are no logs in "),
    ],
)
def test_wrong_words_are_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], service: str, level: str, sentence: str
) -> None:
    assert logs_command(tmp_path, None, service, level, follow=False) == 2
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.skipif(os.name == "nt", reason="interrupting is a POSIX thing")
def test_it_follows_logs_as_they_grow_and_are_rotated(desk: Desk) -> None:
    logs = desk.directory / "logs"
    logs.mkdir()
    write(logs, "feed", line(1, message="first"))
    program = desk.start(LAP, "logs", "--follow", PYTHONUNBUFFERED="1")
    eventually(lambda: "first" in program.output(), 20, "the first line")
    write(logs, "feed", line(2, message="second"))
    write(logs, "broker", line(3, "broker", message="third"))
    eventually(lambda: "second" in program.output() and "third" in program.output(), 10, "what was added")
    os.kill(program.pid, signal.SIGSTOP)
    write(logs, "feed", line(4, message="last before"))
    (logs / "feed.jsonl").rename(logs / "feed.jsonl.1")
    write(logs, "feed", line(5, message="fourth"))
    os.kill(program.pid, signal.SIGCONT)
    eventually(lambda: "fourth" in program.output(), 10, "what came after the rotation")
    assert "last before" in program.output()
    os.kill(program.pid, signal.SIGINT)
    assert program.wait(10) == 0
    assert program.output().count("first") == 1
    assert "\x1b[" not in program.output(), "no colour into a file"


@pytest.mark.skipif(os.name == "nt", reason="a pipe whose reader has gone is a POSIX thing")
def test_a_reader_that_has_seen_enough_is_no_failure(desk: Desk) -> None:
    logs = desk.directory / "logs"
    logs.mkdir()
    write(logs, "feed", *(line(ms, message=f"no. {ms}") for ms in range(5_000)))
    with subprocess.Popen([LAP, "logs"], cwd=desk.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        assert (program.stderr.read(), program.wait(20)) == (b"", 0)
