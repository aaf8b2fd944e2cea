"""The monitor's composition root: its core, the kill file, the heartbeat file, the system log and the status line."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from bus import messages as m
from bus.ports import EXCHANGE
from services.alerts_file import alert
from services.clock import boot_ms, iso, wall_ms
from services.file_names import HEARTBEAT
from services.monitor.config import MonitorConfig
from services.monitor.core import MonitorCore
from services.monitor.events import FACTS, describe, happened_ms
from services.monitor.feed_record import FeedRecord
from services.monitor.status import heartbeat, status_line
from services.monitor.system_log_file import SystemLog
from services.runner import ConfigError, Runner
from services.session.state import Session, kill_words, read_views, stop_session
from services.waiting import read_json, write_atomic

if TYPE_CHECKING:
    from services.monitor.metrics_http import Metrics

KILL_FILE_EVERY_MS = 125
LAST_WORDS_MS = 1_500
"""How long the monitor waits, at the end, for the broker's last word."""


class MonitorShell:
    """Joins the core to files and sockets."""

    def __init__(self, runner: Runner, session: Session, metrics: "Metrics | None", *, fresh: bool) -> None:
        self._runner = runner
        self._metrics = metrics
        self._session = session
        self._config = MonitorConfig.from_settings(session.settings)
        beat = {} if fresh else _last_heartbeat(session)
        record = FeedRecord(self._config.silence_after_ms, beat.get("feed_record"))
        self._core = MonitorCore(self._config, session.started_boot_ms, record)
        self._log = SystemLog(session.log_dir / "system.jsonl", fresh=fresh)
        self._next_heartbeat_ms = self._next_kill_look_ms = self._next_line_ms = 0
        self._closing_since_ms: int | None = None
        self._pids: dict[str, int] = {"monitor": os.getpid()}
        self._told_until = str(beat.get("ts", ""))
        self._told: set[tuple[str, str]] = set()
        runner.subscribe("feed", [m.FeedStatus, m.Heartbeat, m.Notice], self._hear)
        runner.subscribe("strategy", [m.StrategyStatus, m.Heartbeat, m.Notice], self._hear)
        runner.subscribe("broker", [m.BrokerStatus, m.Heartbeat, m.Notice, *FACTS], self._hear)
        if EXCHANGE in session.services:
            runner.subscribe(EXCHANGE, [m.Heartbeat, m.Notice], self._hear)
        runner.overhear = self._hear
        runner.ready = True
        self._write("INFO", "monitor", "session_watched", f"session {session.run_id} is watched")

    def on_turn(self, now_ms: int) -> int:
        """Look at the kill file, the clock and the heartbeat's time."""
        now = boot_ms()
        if now >= self._next_kill_look_ms:
            self._next_kill_look_ms = now + KILL_FILE_EVERY_MS
            self._look_at_kill_file()
        self._obey(self._core.on_timer(now))
        if now >= self._next_heartbeat_ms:
            self._next_heartbeat_ms = now + self._config.heartbeat_every_ms
            self._write_heartbeat(now)
        if now >= self._next_line_ms:
            self._next_line_ms = now + 1_000
            self._print_line(now)
        return max(0, self._next_kill_look_ms - boot_ms())

    def close(self, shutdown: m.Shutdown) -> bool:
        """Broadcast the shutdown, wait for the last words of broker and feed, write the last heartbeat."""
        now = boot_ms()
        if self._closing_since_ms is None:
            self._closing_since_ms = now
            self._runner.publisher.send(shutdown)
            level = "CRITICAL" if shutdown.reason.exit_code else "INFO"
            text = f"the session stops: {shutdown.reason.value}: {shutdown.detail}"
            self._tell_of_silences(end=True)
            self._write(level, "monitor", "session_stopping", text, stop_reason=shutdown.reason.value)
        if not self._core.heard_last_word and now - self._closing_since_ms < LAST_WORDS_MS:
            return False
        self._write_heartbeat(now)
        self._write("INFO", "monitor", "session_stopped", "the monitor leaves", stop_reason=shutdown.reason.value)
        self._log.close()
        return True

    def _hear(self, message: m.Message) -> None:
        self._obey(self._core.handle(message, boot_ms()))
        match message:
            case m.Heartbeat():
                self._pids[message.service] = message.pid
            case m.Notice():
                extra: dict[str, Any] = {"incident": True} if message.incident else {}
                self._write(message.level.value, message.service, message.event, message.message, **extra)
            case m.FeedStatus():
                self._tell_of_silences()
            case m.BrokerStatus() | m.StrategyStatus():
                pass
            case _:
                level, event, text = describe(message)
                market_ts = happened_ms(message) or self._core.market_ts or None
                self._write(level, "broker", event, text, market_ts=market_ts)

    def _obey(self, said: list[m.Message]) -> None:
        if self._closing_since_ms is not None:
            return
        for message in said:
            if isinstance(message, m.Shutdown):
                stop = stop_session(self._session, message.reason, "monitor", message.detail)
                self._runner.stop(m.Shutdown(stop.reason, stop.detail))

    def _look_at_kill_file(self) -> None:
        words = kill_words(self._session)
        if words is not None:
            self._obey([m.Shutdown(m.StopReason.KILL, words)])

    def _write_heartbeat(self, now: int) -> None:
        wall = wall_ms()
        views = read_views(self._session)
        self._tell_of_failures(views)
        self._core.handle(m.Heartbeat("monitor", os.getpid(), now, ready=True), now)
        content = heartbeat(self._session.run_id, self._config.symbol, self._core.view(now), wall, iso(wall), views)
        if self._metrics is not None:
            self._metrics.show(content)
        try:
            write_atomic(self._session.log_dir / HEARTBEAT, orjson.dumps(content, option=orjson.OPT_INDENT_2))
        except OSError as error:
            alert(self._session.log_dir, "ERROR", f"heartbeat.json can not be written: {error.strerror}")

    def _tell_of_failures(self, views: Mapping[str, Mapping[str, Any]]) -> None:
        """Log what supervisors say of crashes and hangs; a service that died could not say it itself."""
        for service, view in views.items():
            for failure in view.get("failures", ()):
                if failure["ts"] > self._told_until and (service, failure["ts"]) not in self._told:
                    self._told.add((service, failure["ts"]))
                    self._write("CRITICAL", service, "service_failed", f"{service} {failure['because']}")

    def _tell_of_silences(self, *, end: bool = False) -> None:
        for silence in self._core.take_silences(end=end):
            text = f"no market data for {silence.seconds:.0f} s while connected"
            more = {"incident": True, "seconds": silence.seconds, "market_ts": silence.market_ts}
            self._write("WARNING", "feed", "data_stale", text, **more)

    def _print_line(self, now: int) -> None:
        if self._runner.link is not None:
            self._runner.link.say(status_line(self._config.symbol, self._core.view(now)))

    def _write(self, level: str, service: str, event: str, message: str, **more: Any) -> None:
        if self._metrics is not None:
            self._metrics.count(service, level, event)
        self._log.write(
            {
                "ts": iso(wall_ms()),
                "level": level,
                "service": service,
                "pid": self._pids.get(service),
                "event": event,
                "message": message,
                "run_id": self._session.run_id,
                "market_ts": self._core.market_ts or None,
                **more,
            }
        )


def _last_heartbeat(session: Session) -> Mapping[str, Any]:
    """Return the last words of a monitor of this session that was restarted: this one goes on from there."""
    beat = read_json(session.log_dir / HEARTBEAT)
    return beat if isinstance(beat, dict) and beat.get("run_id") == session.run_id else {}


def compose(runner: Runner, session: Session) -> MonitorShell:
    """Build the monitor; the system log begins anew with the session, not with a restart.

    Raises:
        ConfigError: the port of the metrics is taken.
    """
    port = session.settings.get("metrics_port")
    return MonitorShell(runner, session, _serve_metrics(session, port) if port else None, fresh=runner.is_first)


def _serve_metrics(session: Session, port: int) -> "Metrics":
    from services.monitor.metrics_http import Metrics  # noqa: PLC0415 - only who wants it pays for the import

    about = {name: str(session.settings[name]) for name in ("source", "symbol", "interval", "strategy")}
    metrics = Metrics({"run_id": session.run_id, **about})
    try:
        metrics.serve(port)
    except OSError as error:
        raise ConfigError(f"metrics_port {port} can not be used: {error.strerror}") from None
    return metrics
