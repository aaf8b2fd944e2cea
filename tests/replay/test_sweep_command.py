"""`lap sweep` in this process: each of its runs is what `lap replay` makes of the same data and settings."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from replay_builders import recorded_run, write_csv
from sweep_builders import CALM, MINUTE, Rows, candle_wave, candles, figure, trade_wave
from typer.testing import CliRunner

from services.commands.app import app
from services.replay.run import replay
from services.replay.script import read_script
from services.sweep.figures import FIGURES

Lap = Callable[..., str]

FAULTY = """
from dataclasses import dataclass

from services.strategy.interface import Strategy

@dataclass(frozen=True)
class Params:
    n: int = 1

class Mine(Strategy):
    params: Params
    warmup = 2
    def on_candle(self, context, candle):
        if self.params.n == 2 and context.account is not None:
            raise ZeroDivisionError("oh dear")
"""


@pytest.fixture
def lap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lap:
    """Call `lap sweep` in a directory of its own, without a cluster; what it printed comes back, errors too."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str | Path, code: int = 0) -> str:
        settings = [word for setting in CALM for word in ("--set", setting)]
        done = CliRunner().invoke(app, ["sweep", *map(str, words), *settings, "--out", "out", "--workers", "0"])
        assert done.exit_code == code, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output

    return call


def table(name: str = "runs.csv") -> Rows:
    with (Path("out") / name).open(encoding="utf-8") as file:
        return Rows(list(csv.DictReader(file)))


def replayed(paths: Sequence[Path], **settings: str) -> dict[str, Any]:
    """The summary that `lap replay` writes."""
    script = read_script(paths, dict(word.split("=") for word in CALM) | settings, Path.cwd())
    replay(script, Path("replayed"), Path.cwd(), lambda _: None, check=False)
    found: dict[str, Any] = json.loads((Path("replayed") / "summary.json").read_bytes())
    return found


def assert_same(row: dict[str, str], summary: dict[str, Any], suffix: str = "") -> None:
    assert {name: figure(row, name + suffix) for name in FIGURES} == {name: summary[name] for name in FIGURES}
    assert summary["trades"] > 1, "nothing to compare"


def test_a_run_of_candles_is_the_replay_with_these_settings(lap: Lap, tmp_path: Path) -> None:
    data = candles(tmp_path)
    told = lap(data, "--grid", "fast=3,5", "--grid", "stop_bps=20,40", "--set", "tp_r=2")
    assert len(table().rows) == 4
    expected = replayed([data], strategy_params="fast=5", stop_bps="20", tp_r="2")
    assert_same(table().where(fast=5, stop_bps=20), expected)
    assert "Of 4 trials the best has net_pnl" in told


def test_more_trials_than_combinations_go_through_all_of_them(lap: Lap, tmp_path: Path) -> None:
    told = lap(candles(tmp_path), "--grid", "fast=3,5", "--grid", "stop_bps=20,40", "--trials", "9")
    assert len(table().rows) == 4
    assert "Of 4 trials the best has net_pnl" in told


def test_a_run_of_ticks_is_the_replay_with_these_settings(lap: Lap, tmp_path: Path) -> None:
    rows = trade_wave(300)
    trades = write_csv(tmp_path / "trades.csv.gz", "trades", rows)
    quotes = write_csv(tmp_path / "quotes.csv", "quotes", [(row[0], row[1], row[1] + 0.1, 5, 5) for row in rows[::7]])  # type: ignore[operator]
    lap(quotes, trades, "--grid", "interval=1m,5m", "--grid", "fast=3", "--grid", "slow=8")
    for interval in ("1m", "5m"):
        expected = replayed([quotes, trades], strategy_params="fast=3,slow=8", interval=interval)
        assert_same(table().where(interval=interval), expected)


def test_a_run_of_a_recorded_session_is_its_replay_with_another_setting(lap: Lap, tmp_path: Path) -> None:
    run = recorded_run(tmp_path / "runs" / "mine")
    lap("mine", "--grid", "stop_bps=11,20")
    assert_same(table().where(stop_bps=11), replayed([run], stop_bps="11"))


