"""Processes by pid, start and boot: which one is the one that was meant."""

import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from services.session.launcher import Process, identify, this_process
from services.waiting import wait_until


def test_this_process_is_alive_and_told_the_same_again() -> None:
    me = this_process()
    assert me.is_alive
    assert me == identify(os.getpid()) == Process(**asdict(me))


@pytest.mark.parametrize("other", [{"created": 3.0}, {"boot": "another"}, {"pid": 2**22 + 1}], ids=str)
def test_a_process_of_another_start_boot_or_pid_is_not_this_one(other: dict[str, float]) -> None:
    assert not replace(this_process(), **other).is_alive  # type: ignore[arg-type]  # one of three kinds


def test_what_is_left_of_a_killed_process_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = identify(child.pid)
        assert process.is_alive
        process.kill()
        assert wait_until(lambda: not process.is_alive, 5_000), "a zombie, until its parent asks for it"
        process.kill()


def test_one_that_is_gone_is_told_without_a_start() -> None:
    assert identify(2**22 + 1) == Process(2**22 + 1, 0.0)
