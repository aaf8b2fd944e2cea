"""`lap replay` as a person calls it: data files, recorded runs, changed settings, and what can not be replayed."""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from feed_builders import OF_NO_KIND
from processes import FACTOR, LAP, Desk, environment, eventually
from replay_builders import HEADS, candle_rows, recorded_run, rows_of, swings, write_csv

from services.commands.replaying import replay_command
from services.commands.reporting import report_command
from services.feed.facts import RawQuote, RawTrade
from services.replay.script import SHAPING
from services.replay.seal_file import seal_run

REPORT = {"config.json", "end.json", "journal.db", "replay.lock", "summary.html", "summary.json", "trades.csv"}
WAITS = """
from pathlib import Path
from services.strategy.built_in.sma_cross import SmaCross
from services.waiting import wait_until


class Waits(SmaCross):
    def __init__(self, params):
        super().__init__(params)
        assert wait_until(Path("go").exists, 60_000)
"""
STRAYS = """
import os
import threading
from services.strategy.built_in.sma_cross import SmaCross


class Strays(SmaCross):
    def __init__(self, params):
        super().__init__(params)
        os.chdir("/")
        threading.Thread(target=threading.Event().wait).start()
"""
GREEDY = """
from services.strategy.built_in.sma_cross import SmaCross


class Greedy(SmaCross):
    def on_candle(self, context, candle):
        return None if bytes(4 << 30) else ()
"""
HOPES = """
from services.strategy.interface import Side, Strategy


class Hopes(Strategy):
    def on_candle(self, context, candle):
        return context.market(Side.LONG, stop_bps=-5)
"""
LIVELY = tuple(
    word
    for setting in ("strategy_params=fast=2,slow=5", "max_consecutive_losses=99", "max_daily_drawdown_pct=90")
    for word in ("--set", setting)
)


