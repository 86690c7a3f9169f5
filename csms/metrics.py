"""Prometheus metrics. Counters are plain integers on the hot path, and are collected when they are scraped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from attrs import define, field
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_HELP = {
    "calls": ("CALLs of charge points", "action"),
    "call_errors": ("CALLERRORs sent", "code"),
    "bad_frames": ("texts that were no valid frame", None),
    "results_refused": ("answers of ours that a charge point could do nothing with (CALLRESULTERROR)", None),
    "sends_dropped": ("SENDs that did not fit or came too fast, and were passed over", None),
    "deviations": ("messages that were accepted though they deviate from the specification", None),
    "authority_questions": ("questions about id tags to the external authority", "outcome"),
    "ocsp_questions": ("questions about certificates to OCSP responders", "outcome"),
    "connections": ("sockets of charge points that were let in", None),
    "refused_handshakes": ("handshakes that were refused", "status"),
    "protocol_events_dropped": ("protocol events dropped because the broker was away or slow", None),
    "protocol_events_published": ("protocol events handed to the broker", None),
    "messages_dropped": ("messages missing in the raw log because the ledger was away or slow", None),
    "business_events_published": ("business events acknowledged by the broker", None),
    "business_events_set_aside": ("business events that the broker can never take", None),
    "mqtt_commands": ("results of commands that came by MQTT", "status"),
    "mqtt_commands_turned_away": ("commands that came by MQTT when too many waited already", None),
    "mqtt_command_results_dropped": ("results of commands that the broker was away for, or refused", None),
}


@define(eq=False)
class Counters:
    """What the daemon counts; ``gauges`` are asked when they are scraped."""

    values: dict[str, Counter[str]] = field(factory=lambda: {name: Counter() for name in _HELP})
    gauges: dict[str, tuple[str, Callable[[], float]]] = field(factory=dict)

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """Add to a counter."""
        self.values[name][label] += by

    def total(self, name: str) -> int:
        """Return a counter's value over all labels."""
        return sum(self.values[name].values())


class _Collector(Collector):
    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        for name, (text, label) in _HELP.items():
            family = CounterMetricFamily(f"csms_{name}", text, labels=[label] if label else [])
            values = self._counters.values[name] or ({} if label else {"": 0})
            for value, count in list(values.items()):
                family.add_metric([value] if label else [], count)
            yield family
        for name, (text, gauge) in self._counters.gauges.items():
            yield GaugeMetricFamily(f"csms_{name}", text, value=gauge())


def exposition(counters: Counters) -> bytes:
    """Return the metrics in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Collector(counters))
    return generate_latest(registry)
