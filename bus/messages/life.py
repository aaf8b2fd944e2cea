"""The life of a session: beats, notices for people, the shutdown."""

from bus.messages.body import Body, Int
from bus.messages.checks import check_flag, check_text, check_whole
from bus.words import Level, StopReason


class Heartbeat(Body, frozen=True):
    """A service's main loop turned. `boot_ms` is the machine's clock that goes on in a suspend."""

    service: str
    pid: Int
    boot_ms: Int
    ready: bool

    def __post_init__(self) -> None:
        check_text("service", self.service)
        check_whole("pid", self.pid)
        check_whole("boot_ms", self.boot_ms)
        check_flag("ready", self.ready)


class Notice(Body, frozen=True):
    """Something a person may want to read in `logs/system.jsonl`. `event` is its one name everywhere.

    `incident`: it goes into the report's list of incidents.
    """

    service: str
    level: Level
    event: str
    message: str
    incident: bool = False

    def __post_init__(self) -> None:
        for name in ("service", "event", "message"):
            check_text(name, getattr(self, name))
        check_flag("incident", self.incident)


class Shutdown(Body, frozen=True):
    """The monitor's broadcast: end in order, now."""

    reason: StopReason
    detail: str = ""
