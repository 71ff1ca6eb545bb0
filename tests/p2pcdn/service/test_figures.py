"""Metrics of several processes as one."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import generate_latest

from p2pcdn.service.figures import Figures


class Process:
    """A process with a few figures."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.messages = Counter("messages", "Heard.", ["type"], registry=registry)
        self.peers = Gauge("peers", "There.", registry=registry)
        self.times = Histogram("times", "Taken.", buckets=(1.0, 2.0), registry=registry)
        Info("build", "Of one.", registry=registry).info({"version": "1"})
        self.figures = Figures(registry)

    def value(self, name: str, **labels: str) -> float:
        (value,) = (
            sample.value
            for metric in self.figures.collect()
            for sample in metric.samples
            if sample.name == name and sample.labels == labels
        )
        return value


@pytest.fixture
def first() -> Process:
    return Process()


@pytest.fixture
def other() -> Process:
    return Process()


def test_counters_and_histograms_add_up(first: Process, other: Process) -> None:
    first.messages.labels("join").inc(3)
    other.messages.labels("join").inc(4)
    other.messages.labels("leave").inc()
    first.times.observe(0.5)
    other.times.observe(1.5)
    first.figures.note("1", other.figures.steps())
    assert first.value("messages_total", type="join") == 7
    assert first.value("messages_total", type="leave") == 1
    assert first.value("times_bucket", le="1.0") == 1
    assert first.value("times_bucket", le="2.0") == 2
    assert (first.value("times_count"), first.value("times_sum")) == (2, 2.0)
    assert b'messages_total{type="leave"} 1.0' in generate_latest(first.figures)


def test_nothing_is_told_twice(first: Process, other: Process) -> None:
    other.messages.labels("join").inc(4)
    first.figures.note("1", other.figures.steps())
    other.messages.labels("join").inc(1)
    first.figures.note("1", other.figures.steps())
    assert other.figures.steps().counters == []
    assert first.value("messages_total", type="join") == 5


def test_gauges_are_of_those_who_are_there_and_counters_never_fall(
    first: Process, other: Process
) -> None:
    first.peers.set(2)
    other.peers.set(5)
    other.messages.labels("join").inc(4)
    for _ in range(2):  # it says so again and again
        first.figures.note("1", other.figures.steps())
    assert first.value("peers") == 7
    first.figures.gone("1")
    assert first.value("peers") == 2
    assert first.value("messages_total", type="join") == 4
    first.figures.note("1", Process().figures.steps())  # it has begun anew
    assert first.value("messages_total", type="join") == 4


def test_what_makes_no_sense_as_a_sum_is_that_of_the_first(first: Process, other: Process) -> None:
    first.figures.note("1", other.figures.steps())
    assert first.value("build_info", version="1") == 1


def test_without_others_it_is_as_it_was(first: Process) -> None:
    first.peers.set(2)
    assert first.value("peers") == 2
