"""Metrics of several processes as one.

::

    worker --what is new of its counters, and its gauges as they are--> first worker --> /metrics

What counters have reached is told by its steps, so that a worker that ends takes nothing back: a
sum that falls would look like a counter that began anew, and be counted twice. A gauge is of those
who are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import REGISTRY
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

Key = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a sample, and its labels."""

_COUNTED = ("counter", "histogram", "summary")

_OF_ONE = ("process_start_time_seconds", "process_max_fds", "python_info")
"""Gauges that make no sense as a sum."""


class Steps(msgspec.Struct, frozen=True, array_like=True):
    """What a process tells of its figures."""

    counters: list[tuple[Key, float]]
    """What has come to each since the last time."""
    gauges: list[tuple[Key, float]]


class Figures(Collector):
    """A process's own figures; with those of others, if it is told them."""

    def __init__(self, own: Collector = REGISTRY) -> None:
        self._own = own
        self._told: dict[Key, float] = {}
        self._counters: dict[Key, float] = {}
        """What has come to others', gone ones included."""
        self._gauges: dict[str, dict[Key, float]] = {}
        """Those of others, by who they are."""

    # What we tell

    def steps(self) -> Steps:
        """What is new."""
        counters, gauges = [], []
        for metric, sample in self._samples():
            key = _key(sample)
            if metric.type in _COUNTED:
                step = sample.value - self._told.get(key, 0.0)
                if step:
                    counters.append((key, step))
                    self._told[key] = sample.value
            elif metric.type == "gauge" and sample.value:
                gauges.append((key, sample.value))
        return Steps(counters, gauges)

    # What we are told

    def note(self, name: str, steps: Steps) -> None:
        """What another process has told."""
        for key, step in steps.counters:
            self._counters[key] = self._counters.get(key, 0.0) + step
        self._gauges[name] = dict(steps.gauges)

    def gone(self, name: str) -> None:
        """It is no more; what it has counted stays."""
        self._gauges.pop(name, None)

    # What comes of it

    def collect(self) -> Iterator[Metric]:
        others = dict(self._counters)
        for gauges in self._gauges.values():
            for key, value in gauges.items():
                others[key] = others.get(key, 0.0) + value
        names: dict[str, list[Key]] = {}
        for key in others:
            names.setdefault(key[0], []).append(key)
        for metric in self._own.collect():
            yield _with(metric, others, names) if others else metric

    def _samples(self) -> Iterable[tuple[Metric, Sample]]:
        return (
            (metric, sample)
            for metric in self._own.collect()
            for sample in metric.samples
            if not (sample.name.endswith("_created") or sample.name in _OF_ONE)
        )


FIGURES = Figures()
"""Those of this process, which are as much of all of it as the registry that they come from."""


def _with(metric: Metric, others: dict[Key, float], names: dict[str, list[Key]]) -> Metric:
    """A metric with what others have of it."""
    sums = Metric(metric.name, metric.documentation, metric.type, metric.unit)
    known = set()
    for sample in metric.samples:
        key = _key(sample)
        known.add(key)
        sums.samples.append(sample._replace(value=sample.value + others.get(key, 0.0)))
    suffixes = ("", "_total", "_bucket", "_count", "_sum")
    for name in (f"{metric.name}{suffix}" for suffix in suffixes):
        for key in names.get(name, ()):
            if key not in known:
                sums.samples.append(Sample(name, dict(key[1]), others[key], None, None))
    return sums


def _key(sample: Sample) -> Key:
    return sample.name, tuple(sorted(sample.labels.items()))
