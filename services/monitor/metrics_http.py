"""The Prometheus endpoint: `http://127.0.0.1:<metrics_port>/metrics`, served by a thread that only reads.

The monitor hands over a whole picture at each heartbeat; a slow or hanging reader holds up nothing but its own answer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.monitor.metrics import EVENTS, Sample, samples

HOST = "127.0.0.1"


class Metrics(Collector):
    """What the endpoint shows.

    Args:
        about: what the session is, as labels.
    """

    def __init__(self, about: Mapping[str, str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more line for each counter, of no use here
        self._about = dict(about)
        self._beat: Mapping[str, Any] | None = None
        self.registry = CollectorRegistry()
        self.registry.register(self)
        labels = ("service", "level", "event")
        self._events = Counter(EVENTS, "Events of the system log.", labels, registry=self.registry)

    def show(self, beat: Mapping[str, Any]) -> None:
        """Show the content of a heartbeat from now on."""
        self._beat = beat

    def count(self, service: str, level: str, event: str) -> None:
        """Count an event of the system log."""
        self._events.labels(service, level, event).inc()

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics: the library's asking."""
        beat = self._beat
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in samples(beat, self._about) if beat is not None else ():
            if sample.name not in families:
                families[sample.name] = _family(sample)
            families[sample.name].add_metric(list(sample.labels.values()), sample.value)
        yield from families.values()

    def serve(self, port: int) -> None:
        """Answer on a port of the loopback interface, in a thread of its own.

        Raises:
            OSError: the port is taken.
        """
        start_http_server(port, HOST, self.registry)


def _family(sample: Sample) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if sample.is_counter else GaugeMetricFamily
    return kind(sample.name, sample.help, labels=list(sample.labels))
