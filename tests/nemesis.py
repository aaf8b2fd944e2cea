"""A nemesis: kills services at random instants of a session, with a seed that can be said again.

Which service, how, and when are draws from the seed; what they meet is up to the machine.
"""

import hashlib
import signal
from dataclasses import dataclass

from crashing import kill
from processes import Desk, Program

from services.session.launcher import Process
from services.waiting import pause, wait_until

SERVICES = ("feed", "strategy", "broker", "monitor")
LONGEST_GAP_MS = 700
LONGEST_FREEZE_MS = 600
AGAIN_WITHIN_MS = 3_000


@dataclass
class Draws:
    """Numbers that follow from a seed, one after the other."""

    seed: int
    drawn: int = 0

    def below(self, limit: int) -> int:
        self.drawn += 1
        digest = hashlib.sha256(f"{self.seed}:{self.drawn}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % limit


class Nemesis:
    """Goes for the services of one session.

    Args:
        desk: where the session runs.
        program: its launcher.
        seed: of all its draws.
    """

    def __init__(self, desk: Desk, program: Program, seed: int) -> None:
        self._desk = desk
        self._program = program
        self._draws = Draws(seed)
        self.deeds: list[str] = []

    @property
    def killed(self) -> int:
        return sum("killed" in deed for deed in self.deeds)

    def rage(self, kills: int) -> None:
        """Kill so often, or until the session is over; then let it come to its end."""
        while self._program.popen.poll() is None and self.killed < kills:
            pause(self._draws.below(LONGEST_GAP_MS))
            self._strike(SERVICES[self._draws.below(len(SERVICES))], self._draws.below(100))

    def _strike(self, service: str, dice: int) -> None:
        if dice < 15:
            self._freeze(service)
        elif dice < 30:
            self._kill_twice("broker")
        else:
            self._kill(service)

    def _living(self, service: str) -> int:
        """Return the service's pid, 0 while there is none: a pid of the past may be somebody else's."""
        view = self._desk.json(".lap", f"{service}.json") or {}
        found = view.get("service")
        return int(found["pid"]) if found and Process(**found).is_alive else 0

    def _kill(self, service: str) -> int:
        pid = self._living(service)
        if pid and kill(pid, signal.SIGKILL):
            self.deeds.append(f"{service} {pid} killed")
            return pid
        return 0

    def _kill_twice(self, service: str) -> None:
        """Kill it, and again as soon as there is a new one."""
        pid = self._kill(service)
        if pid and wait_until(lambda: self._living(service) not in {0, pid}, AGAIN_WITHIN_MS):
            self._kill(service)

    def _freeze(self, service: str) -> None:
        pid = self._living(service)
        if pid and kill(pid, signal.SIGSTOP):
            pause(self._draws.below(LONGEST_FREEZE_MS))
            kill(pid, signal.SIGCONT)
            self.deeds.append(f"{service} {pid} frozen")