def report_of(desk: Desk, done: subprocess.CompletedProcess[str], out: str) -> list[str]:
    """Check what every replay leaves and says; return its trades."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no bar, no warning, nothing"
    assert {path.name for path in (desk.directory / out).iterdir()} == REPORT
    count, _, rest = done.stdout.partition(" events replayed; report: ")
    assert (int(count) > 0, rest.strip().endswith(f"{out}/summary.html"), done.stdout.count("\n")) == (True, True, 1)
    return (desk.directory / out / "trades.csv").read_text().splitlines()[1:]


def test_ticks_in_any_number_of_files_give_one_session(desk: Desk) -> None:
    facts = swings()
    trades, quotes = rows_of(facts, RawTrade), rows_of(facts, RawQuote)
    write_csv(desk.directory / "trades.csv", "trades", trades)
    write_csv(desk.directory / "quotes.csv", "quotes", quotes)
    write_csv(desk.directory / "a.csv.gz", "trades", trades[:300])
    write_csv(desk.directory / "b.csv", "trades", trades[300:])
    both = report_of(desk, desk.lap("replay", "quotes.csv", "trades.csv", "--out", "both", *LIVELY), "both")
    parts = desk.lap("replay", "b.csv", "a.csv.gz", "quotes.csv", "--out", "parts", *LIVELY)
    assert report_of(desk, parts, "parts") == both
    assert {row.split(",")[8] for row in both} >= {"SL", "TP"}
    summary = json.loads((desk.directory / "both" / "summary.json").read_bytes())
    assert (summary["stop_reason"], summary["seed"], summary["trades"]) == ("end_of_data", 0, len(both))
    assert summary["source"] == "replay"


def test_rows_that_are_not_believed_are_told_and_counted(desk: Desk) -> None:
    trades = [fact for fact in swings() if isinstance(fact, RawTrade)]
    late = [trade for trade in trades if trade.ts_ms < trades[-1].ts_ms - 1_000]
    write_csv(desk.directory / "late.csv", "trades", rows_of([*trades, *late], RawTrade))
    done = desk.lap("replay", "late.csv", "--out", "out", *LIVELY)
    assert done.returncode == 0
    assert f", {len(late):,} rows refused" in done.stdout
    quality = json.loads((desk.directory / "out" / "summary.json").read_bytes())["quality"]
    assert (quality["refused_events"], quality["grade"]) == (len(late), "care")


def test_trades_alone_and_candles_are_replayed_into_the_runs_directory(desk: Desk) -> None:
    facts = swings()
    write_csv(desk.directory / "trades.csv", "trades", rows_of(facts, RawTrade))
    write_csv(desk.directory / "candles.csv", "candles", candle_rows(facts))
    for name in ("trades", "candles"):
        assert report_of(desk, desk.lap("replay", f"{name}.csv", *LIVELY), f"runs/replay-{name}")


def test_reports_of_different_files_go_to_different_directories_however_many_there_are(desk: Desk) -> None:
    facts = swings()
    for name in ("btc.jan", "btc.feb", "b" * 240):
        write_csv(desk.directory / f"{name}.csv", "trades", rows_of(facts, RawTrade))
        assert desk.lap("replay", f"{name}.csv", *LIVELY).returncode == 0
    days = [f"a_long_name_for_{day}.csv" for day in range(12)]
    for day in days:
        write_csv(desk.directory / day, "trades", rows_of(facts, RawTrade))
    assert desk.lap("replay", *days, *LIVELY).returncode == 0
    assert desk.lap("replay", *days[:-1], *LIVELY).returncode == 0
    made = {path.name for path in (desk.directory / "runs").iterdir()}
    assert {"replay-btc.jan", "replay-btc.feb"} < made
    assert len(made) == 5


def test_settings_come_from_the_directory_and_the_command_line_goes_over_them(desk: Desk) -> None:
    write_csv(desk.directory / "candles.csv", "candles", candle_rows(swings()))
    (desk.directory / "lap.toml").write_text("seed = 5\nstop_bps = 40\n")
    done = desk.lap("replay", "candles.csv", "--out", "out", "--set", "stop_bps=50", LAP_TP_R="2")
    assert done.returncode == 0, done.stderr
    config = json.loads((desk.directory / "out" / "config.json").read_bytes())
    assert [config["settings"][name] for name in ("seed", "stop_bps", "tp_r")] == [5, 50.0, 2.0]
    assert config["origins"]["stop_bps"] == "--set stop_bps"


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_a_recorded_run_comes_out_the_same_whatever_python_hashes_with(desk: Desk, hash_seed: str) -> None:
    recorded_run(desk.directory / "runs" / "mine")
    done = desk.lap("replay", "mine", "--check", "--out", "out", PYTHONHASHSEED=hash_seed)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "trades.csv is the same, byte for byte"
    trades = [desk.directory / place / "trades.csv" for place in ("runs/mine", "out")]
    assert trades[0].read_bytes() == trades[1].read_bytes()


def test_a_recorded_run_with_another_setting_differs_and_the_first_difference_is_told(desk: Desk) -> None:
    recorded_run(desk.directory / "runs" / "mine")
    done = desk.lap("replay", "mine", "--check", "--set", "stop_bps=60")
    assert done.returncode == 1
    assert done.stderr.startswith("trades.csv line 2: recorded 1,BTCUSDT,SHORT,33.39,")
    assert (desk.directory / "runs" / "mine" / "replay" / "summary.html").exists()


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is a POSIX thing")
def test_a_terminal_sees_a_progress_bar(desk: Desk) -> None:
    recorded_run(desk.directory / "runs" / "mine")
    ours, theirs = os.openpty()
    try:
        words = [LAP, "replay", "mine"]
        done = subprocess.run(
            words, cwd=desk.directory, env=environment({}), stderr=theirs, timeout=30 * FACTOR, check=False
        )
        assert done.returncode == 0
        assert b"replay" in os.read(ours, 10_000)
    finally:
        os.close(ours)
        os.close(theirs)


def test_what_can_not_be_replayed_ends_with_2_and_one_sentence(desk: Desk) -> None:
    (desk.directory / "nonsense.csv").write_text("nonsense\n")
    done = desk.lap("replay", "nonsense.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"nonsense.csv line 1: {OF_NO_KIND}: nonsense\n"


class Refused:
    """Calls the command in this process, and returns the one sentence with which it refuses."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capsys = capsys

    def __call__(self, *what: str, words: tuple[str, ...] = (), check: bool = False, out: str | None = None) -> str:
        code = replay_command(what, Path(out) if out else None, words, check=check, quiet=False)
        said = self._capsys.readouterr()
        assert (code, said.out, said.err.count("\n")) == (2, "", 1), said.err
        return said.err.strip()


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """The command in a directory of its own, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LAP_")]:
        monkeypatch.delenv(name)
    return Refused(tmp_path, capsys)


HEAD = ",".join(HEADS["trades"])
CANDLES = ",".join(HEADS["candles"])
# name of the file: (content, a part of the sentence)
FILES: dict[str, tuple[bytes | None, str]] = {
    "missing.csv": (None, "missing.csv is not there"),
    "empty.csv": (b"", "empty.csv is empty"),
    "blank.csv": (b"\n\n\n", "blank.csv is empty"),
    "bytes.csv": (bytes(range(128, 256)), "bytes.csv is no text in UTF-8"),
    "wide.csv": (f"{HEAD}\n1,2,3,buy\n".encode("utf-16"), "wide.csv is no text in UTF-8"),
    "other.csv": (
        b"open_ms,open\n0,1\n",
        f"other.csv line 1: {OF_NO_KIND}: open_ms,open",
    ),
    "nothing.csv.gz": (b"no gzip", "nothing.csv.gz can not be read"),
    "torn.csv.gz": (gzip.compress(HEAD.encode() * 100, mtime=0)[:-12], "torn.csv.gz can not be read"),
    "head.csv": (HEAD.encode(), "head.csv has no rows that can be read"),
    "words.csv": (f"{HEAD}\na,b,c,d\n".encode(), "words.csv has no rows that can be read"),
    "one.csv": (f"{CANDLES}\n0,1,1,1,1,1\n".encode(), "at least two"),
    "odd.csv": (f"{CANDLES}\n0,1,1,1,1,1\n42000,1,1,1,1,1\n".encode(), "do not add up"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_no_market_is_refused(refused: Refused, name: str) -> None:
    content, sentence = FILES[name]
    if content is not None:
        (refused.directory / name).write_bytes(content)
    assert sentence in refused(name)
    assert not (refused.directory / "runs").exists()


def test_files_that_do_not_belong_together_are_refused(refused: Refused) -> None:
    facts = swings()[:100]
    write_csv(refused.directory / "trades.csv", "trades", rows_of(facts, RawTrade))
    write_csv(refused.directory / "candles.csv", "candles", candle_rows(facts))
    recorded_run(refused.directory / "runs" / "mine")
    assert "candles can not be merged" in refused("trades.csv", "candles.csv")
    assert "alone" in refused("trades.csv", "runs/mine")


def test_data_files_have_nothing_to_be_checked_against(refused: Refused) -> None:
    write_csv(refused.directory / "trades.csv", "trades", rows_of(swings()[:100], RawTrade))
    assert "--check wants a recorded run" in refused("trades.csv", check=True, out="out")
    assert not (refused.directory / "out").exists(), "it is refused before anything is written"


def test_bad_words_and_places_are_refused(refused: Refused) -> None:
    recorded_run(refused.directory / "runs" / "mine")
    (refused.directory / "file").write_text("not a directory\n")
    assert refused("mine", words=("stop_bps",)) == "--set takes NAME=VALUE, was 'stop_bps'"
    assert refused("mine", words=("stop_bps=-3",)) == "stop_bps must be greater than 0, got -3 (from --set stop_bps)"
    assert "did you mean stop_bps?" in refused("mine", words=("stop_bp=3",))
    assert "fast must be at least 1, was 0" in refused("mine", words=("strategy_params=fast=0",))
    assert "file can not be written" in refused("mine", out="file")
    assert refused("yours") == "yours is not there"


def test_a_replays_own_report_is_no_run(refused: Refused, capsys: pytest.CaptureFixture[str]) -> None:
    recorded_run(refused.directory / "runs" / "mine")
    assert replay_command(["mine"], Path("runs/again"), (), check=False, quiet=True) == 0
    capsys.readouterr()
    assert "is a replay's own report" in refused("again")


def test_what_shaped_a_recording_can_not_be_changed_but_named(refused: Refused) -> None:
    recorded_run(refused.directory / "runs" / "mine")
    words = ("symbol=ETHUSDT", "interval=5m", "half_spread_bps=9", "max_quote_age_sec=9", "tick_size=1", "lot_size=1")
    said = [refused("mine", words=(word,)) for word in (*words, "min_qty=1")]
    assert said[1] == "interval can not be changed: the run was recorded with interval 1m"
    assert [sentence.partition(" can not be changed")[0] for sentence in said] == list(SHAPING)
    assert replay_command(["mine"], Path("out"), ("symbol=btc-usdt", "interval=1m"), check=True, quiet=True) == 0


def test_only_what_an_earlier_replay_wrote_is_written_over(refused: Refused) -> None:
    mine, data = recorded_run(refused.directory / "mine"), refused.directory / "data"
    before = {path.name: path.read_bytes() for path in mine.iterdir() if path.is_file()}
    assert "config.json is no replay's" in refused("mine", out="mine")
    assert {path.name: path.read_bytes() for path in mine.iterdir() if path.is_file()} == before
    data.mkdir()
    write_csv(data / "trades.csv", "trades", rows_of(swings()[:100], RawTrade))
    assert "trades.csv is no replay's" in refused("data/trades.csv", out="data")
    assert replay_command(["mine"], Path("again"), (), check=True, quiet=True) == 0
    assert replay_command(["mine"], Path("again"), (), check=True, quiet=True) == 0


def swap_line(path: Path, number: int, line: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    lines[number - 1 : number] = [line] if line else []
    path.write_text("".join(lines))


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def write(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)


# what happened to the run: (what makes it so, a part of the sentence)
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no journal": (lambda run: (run / "journal.db").unlink(), "has no journal"),
    "a journal of nonsense": (lambda run: (run / "journal.db").write_bytes(b"x" * 5_000), "not a database"),
    "no end": (lambda run: write(run / "journal.db", "DELETE FROM facts WHERE kind = 'session_closed'"), "has no end"),
    "a row of nonsense": (lambda run: write(run / "journal.db", "UPDATE facts SET detail = '{'"), "row in it does not"),
    "no settings": (lambda run: (run / "config.json").unlink(), "config.json is missing or broken"),
    "settings of nonsense": (lambda run: (run / "config.json").write_text("{"), "config.json is missing or broken"),
    "no settings within": (lambda run: (run / "config.json").write_text("{}"), "config.json is missing or broken"),
    "too few settings": (lambda run: (run / "config.json").write_text('{"settings": {}}'), "has no setting"),
    "a setting of nonsense": (
        lambda run: replace_in(run / "config.json", '"risk_pct": ', '"risk_pct": -'),
        "config.json is broken: risk_pct must be greater than 0, got -1",
    ),
    "no recording": (lambda run: (run / "events.jsonl").unlink(), "events.jsonl can not be read"),
    "an empty recording": (lambda run: (run / "events.jsonl").write_bytes(b""), "has no recording"),
    "no head": (lambda run: swap_line(run / "events.jsonl", 1, ""), "the stream's head must be the first line"),
    "a line of nonsense": (lambda run: swap_line(run / "events.jsonl", 9, "quote|[nonsense\n"), "line 9"),
    "a line too few": (lambda run: swap_line(run / "events.jsonl", 9, ""), "line 9: event 8 must stand here"),
    "a foreign line": (lambda run: swap_line(run / "events.jsonl", 9, "heartbeat|[]\n"), "line 9"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_run_is_refused(refused: Refused, name: str) -> None:
    make, sentence = BROKEN[name]
    run = recorded_run(refused.directory / "runs" / "mine")
    make(run)
    assert sentence in refused("mine", check=name != "no recording")


def played(directory: Path, what: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Check a run in this process; return the exit code and all that was said."""
    code = replay_command([what], directory / "out", (), check=True, quiet=False)
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_recording_that_can_not_be_read_is_told(refused: Refused) -> None:
    run = recorded_run(refused.directory / "run")
    seal_run(run)
    (run / "events.jsonl").unlink()
    (run / "events.jsonl").mkdir()
    assert "events.jsonl can not be read: " in refused("run", check=True)


