"""What people look at is never in the way of what trades: the trading path does not even import it."""

import subprocess
import sys

import pytest

ONLOOKERS = {
    "rich",
    "prometheus_client",
    "starlette",
    "uvicorn",
    "services.report",
    "services.commands.top",
    "services.commands.reading",
    "services.commands.glance",
    "services.commands.app",
    "services.monitor.metrics_http",
}


@pytest.mark.parametrize("service", ["feed", "strategy", "broker", "monitor"])
def test_a_service_imports_nothing_that_only_shows(service: str) -> None:
    code = f"import sys, services.{service}.process, services.runner; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert ONLOOKERS & set(done.stdout.split()) == set()
