"""How a session begins, where that goes wrong before there is one."""

import socket
from pathlib import Path

import pytest

from services.session import opening
from services.session.launcher import run_launcher
from services.session.ports_tcp import is_free


def test_settings_that_are_never_resolved_are_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.setattr(opening, "CHILD_TIMEOUT_MS", 1_000)
    with pytest.raises(opening.RefusedError, match="not resolved within 1 s"):
        opening.open_session(run_launcher(), {"strategy": "hangs:Hangs", "source": "mock"}, tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_port_is_free_as_soon_as_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # who closes first waits for stray packets, for a minute
        assert not is_free(port)
    assert is_free(port)