def test_a_torn_last_line_is_no_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = recorded_run(tmp_path / "run") / "events.jsonl"
    whole = events.read_bytes()
    events.write_bytes(whole + b"quote|[624,17092539")
    for what in ("run", "run/events.jsonl"):
        code, said = played(tmp_path, str(tmp_path / what), capsys)
        assert (code, said.startswith("623 events")) == (0, True), said


def test_a_run_from_before_a_setting_was_there_comes_out_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded_run(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    del config["settings"]["max_fill_pct_of_volume"]
    (run / "config.json").write_text(json.dumps(config))
    assert played(tmp_path, str(run), capsys)[0] == 0


def test_a_run_that_told_somebody_can_be_tried_with_another_setting(tmp_path: Path) -> None:
    run = recorded_run(tmp_path / "run")
    replace_in(run / "config.json", '"alert_urls": []', '"alert_urls": ["(not written here)"]')
    assert replay_command([str(run)], tmp_path / "out", ("tp_r=2",), check=False, quiet=True) == 0


@pytest.mark.parametrize("content", ["", "{}", '{"events": 1, "journal": ""}', '{"events": []}'])
def test_a_broken_seal_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    run = recorded_run(tmp_path / "run")
    (run / "seal.json").write_text(content)
    code, said = played(tmp_path, str(run), capsys)
    assert (code, said.startswith("seal.json is broken")) == (1, True), said


def test_a_changed_recording_is_found_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = recorded_run(tmp_path / "run")
    seal_run(run)
    assert played(tmp_path, str(run), capsys)[0] == 0
    events = run / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b",2.0,", b",3.0,", 1))
    code, said = played(tmp_path, str(run), capsys)
    assert (code, "events.jsonl is not the one that was recorded: lines 1 to 1000 differ" in said) == (1, True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("update trades set exit_reason = 'TP'", "journal.db is not the one that the session left"),
        ("", "journal.db is not there any more"),
    ],
)
def test_a_changed_journal_is_found_by_replay_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, sentence: str
) -> None:
    run = recorded_run(tmp_path / "run")
    seal_run(run)
    assert report_command(run, is_running=False, opens=False, quiet=True) == 0
    if change:
        write(run / "journal.db", change)
    else:
        (run / "journal.db").unlink()
        (run / "trades.csv").unlink()
    assert replay_command([str(run)], tmp_path / "out", [], check=True, quiet=True) == 1
    assert report_command(run, is_running=False, opens=False, quiet=True) == 1
    assert capsys.readouterr().err.count(sentence) == 2
    quality = json.loads((run / "summary.json").read_bytes())["quality"]
    assert quality["grade"] == "bad"
    assert any(sentence in reason for reason in quality["reasons"])


