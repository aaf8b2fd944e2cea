"""A nemesis: does harm to a running session at random instants, with a seed that can be said again.

Which harm, to whom, and when are draws from the seed; what they meet is up to the machine.
"""

import hashlib
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus_peer import TOO_LARGE, Peer, sample
from crashing import kill
from processes import Desk, Program

from services.session.launcher import Process
from services.waiting import pause, wait_until

SERVICES = ("feed", "strategy", "broker", "monitor")
LONGEST_GAP_MS = 700
LONGEST_FREEZE_MS = 600
LONGEST_SUSPEND_MS = 3_000
AGAIN_WITHIN_MS = 3_000
FLOOD_FRAMES = 3_000
HOUR_S = 3_600


@dataclass
class Draws:
    """Numbers that follow from a seed, one after the other."""

    seed: int
    drawn: int = 0

    def below(self, limit: int) -> int:
        self.drawn += 1
        digest = hashlib.sha256(f"{self.seed}:{self.drawn}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % limit


def living(desk: Desk, service: str) -> int:
    """Return a service's pid, 0 while there is none: a pid of the past may be somebody else's."""
    view = desk.json(".lap", f"{service}.json") or {}
    found = view.get("service")
    return int(found["pid"]) if found and Process(**found).is_alive else 0


def kill_service(desk: Desk, service: str) -> int:
    """Kill a service if it is there; return its pid, else 0."""
    pid = living(desk, service)
    return pid if pid and kill(pid, signal.SIGKILL) else 0


@dataclass
class Nemesis:
    """Goes for one session.

    Attributes:
        desk: where the session runs.
        program: its launcher.
        draws: where all its choices come from.
        exchange: what the session's market comes from, if that is a program of its own.
        jump: the file that says by how many seconds the session's wall clock is off (`jumping_clock`).
        deeds: what was done, for people.
    """

    desk: Desk
    program: Program
    draws: Draws
    exchange: Program | None = None
    jump: Path | None = None
    deeds: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return sum("killed" in deed for deed in self.deeds)

    def kinds(self) -> set[str]:
        """Return the kinds of harm that were done."""
        return {deed.split()[-1] for deed in self.deeds}

    def rage(self, kills: int) -> None:
        """Kill so often, or until the session is over; then let it come to its end."""
        while self.program.popen.poll() is None and self.killed < kills:
            pause(self.draws.below(LONGEST_GAP_MS))
            self._strike(self._somebody(), self.draws.below(100))

    def storm(self, is_over: Callable[[], bool]) -> None:
        """Do harm of every kind until it is over, or the session is."""
        while self.program.popen.poll() is None and not is_over():
            pause(self.draws.below(LONGEST_GAP_MS))
            dice = self.draws.below(sum(HARM.values()))
            for deed, weight in HARM.items():
                if dice < weight:
                    deed(self)
                    break
                dice -= weight

    def _strike(self, service: str, dice: int) -> None:
        if dice < 15:
            self._freeze(service)
        elif dice < 30:
            self._kill_twice("broker")
        else:
            self._kill(service)

    def _somebody(self) -> str:
        return SERVICES[self.draws.below(len(SERVICES))]

    def _kill(self, service: str) -> int:
        pid = kill_service(self.desk, service)
        if pid:
            self.deeds.append(f"{service} {pid} killed")
        return pid

    def _kill_twice(self, service: str) -> None:
        """Kill it, and again as soon as there is a new one."""
        pid = self._kill(service)
        if pid and wait_until(lambda: living(self.desk, service) not in {0, pid}, AGAIN_WITHIN_MS):
            self._kill(service)

    def _freeze(self, service: str) -> None:
        pid = living(self.desk, service)
        if pid and kill(pid, signal.SIGSTOP):
            pause(self.draws.below(LONGEST_FREEZE_MS))
            kill(pid, signal.SIGCONT)
            self.deeds.append(f"{service} {pid} frozen")

    def kill_somebody(self) -> None:
        self._kill(self._somebody())

    def kill_somebody_twice(self) -> None:
        self._kill_twice(self._somebody())

    def freeze_somebody(self) -> None:
        self._freeze(self._somebody())

    def hang_somebody(self) -> None:
        """Stop a service for good: that is a hang, which its supervisor has to end."""
        service = self._somebody()
        pid = living(self.desk, service)
        if pid and kill(pid, signal.SIGSTOP):
            self.deeds.append(f"{service} {pid} hung")

    def suspend_all(self) -> None:
        """Close the lid and open it again."""
        family = [process.pid for process in self.program.family()]
        for pid in family:
            kill(pid, signal.SIGSTOP)
        pause(self.draws.below(LONGEST_SUSPEND_MS))
        for pid in family:
            kill(pid, signal.SIGCONT)
        self.deeds.append(f"{len(family)} processes suspended")

    def mute(self) -> None:
        """Stop the exchange for a moment: connections stay, nothing comes."""
        if self.exchange is not None and kill(self.exchange.pid, signal.SIGSTOP):
            pause(self.draws.below(LONGEST_SUSPEND_MS))
            kill(self.exchange.pid, signal.SIGCONT)
            self.deeds.append("exchange muted")

    def corrupt(self) -> None:
        """Throw mangled messages at a socket of the bus, and one that is too large."""
        with Peer(self.desk) as peer:
            name = peer.names[self.draws.below(len(peer.names))]
            peer.throw(name, [*self._mangled(30), TOO_LARGE])
        self.deeds.append(f"{name} corrupted")

    def flood(self) -> None:
        """Throw thousands of messages at a socket of the bus."""
        with Peer(self.desk) as peer:
            name = peer.names[self.draws.below(len(peer.names))]
            peer.throw(name, (frame for frame in [*self._mangled(3)] * (FLOOD_FRAMES // 3)))
        self.deeds.append(f"{name} flooded")

    def step_clock(self) -> None:
        """Let the wall clock step, by an hour at most either way."""
        if self.jump is not None:
            off_s = self.draws.below(2 * HOUR_S + 1) - HOUR_S
            self.jump.write_text(str(off_s))
            self.deeds.append(f"clock {off_s} s stepped")

    def _mangled(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            frame = bytearray(sample(self.draws.below(100)))
            at = self.draws.below(len(frame))
            match self.draws.below(4):
                case 0:
                    frame[at] ^= 1 + self.draws.below(255)
                case 1:
                    del frame[at:]
                case 2:
                    frame[at:at] = bytes(self.draws.below(256) for _ in range(20))
                case _:
                    frame += frame[at:] * 50
            yield bytes(frame)


HARM: Final[Mapping[Callable[[Nemesis], None], int]] = {
    Nemesis.kill_somebody: 30,
    Nemesis.kill_somebody_twice: 10,
    Nemesis.freeze_somebody: 12,
    Nemesis.hang_somebody: 4,
    Nemesis.suspend_all: 5,
    Nemesis.mute: 9,
    Nemesis.corrupt: 12,
    Nemesis.flood: 9,
    Nemesis.step_clock: 9,
}
"""What is done, and how often."""
