"""The state directory and the fingerprint, found without resolving settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.session.locate import environment, fingerprint, state_dir
from services.session.runs import find_run


def test_the_state_directory_follows_the_layers(tmp_path: Path) -> None:
    def found(environ: dict[str, str] | None = None, options: dict[str, str] | None = None) -> str:
        return state_dir(tmp_path, environ or {}, options).relative_to(tmp_path).as_posix()

    assert found() == ".lap"
    (tmp_path / "lap.toml").write_text("state_dir = 'from/file'\n")
    assert found() == "from/file"
    assert found({"LAP_STATE_DIR": "shell"}) == "shell"
    (tmp_path / ".env").write_text("LAP_STATE_DIR=dotenv\n")
    assert found({"LAP_STATE_DIR": "shell"}) == "dotenv"
    assert found({"LAP_STATE_DIR": "shell"}, {"state_dir": "option"}) == "option"


def test_runs_are_found_where_the_settings_file_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "mine" / "one"
    run.mkdir(parents=True)
    (run / "config.json").touch()
    assert find_run("one", {}) is None
    (tmp_path / "lap.toml").write_text("runs_dir = 'mine'\n")
    assert find_run("one", {}) == run
    monkeypatch.setenv("LAP_RUNS_DIR", "elsewhere")
    assert find_run("one", {}) is None


def test_another_settings_file_and_an_absolute_directory_count(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "my.toml").write_text(f"state_dir = '{elsewhere.as_posix()}'\n")
    assert state_dir(tmp_path / "work", {"LAP_CONFIG": str(tmp_path / "my.toml")}) == elsewhere


@pytest.mark.parametrize("text", ["state_dir = ", "state_dir = 5", "state_dir = ''", "\xff"])
def test_a_broken_settings_file_leaves_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / "lap.toml").write_bytes(text.encode("latin-1"))
    assert state_dir(tmp_path, {}) == tmp_path / ".lap"


def test_dotenv_stands_over_the_shell_and_broken_lines_count_as_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=2\nno statement\nB\nC='3'\n")
    assert environment(tmp_path, {"A": "1", "D": "4"}) == {"A": "2", "C": "3", "D": "4"}
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    assert environment(tmp_path, {"A": "1"}) == {"A": "1"}


def test_the_fingerprint_changes_with_all_that_settings_are_made_of_and_with_nothing_else(tmp_path: Path) -> None:
    base = fingerprint({}, tmp_path, {"HOME": "/a"})
    assert base == fingerprint({}, tmp_path, {"HOME": "/b", "HONCHO_PROCESS_NAME": "feed.1"})
    seen = {base, fingerprint({"symbol": "X"}, tmp_path, {}), fingerprint({}, tmp_path, {"LAP_SEED": "1"})}
    (tmp_path / "lap.toml").write_text("seed = 1\n")
    seen.add(fingerprint({}, tmp_path, {}))
    (tmp_path / ".env").write_text("LAP_SEED=2\n")
    with_dotenv = fingerprint({}, tmp_path, {})
    seen.add(with_dotenv)
    assert len(seen) == 5
    assert with_dotenv == fingerprint({}, tmp_path, {"LAP_SEED": "2"})


def test_the_order_of_options_and_variables_makes_no_difference(tmp_path: Path) -> None:
    one = fingerprint({"a": "1", "b": "2"}, tmp_path, {"LAP_A": "1", "LAP_B": "2"})
    assert one == fingerprint({"b": "2", "a": "1"}, tmp_path, {"LAP_B": "2", "LAP_A": "1"})


def test_locating_imports_nothing_heavy() -> None:
    root = Path(__file__).parents[2]
    script = (
        "import sys, services.session.locate; print([n for n in ('pydantic', 'dotenv', 'typer') if n in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True).stdout
    assert out.strip() == "[]"


def test_latest_is_the_newest_run_also_on_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it may be a directory: somebody's copy of an old run."""
    monkeypatch.chdir(tmp_path)
    for name in ("20261124-070000", "20261123-050000-2", "20261124-070000-10", "20261124-070000-9", "replay-data"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").touch()
    newest = tmp_path / "runs" / "20261124-070000-10"
    assert find_run("latest", {}) == newest
    (tmp_path / "runs" / "latest").mkdir()
    (tmp_path / "runs" / "latest" / "config.json").touch()
    assert find_run("latest", {}) == newest


@pytest.mark.skipif(sys.platform == "win32", reason="a link needs a right there")
def test_latest_is_the_run_that_its_link_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("20261123-050000", "20261124-070000"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").touch()
    (tmp_path / "runs" / "latest").symlink_to("20261123-050000", target_is_directory=True)
    assert find_run("latest", {}) == tmp_path / "runs" / "20261123-050000"