def test_a_replay_that_ends_before_its_data_says_so(desk: Desk) -> None:
    candles = write_csv(desk.directory / "candles.csv", "candles", candle_rows(swings()))
    calm = desk.lap("replay", str(candles), "--out", "calm").stdout
    ended = desk.lap("replay", str(candles), "--set", "max_daily_drawdown_pct=0.01", "--out", "ended").stdout
    assert "ended by" not in calm
    assert "ended by circuit_breaker" in ended
    assert int(ended.split()[0]) < int(calm.split()[0])


@pytest.mark.parametrize("place", [(), ("--out", "out")], ids=["beside the run", "a place that is named"])
def test_two_replays_at_once_into_one_place_are_one_too_many(desk: Desk, place: tuple[str, ...]) -> None:
    run = recorded_run(desk.directory / "runs" / "mine")
    out = desk.directory / "out" if place else run / "replay"
    (desk.directory / "waits.py").write_text(WAITS)
    first = desk.start(LAP, "replay", "mine", *place, "--set", "strategy=waits:Waits")
    eventually((out / "config.json").exists, 20, "the first one has begun")
    second = desk.lap("replay", "mine", *place)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.startswith(f"another replay is writing into {out};")
    assert second.stderr.count("\n") == 1
    (desk.directory / "go").touch()
    assert first.wait(30) == 0
    assert json.loads((out / "config.json").read_bytes())["settings"]["strategy"] == "waits:Waits"
    assert (
        json.loads((out / "summary.json").read_bytes())["trades"]
        == len((out / "trades.csv").read_text().splitlines()) - 1
    )
    assert desk.lap("replay", "mine", *place, "--check").returncode == 0


