"""Strategies by name: of the working directory, of plug-ins; what can not be loaded is told in a sentence."""

import builtins
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.commands.strategies import NewStrategyError, new_strategy, strategy_lines
from services.strategy import loading
from services.strategy.interface import StrategyError
from services.strategy.loading import BUILT_IN, listed, load_strategy

PLUGIN = '''
"""A plug-in's strategy."""

from services.strategy.interface import Strategy


class Plugged(Strategy):
    """Does nothing, from elsewhere."""

    def on_candle(self, context, candle):
        return None
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that is installed beside this one, and one that is broken."""
    site = tmp_path / "site"
    info = site / "plugged-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    entries = "torn = plugged_strategies:Missing\nplugged = plugged_strategies:Plugged"
    (info / "entry_points.txt").write_text(f"[laptop_agents.strategies]\n{entries}\n")
    (site / "plugged_strategies.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(site))
    yield tmp_path
    sys.modules.pop("plugged_strategies", None)


def test_a_plug_in_is_named_by_its_entry_point(installed: Path) -> None:
    assert type(load_strategy("plugged", {}, installed)).__name__ == "Plugged"
    text = "\n".join(strategy_lines(installed))
    assert "plugged  (plugged_strategies:Plugged (plug-in))" in text
    assert "can not be loaded: module plugged_strategies has no class Missing" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("\n\nclass Mine(", "one_of_mine.py, line 3)"),
        ("\nimport nowhere_at_all", "(one_of_mine.py, line 2)"),
        (
            "\nfrom dataclasses import dataclass\n@dataclass\nclass Mine:\n a: list = []",
            "(one_of_mine.py, line 3)",
        ),
        (
            "@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n def __init__(self, p): raise ValueError('a\\nb')",
            "ValueError: a b (one_of_mine.py, line 4)",
        ),
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("class Mine: pass", "is no strategy: write 'class Mine"),
        ("Mine = 5", "is no class"),
        ("Yours = 5", "has no class Mine"),
        ("@@class Mine(Strategy): pass", "has no method on_candle"),
        ("@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n warmup = 2.5", "warmup of strategy"),
        ("@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n warmup = -1", "whole number of candles, was -1"),
        ("@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n warmup = 1_000_001", "at most 1000000 candles"),
        ("@@class Mine(Strategy):\n async def on_candle(self, c, k): pass", "on_candle of strategy"),
        ("@@class Mine(Strategy):\n async def on_candle(self, c, k): yield", "must be a plain method"),
        ("@@class Mine(Strategy):\n @property\n def on_candle(self): pass", "must be a plain method"),
        (
            "@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n async def on_tick(self, c, k): pass",
            "on_tick of strategy",
        ),
        (
            "@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n def __init__(self): pass",
            "can not be made: write 'def __init__(self, params):'",
        ),
        (
            "@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n params: Nowhere",
            "name 'Nowhere' is not defined",
        ),
        ("@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n params: int", "must be a class with @dataclass"),
        (
            "@@class Mine(Strategy):\n def on_candle(self, c, k): pass\n params: 'Nowhere'",
            "the annotations of one_of_mine:Mine can not be read: NameError",
        ),
    ],
)
def test_what_can_not_be_loaded_is_told_in_a_sentence(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one_of_mine.py").write_text(text.replace("@@", "from services.strategy.interface import Strategy\n"))
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("one_of_mine", None)
    with pytest.raises(StrategyError) as refusal:
        load_strategy("one_of_mine:Mine", {}, tmp_path)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["My_Idea", "my-idea", "class", "5ive", "_idea", "test_idea", "", "../idea"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NewStrategyError, match="NAME must be a Python name in lower case"):
        new_strategy(name, tmp_path)


@pytest.mark.parametrize("name", ["random", "pytest"])
def test_a_name_that_another_module_has_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NewStrategyError, match="installed already"):
        new_strategy(name, tmp_path)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "test_idea.py").write_text("mine")
    with pytest.raises(NewStrategyError, match=r"test_idea\.py is there already"):
        new_strategy("idea", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test_idea.py"]


def test_a_directory_that_takes_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NewStrategyError, match=r"gone/idea\.py can not be written: No such file"):
        new_strategy("idea", tmp_path / "gone")


def test_indicators_are_not_imported_by_a_strategy_that_has_none() -> None:
    code = (
        "import sys, services.strategy.process\nfrom pathlib import Path\n"
        "from services.strategy.loading import load_strategy\nload_strategy('sma_cross', {}, Path('.'))\n"
        "print(*(name for name in sys.modules if name.startswith(('talipp', 'pydantic', 'typer', 'numpy'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == ""


def test_whoever_waits_for_an_import_is_told_what_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def is_told() -> bool:
        told.append(capsys.readouterr().err)
        return "slow:Slow" in told[-1]

    monkeypatch.setattr(loading, "SLOW_SEC", 0.01)
    monkeypatch.setattr(builtins, "is_told", is_told, raising=False)
    (tmp_path / "slow.py").write_text("from services.waiting import wait_until\nassert wait_until(is_told, 10_000)\n")
    with pytest.raises(StrategyError, match="has no class Slow"):
        load_strategy("slow:Slow", {}, tmp_path)
    assert "".join(told).count("\n") == 1


def test_each_strategy_is_listed_once_the_built_in_ones_first(installed: Path) -> None:
    found = list(listed(installed))
    assert [one.name for one in found] == [*BUILT_IN, "plugged", "torn"]
    assert [one.name for one in found if one.fault] == ["torn"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sma_crss", "no strategy is called 'sma_crss'; the nearest is 'sma_cross'; one of your own is named"),
        ("zzz", "no strategy is called 'zzz'; 'lap strategies' lists them; one of your own is named"),
    ],
)
def test_a_name_that_nobody_has_is_told_with_the_nearest_one(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=says):
        load_strategy(name, {}, tmp_path)


def test_a_module_that_is_nowhere_is_told_without_a_place_in_pythons_own_code(tmp_path: Path) -> None:
    with pytest.raises(StrategyError) as refusal:
        load_strategy("nowhere_at_all:Mine", {}, tmp_path)
    assert str(refusal.value) == (
        "strategy nowhere_at_all:Mine can not be imported: ModuleNotFoundError: No module named 'nowhere_at_all'"
    )


@pytest.mark.parametrize(
    ("params", "fault"), [({"fast": 3}, ""), ({"fats": 3}, "sma_cross has no parameter 'fats'; the nearest is 'fast'")]
)
def test_a_strategy_is_tried_in_a_process_of_its_own_that_answers_in_json(
    params: dict[str, int], fault: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services.strategy.loading"],
        input=json.dumps(["sma_cross", params]),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {"fault": fault}