@pytest.mark.parametrize("kind", ["candles", "trades"])
def test_a_window_is_the_replay_of_a_file_that_ends_with_it_and_begins_200_candles_before(
    kind: str, lap: Lap, tmp_path: Path
) -> None:
    """A file of three times its history or more has its first 200 candles as history: so it can be cut to a window."""
    rows = candle_wave(1500) if kind == "candles" else trade_wave(1500)
    data = write_csv(tmp_path / "all.csv", kind, rows)
    lap(data, "--grid", "fast=3,5", "--grid", "slow=12", "--walk-forward", "450,410")
    assert len(table().rows) == 2 * 2 + 2
    fold = table("folds.csv").rows[1]
    for part, begin, end in (("train", "train_from", "train_to"), ("test", "test_from", "test_to")):
        begin_ms, end_ms = int(fold[begin]), int(fold[end])
        cut = [row for row in rows if begin_ms - 200 * MINUTE <= int(str(row[0])) < end_ms]
        path = write_csv(tmp_path / f"{part}.csv", kind, cut)
        assert_same(fold, replayed([path], strategy_params=f"fast={fold['fast']},slow=12"), f"_{part}")


def test_a_continuous_range_is_drawn_from_and_the_same_seed_draws_the_same(lap: Lap, tmp_path: Path) -> None:
    data = candles(tmp_path)
    lap(data, "--range", "stop_bps=10.0:60.0", "--trials", "5", "--sampler", "random")
    first = Path("out/runs.csv").read_bytes()
    drawn = [float(row["stop_bps"]) for row in table().rows]
    assert (len(set(drawn)), min(drawn) >= 10, max(drawn) <= 60) == (5, True, True)
    for name in ("sweep.db", "runs.csv"):
        Path("out", name).unlink()
    lap(data, "--range", "stop_bps=10.0:60.0", "--trials", "5", "--sampler", "random")
    assert Path("out/runs.csv").read_bytes() == first


def test_combinations_that_a_strategy_refuses_are_told_and_the_others_run(lap: Lap, tmp_path: Path) -> None:
    told = lap(candles(tmp_path), "--grid", "fast=3,9", "--grid", "slow=5,20")
    refused = table().where(fast=9, slow=5)
    assert (refused["status"], refused["net_pnl"]) == ("refused", "")
    assert "1 of 4 runs were refused, the first (fast=9, slow=5): " in told


def test_settings_that_break_a_rule_only_together_are_refused_run_by_run(lap: Lap, tmp_path: Path) -> None:
    lap(candles(tmp_path), "--grid", "latency_min_ms=50,900", "--grid", "latency_max_ms=100,1000")
    assert [row["status"] for row in table().rows] == ["ok", "ok", "refused", "ok"]


def test_a_strategy_that_raises_makes_its_run_fail_and_no_other(lap: Lap, tmp_path: Path) -> None:
    (tmp_path / "faulty_of_sweep.py").write_text(FAULTY)
    lap(candles(tmp_path), "--strategy", "faulty_of_sweep:Mine", "--grid", "n=1,2,3", code=1)
    assert [row["status"] for row in table().rows] == ["ok", "failed", "ok"]
    error = table().rows[1]["error"]
    assert error.startswith("the strategy failed 21 x, first: ZeroDivisionError: oh dear"), error
    assert (table().rows[1]["net_pnl"], table().rows[1]["stop_reason"]) == ("", "internal_error")