def test_a_strategys_thread_and_directory_do_not_keep_a_replay(desk: Desk) -> None:
    (desk.directory / "strays.py").write_text(STRAYS)
    write_csv(desk.directory / "candles.csv", "candles", candle_rows(swings()))
    done = desk.lap("replay", "candles.csv", "--out", "out", "--set", "strategy=strays:Strays", *LIVELY)
    report_of(desk, done, "out")


def test_signals_that_can_not_be_orders_are_told(desk: Desk) -> None:
    (desk.directory / "hopes.py").write_text(HOPES)
    write_csv(desk.directory / "candles.csv", "candles", candle_rows(swings()))
    done = desk.lap("replay", "candles.csv", "--out", "out", "--set", "strategy=hopes:Hopes")
    assert done.returncode == 0
    assert done.stderr.endswith("could not be an order; the first: stop_bps must be in (0, 10000), was -5.0\n")
    assert done.stderr.count("\n") == 1
    figures = json.loads((desk.directory / "out" / "summary.json").read_bytes())
    assert done.stderr.startswith(f"{figures['rejections']['invalid']} signals ")
    assert figures["quality"]["grade"] == "care"


def test_a_byte_that_is_no_text_spoils_its_own_row_alone(desk: Desk) -> None:
    rows = rows_of(swings()[:100], RawTrade)
    path = write_csv(desk.directory / "trades.csv", "trades", rows)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-2], b"\xff" + lines[-2], lines[-1]]))
    done = desk.lap("replay", "trades.csv", "--out", "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert ", 1 row refused;" in done.stdout


def test_addresses_of_alerts_are_written_nowhere(desk: Desk) -> None:
    write_csv(desk.directory / "candles.csv", "candles", candle_rows(swings()))
    done = desk.lap("replay", "candles.csv", "--out", "out", "--set", "alert_urls=json://a.example/tok123")
    assert done.returncode == 0
    assert not [path.name for path in (desk.directory / "out").iterdir() if b"tok123" in path.read_bytes()]


@pytest.mark.skipif(sys.platform != "linux", reason="the wall is Linux's")
def test_a_strategy_gets_no_more_memory_in_a_replay_or_a_sweep_than_in_a_session(desk: Desk) -> None:
    (desk.directory / "greedy.py").write_text(GREEDY)
    write_csv(desk.directory / "candles.csv", "candles", candle_rows(swings()))
    greedy = ("--set", "strategy=greedy:Greedy", "--set", "max_strategy_errors=2")
    enough = desk.lap("replay", "candles.csv", *greedy, "--set", "max_strategy_memory_mb=8192", "--out", "enough")
    assert (enough.returncode, enough.stderr) == (0, "")
    replayed = desk.lap("replay", "candles.csv", *greedy)
    assert "ended by internal_error" in replayed.stdout
    assert replayed.stderr.splitlines()[-1] == "MemoryError"
    swept = desk.lap("sweep", "candles.csv", *greedy, "--grid", "fast=2,3", "--workers", "0", "--out", "swept")
    table = (desk.directory / "swept" / "runs.csv").read_text().splitlines()[1:]
    assert len(table) == 2, swept.stderr
    assert all("MemoryError" in row for row in table)
