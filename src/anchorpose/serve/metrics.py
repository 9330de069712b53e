"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)


class Metrics:
    """All counters of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("anchorpose_requests", "Requests", ("endpoint", "method", "status"),
                                registry=self.registry)  # fmt: skip
        self.seconds = Histogram("anchorpose_request_seconds", "From the first byte in to the last byte out",
                                 ("endpoint",), buckets=_SECONDS, registry=self.registry)  # fmt: skip
        self.estimate = Histogram("anchorpose_estimate_seconds", "Decoding, network and answer of one picture",
                                  buckets=_SECONDS, registry=self.registry)  # fmt: skip
        self.people = Counter("anchorpose_people", "People found", registry=self.registry)
        self.frames = Counter("anchorpose_stream_frames", "Frames of streams: answered, refused (what came is at "
                              "fault), failed (the service is) or dropped", ("fate",),
                              registry=self.registry)  # fmt: skip
        self.jobs_ended = Counter("anchorpose_jobs_ended", "Jobs that ended", ("state",), registry=self.registry)

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A gauge that is asked when it is read."""
        Gauge(f"anchorpose_{name}", what, registry=self.registry).set_function(value)

    def watch_states(self, name: str, what: str, counts: Callable[[], dict[str, int]]) -> None:
        """A gauge with one number for each state."""
        self.registry.register(_States(f"anchorpose_{name}", what, counts))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


class _States(Collector):
    def __init__(self, name: str, what: str, counts: Callable[[], dict[str, int]]) -> None:
        self._name, self._what, self._counts = name, what, counts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._what, labels=["state"])
        for state, count in self._counts().items():
            family.add_metric([state], count)
        yield family

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily(self._name, self._what, labels=["state"])]