def test_the_page_needs_nothing_else_and_tells_how_many_were_tried(lap: Lap, tmp_path: Path) -> None:
    told = lap(candles(tmp_path), "--grid", "fast=3,5,7", "--grid", "slow=12,20")
    page = Path("out/sweep.html").read_text(encoding="utf-8")
    assert "Of 6 trials the best has net_pnl" in page
    assert page.count('<table class="heat">') == 1
    assert not [
        word for word in ("<link", "src=", "http://", "@import") if word in page.replace("http://www.w3.org", "")
    ]
    assert str(Path("out/sweep.html")) in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nix.csv", "--grid", "fast=1,2"], "nix.csv is not there\n"),
        (["junk.csv", "--grid", "fast=1,2"], "junk.csv is no text in UTF-8"),
        (["candles.csv"], "nothing to sweep: give --grid NAME=a,b,c or --range NAME=lo:hi:step\n"),
        (
            ["candles.csv", "--grid", "stop_bps=20,-3"],
            "stop_bps must be greater than 0, got -3 (from --grid or --range stop_bps)\n",
        ),
        (["candles.csv", "--grid", "kill_file=a,b"], "kill_file can not be swept: a replay does not depend on it\n"),
        (["candles.csv", "--grid", "stop_bp=20,30"], "; did you mean the setting stop_bps?\n"),
        (["candles.csv", "--strategy", "nix", "--grid", "stop_bps=20"], "no strategy is called 'nix'; "),
        (["candles.csv", "--range", "tp_r=1.0:2.0"], "tp_r has no step: give --range tp_r=lo:hi:step, or --trials N "),
        (["candles.csv", "--grid", "fast=3", "--optimize", "profit"], "--optimize: there is no figure 'profit'; "),
        (["candles.csv", "--grid", "fast=3", "--sampler", "tpe"], "--sampler draws combinations: say how many with "),
        (["candles.csv", "--grid", "fast=3", "--walk-forward", "9d,1d"], "the data last 8.33 h after the history: "),
        (
            ["candles.csv", "--grid", "interval=1m", "--walk-forward", "9,9"],
            "--walk-forward cuts the data by candles: ",
        ),
        (
            ["mine", "--grid", "stop_bps=20", "--walk-forward", "9,9"],
            "--walk-forward takes data files: a recorded run ",
        ),
        (["mine", "--grid", "interval=1m,5m"], "interval can not be swept: the run was recorded with it\n"),
        (
            ["candles.csv", "--grid", "fast=3", "--scheduler", "tcp://x:1"],
            "--workers are of this machine's own cluster",
        ),
        (["candles.csv", "--grid", "fast=3", "--set", "stop"], "--set takes NAME=VALUE, was 'stop'\n"),
    ],
)
def test_what_can_not_be_swept_is_refused_in_one_sentence(
    words: list[str], told: str, lap: Lap, tmp_path: Path
) -> None:
    candles(tmp_path)
    recorded_run(tmp_path / "runs" / "mine")
    (tmp_path / "junk.csv").write_bytes(b"\x00\xff\xfe" * 50)
    output = lap(*words, code=2)
    assert (told in output, output.count("\n")) == (True, 1), output
    assert not Path("out").exists(), "nothing was begun"


def test_another_sweep_does_not_mix_with_what_is_there(lap: Lap, tmp_path: Path) -> None:
    data = candles(tmp_path)
    lap(data, "--grid", "fast=3,5")
    before = Path("out/runs.csv").read_bytes()
    assert "out holds another sweep" in lap(data, "--grid", "fast=3,6", code=2)
    write_csv(data, "candles", candle_wave(700, first=3))
    assert "out holds another sweep" in lap(data, "--grid", "fast=3,5", code=2)
    assert Path("out/runs.csv").read_bytes() == before


SIZED = """
from dataclasses import dataclass

from services.strategy.interface import Side, Strategy

@dataclass(frozen=True)
class Params:
    stop_bps: float = 30.0

class Mine(Strategy):
    params: Params
    def on_candle(self, context, candle):
        return context.market(Side.LONG, stop_bps=self.params.stop_bps)
"""


def test_a_name_that_means_a_setting_and_a_parameter_is_refused_and_has_another_spelling(lap: Lap) -> None:
    data = candles(Path())
    Path("sized.py").write_text(SIZED)
    words = (data, "--strategy", "sized:Mine", "--grid")
    refused = lap(*words, "stop_bps=20,200", code=2)
    assert "write params.stop_bps for the parameter" in refused
    lap(*words, "params.stop_bps=20,200", "--grid", "tp_r=1,2")
    rows = list(csv.DictReader(Path("out/runs.csv").read_text().splitlines()))
    assert [(row["params.stop_bps"], row["tp_r"]) for row in rows] == [
        (stop, target) for stop in ("20", "200") for target in ("1", "2")
    ]
    assert len({row["net_pnl"] for row in rows}) == 4, "each makes a difference"


def test_a_swept_strategy_of_ones_own_makes_another_sweep_when_its_file_changes(lap: Lap) -> None:
    data, mine = candles(Path()), Path("swept_idea.py")
    mine.write_text(FAULTY)
    words = (data, "--grid", "strategy=sma_cross,swept_idea:Mine,ema_cross")
    lap(*words)
    mine.write_text(FAULTY.replace("oh dear", "oh my"))
    assert "another sweep" in lap(*words, code=2)
    refused = lap(data, "--grid", "strategy=sma_cross,nowhere:Mine,ema_cross", code=2)
    assert "nowhere" in refused
