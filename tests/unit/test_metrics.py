"""The Prometheus endpoint: it says what the heartbeat says, and documents, dashboard and alerts know its names."""

import json
import re
import socket
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.monitor.metrics_http import Metrics

DOCS = Path(__file__).parents[2] / "docs"
BEAT: dict[str, Any] = {
    "elapsed": 12.5,
    "remaining": 47.5,
    "price": 60_000.5,
    "balance": 9_990.0,
    "equity": 10_002.5,
    "candle_idx": 11,
    "data_age": 0.2,
    "warmup_missing": 0,
    "halted": False,
    "feed": "connected",
    "position": {
        "side": "SHORT",
        "qty": 0.5,
        "entry_price": 60_010.0,
        "sl": 60_100.0,
        "tp": 59_900.0,
        "unrealized": 4.75,
    },
    "counts": {
        "ticks": 100,
        "candles": 11,
        "last_seq": 111,
        "worked_seq": 110,
        "trades": 2,
        "pending": 1,
        "rejected": 3,
        "reconnects": 1,
        "refused": 4,
        "stale_sec": 12.5,
    },
    "services": {
        "feed": {"pid": 1, "age": 0.5, "state": "RUNNING", "restarts": 1},
        "broker": {"pid": None, "age": None, "state": "BACKOFF", "restarts": 2},
    },
}


@pytest.fixture
def metrics() -> Metrics:
    shown = Metrics({"run_id": "20261123-051800", "symbol": "BTCUSDT"})
    shown.show(BEAT)
    shown.count("broker", "INFO", "fill")
    shown.count("broker", "INFO", "fill")
    return shown


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scraped(metrics: Metrics) -> dict[str, float]:
    """Name and labels of each sample to its value, as Prometheus reads them."""
    port = free_port()
    metrics.serve(port)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        f"{sample.name}{sorted(sample.labels.items()) if sample.labels else ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(metrics: Metrics) -> set[str]:
    return {sample.name for family in metrics.registry.collect() for sample in family.samples}


def test_it_says_what_the_heartbeat_says(metrics: Metrics) -> None:
    found = scraped(metrics)
    expected = {
        "lap_price": 60_000.5,
        "lap_equity": 10_002.5,
        "lap_position_quantity": -0.5,
        "lap_position_stop_price": 60_100.0,
        "lap_trades_total": 2.0,
        "lap_market_events_total": 111.0,
        "lap_feed_stale_seconds_total": 12.5,
        "lap_entries_halted": 0.0,
        "lap_feed_connected": 1.0,
        "lap_session_info[('run_id', '20261123-051800'), ('symbol', 'BTCUSDT')]": 1.0,
        "lap_service_up[('service', 'feed')]": 1.0,
        "lap_service_up[('service', 'broker')]": 0.0,
        "lap_service_restarts_total[('service', 'broker')]": 2.0,
        "lap_log_events_total[('event', 'fill'), ('level', 'INFO'), ('service', 'broker')]": 2.0,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "lap_service_heartbeat_age_seconds[('service', 'broker')]" not in found


def test_without_a_position_or_an_end_their_metrics_are_absent() -> None:
    shown = Metrics({})
    assert not {name for name in names(shown) if name != "lap_log_events_total"}, "nothing before the first heartbeat"
    shown.show({**BEAT, "position": None, "remaining": None})
    assert names(shown).isdisjoint({"lap_position_stop_price", "lap_session_remaining_seconds"})
    assert "lap_position_quantity" in names(shown)


def test_every_name_keeps_the_convention_and_is_in_the_document(metrics: Metrics) -> None:
    told = set(re.findall(r"`(lap_\w+)`", (DOCS / "metrics.md").read_text(encoding="utf-8")))
    assert names(metrics) == told
    for family in metrics.registry.collect():
        assert family.documentation.endswith(".")
        assert all(sample.name.endswith("_total") == (family.type == "counter") for sample in family.samples)


def test_the_dashboard_and_the_alerts_ask_for_metrics_that_exist(metrics: Metrics) -> None:
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    rules = pytest.importorskip("yaml").safe_load((DOCS / "prometheus-alerts.yml").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(asked) > 20
    assert set(re.findall(r"lap_\w+", " ".join(asked))) <= names(metrics)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_a_port_that_is_taken_is_told(metrics: Metrics) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            metrics.serve(taken.getsockname()[1])


def test_without_a_position_its_size_is_nothing() -> None:
    shown = Metrics({})
    shown.show({**BEAT, "position": None})
    assert shown.registry.get_sample_value("lap_position_quantity") == 0.0
