"""The commands that look, kill, check and report. Imports follow the command, so that a light one stays light."""

import json
import os
import sys
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from services.commands.progress import busy
from services.file_names import PAGE
from services.session import locate
from services.session.state import Session, read_session

app = typer.Typer(
    name="lap",
    help="Paper trading of crypto perpetuals: a session you can start and walk away from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
new = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write files to begin with.")
app.add_typer(new, name="new")
NO_SESSION = 3


class Sampling(StrEnum):
    """How a sweep draws combinations."""

    RANDOM = "random"
    TPE = "tpe"


_Where = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="state_dir=DIR", help="Where the session keeps its state, as 'lap run' was told."),
]
_QUIET = "No sign of progress; there is none either when stderr is no terminal."
_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"laptop-agents {version('laptop-agents')}")
        raise typer.Exit


@app.callback()
def lap(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Paper trading of crypto perpetuals: a session you can start and walk away from."""


def _supervised(name: str, text: str) -> None:
    """List a command that `services.cli` takes before typer is even imported."""

    @app.command(name, help=text, context_settings=_PASS_ON)
    def listed(context: typer.Context) -> None:
        from services.supervision.launch import main

        raise typer.Exit(main(name, context.args))


_supervised("run", "The whole session without honcho: one parent supervises all services.")
_supervised("feed", "The feed service, supervised: what the Procfile runs.")
_supervised("strategy", "The strategy service, supervised.")
_supervised("broker", "The broker service, supervised.")
_supervised("monitor", "The monitor service, supervised.")


@app.command()
def kill(
    reason: Annotated[str, typer.Option(help="Goes into the kill file's first line, the log and the report.")] = "",
    timeout: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds to wait until every process is gone.")
    ] = 30.0,
    force: Annotated[
        bool, typer.Option("--force", help="Kill what is left after the time-out, close the books and make the report.")
    ] = False,
    where: _Where = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=_QUIET)] = False,
) -> None:
    """Stop the running session and wait until every process of it is gone."""
    from services.commands.killing import kill_session

    options = _options(where, only="state_dir")
    session = _running_session(options)  # whatever has become of the settings, what runs is to be stopped
    if session is None:
        _judge(options)
        typer.echo("no session is running here", err=True)
        raise typer.Exit(NO_SESSION)
    try:
        with busy(f"stopping session {session.run_id}", quiet=quiet):
            left = kill_session(session, reason, timeout, force=force)
    except OSError as error:
        typer.echo(f"the kill file {session.kill_file} can not be made or removed: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    if left:
        typer.echo(f"still there after {timeout:g} s: {', '.join(left)}", err=True)
        raise typer.Exit(1)
    page = session.run_dir / PAGE
    report_is = f"report: {page}" if page.exists() else "it left no report: make it with 'lap report'"
    typer.echo(f"session {session.run_id} is stopped; {report_is}")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    where: _Where = None,
) -> None:
    """Look at the running session once; exit code 3 when there is none."""
    from services.commands.glance import glance, lines

    session = _running_session(_state_dir(where))
    if session is None:
        typer.echo(json.dumps({"running": False}) if as_json else "no session is running here")
        raise typer.Exit(NO_SESSION)
    seen = glance(session)
    typer.echo(json.dumps(seen, indent=1) if as_json else "\n".join(lines(seen)))


@app.command()
def top(where: _Where = None) -> None:
    """Watch the running session live; exit code 3 when there is none."""
    from services.commands.top import top_command
    from services.session.opening import is_running

    session = _running_session(_state_dir(where))
    if session is None:
        typer.echo("no session is running here")
        raise typer.Exit(NO_SESSION)
    raise typer.Exit(top_command(session, is_running))


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(min=0, max=65535, help="On the loopback interface; 0: a free one.")] = 0,
    open_page: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    where: _Where = None,
) -> None:
    """Watch the running session in a browser, on the loopback interface; exit code 3 when there is none."""
    from services.session.opening import is_running

    session = _running_session(_state_dir(where))
    if session is None:
        typer.echo("no session is running here")
        raise typer.Exit(NO_SESSION)
    try:
        from services.commands.dashboard.server_http import serve
    except ImportError as error:
        typer.echo(f'{error.name} is missing: pip install "laptop-agents[dashboard]"', err=True)
        raise typer.Exit(2) from None

    def opened(address: str) -> None:
        typer.echo(f"dashboard: {address}")
        if open_page:
            webbrowser.open(address)

    try:
        serve(session, is_running, port, opened)
    except OSError as error:
        typer.echo(f"port {port} can not be used: {error.strerror}", err=True)
        raise typer.Exit(2) from None


@app.command()
def check(
    online: Annotated[bool, typer.Option("--online", help="Also ask whether the source answers.")] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting, as for 'lap run'; may be repeated."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=_QUIET)] = False,
) -> None:
    """Validate settings and surroundings; exit code 0 or 2."""
    from services.commands.check import run_checks, strategy_fault
    from services.settings import resolve

    cwd, options = Path.cwd(), _options(setting)
    with _refused():
        resolved = resolve(options, cwd, os.environ)

    def running() -> str:
        session = _running_session(options)
        return session.run_id if session else ""

    with busy("asking the source" if online else "checking", quiet=quiet):
        fault = partial(strategy_fault, cwd=cwd)
        rows = run_checks(resolved, cwd, online, running=running, load_strategy=fault)
    width = max(len(row.name) for row in rows)
    for row in rows:
        mark = "ok" if row.ok else "NO"
        origin = f"  ({row.origin})" if row.origin else ""
        typer.echo(f"{mark}  {row.name:<{width}}  {row.value}{origin}{'' if row.ok else '  ' + row.advice}")
    raise typer.Exit(0 if all(row.ok for row in rows) else 2)


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A run's name or directory; the newest without it.")] = "latest",
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    where: _Where = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=_QUIET)] = False,
) -> None:
    """Make a run's summary.html, summary.json and trades.csv (again) from its journal, a crashed run's too."""
    from services.commands.reporting import report_command

    options = _state_dir(where)
    run_dir = _run_dir(run, options)
    running = _running_session(options)
    is_running = running is not None and running.run_dir.resolve() == run_dir
    raise typer.Exit(report_command(run_dir, is_running=is_running, opens=open_page, quiet=quiet))


@app.command()
def replay(
    what: Annotated[list[str], typer.Argument(help="A run's name or directory, or data files that belong together.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the report goes; 'replay' in the run without it, for data files a directory below runs/."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare trades.csv with the recorded one; 1 if it differs.")
    ] = False,
    setting: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=_QUIET)] = False,
) -> None:
    """Work a recorded run, or data files, through the same strategy and broker code, as fast as it goes."""
    from services.commands.replaying import replay_command

    raise typer.Exit(replay_command(what, out, setting or [], check=check, quiet=quiet))


@app.command()
def sweep(
    what: Annotated[list[str], typer.Argument(help="Data files that belong together, or a run's name or directory.")],
    strategy: Annotated[str | None, typer.Option(help="A built-in name or package.module:Class.")] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=a,b,c", help="Values of a setting or of a parameter of the strategy."),
    ] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="NAME=lo:hi[:step]", help="The same from lo to hi; whole numbers step by 1."),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Draw so many combinations instead of all.")] = None,
    sampler: Annotated[Sampling | None, typer.Option(help="How they are drawn; tpe without it.")] = None,
    optimize: Annotated[str, typer.Option(metavar="FIGURE", help="A figure of summary.json.")] = "net_pnl",
    walk_forward: Annotated[
        str | None,
        typer.Option(
            metavar="TRAIN,TEST", help="Choose in windows of TRAIN, try in TEST behind: 10d,2d, or numbers of candles."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes on this machine, one a core without it; 0: this one.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, such as tcp://host:8786, or its file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the results go; below runs/ without it.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=_QUIET)] = False,
) -> None:
    """Replay data many times over, with other parameters each time, and compare: on all cores, or on a cluster."""
    from services.commands.sweeping import Wanted, sweep_command

    kind = None if sampler is None else sampler.value
    how = (trials, kind, optimize, walk_forward, workers, scheduler, out, setting or [], quiet)
    raise typer.Exit(sweep_command(Wanted(what, strategy, grid or [], range_ or [], *how)))


@app.command()
def exchange(
    data: Annotated[list[Path] | None, typer.Option(help="Data file(s) to serve instead of the seeded walk.")] = None,
    speed: Annotated[float, typer.Option(min=0.001, max=1000, help="How many times faster than real time.")] = 1.0,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault such as mute@20s+10s; may be repeated. 'help' lists them.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one, printed.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the walk.")] = 0,
    symbol: Annotated[
        str, typer.Option(help="A contract it lists beside the well-known ones; with --data the only one.")
    ] = "BTCUSDT",
) -> None:
    """Run the simulated exchange: Bitunix's public WebSocket and REST on loopback, to rehearse with."""
    from services.exchange.process import run_standalone

    _judge({})
    raise typer.Exit(run_standalone(data or [], speed, fault or [], port, seed, symbol))


@app.command()
def logs(
    service: Annotated[str, typer.Option(help="Only this service's.")] = "",
    level: Annotated[str, typer.Option(help="Only what matters at least so much, such as WARNING.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they grow, until Ctrl-C.")] = False,
    where: _Where = None,
) -> None:
    """Show the logs of all processes as one: of the running session, or of the last one."""
    from services.commands.reading import logs_command

    session = read_session(locate.state_dir(Path.cwd(), os.environ, _state_dir(where)))
    cwd = Path.cwd()
    log_dir = session.log_dir if session else cwd / (locate.named("log_dir", cwd, os.environ) or "logs")
    raise typer.Exit(logs_command(log_dir, session, service, level, follow=follow))


@app.command()
def strategies() -> None:
    """List the strategies that can be named, with their parameters: built-in ones and those of plug-ins."""
    from services.commands.strategies import strategy_lines

    _judge({})
    typer.echo("\n".join(strategy_lines(Path.cwd())))


@new.command("strategy")
def new_strategy(name: Annotated[str, typer.Argument(help="A Python name in lower case, such as my_idea.")]) -> None:
    """Write a commented strategy and its test into the working directory; both pass at once."""
    from services.commands.strategies import NewStrategyError
    from services.commands.strategies import new_strategy as write

    _judge({})
    try:
        made = write(name, Path.cwd())
    except NewStrategyError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo("\n".join(path.name for path in made))


def _options(words: Sequence[str] | None, only: str = "") -> dict[str, str]:
    """Return the settings of `--set NAME=VALUE`; exit with 2 and one sentence on other words, or names but `only`."""
    pairs = [word.partition("=") for word in words or ()]
    for name, equals, value in pairs:
        if not equals or (only and name.strip() != only):
            typer.echo(f"--set takes {only or 'NAME'}=VALUE here, was {name + equals + value!r}", err=True)
            raise typer.Exit(2)
    return {name.strip(): value for name, _, value in pairs}


def _state_dir(words: Sequence[str] | None) -> dict[str, str]:
    options = _options(words, only="state_dir")
    _judge(options)
    return options


def _judge(options: Mapping[str, str]) -> None:
    """Exit with 2 and one line when a setting is wrong by itself: a session that runs may know more than we are told."""
    from services.settings import check_each

    with _refused():
        check_each(options, Path.cwd(), os.environ)


@contextmanager
def _refused() -> Iterator[None]:
    from services.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _running_session(options: Mapping[str, str]) -> Session | None:
    from services.session.opening import is_running

    session = read_session(locate.state_dir(Path.cwd(), os.environ, options))
    return session if session is not None and is_running(session) else None


def _run_dir(run: str, options: Mapping[str, str]) -> Path:
    """Return a run's directory by its path or name; exit with 2 and one sentence when there is none."""
    from services.session.runs import find_run

    found = find_run(run, options)
    if found is None:
        sys.stderr.write(f"there is no run {run!r} here\n")
        raise typer.Exit(2)
    return found
