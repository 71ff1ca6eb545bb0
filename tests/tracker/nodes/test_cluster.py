"""Three real trackers and a real store: viewers find each other wherever they come in, and go on
doing so while any part of it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from tests.tracker.nodes.cluster import Node, Viewer, content_at, until, viewers
from tests.valkey import NEEDED, Valkey

pytestmark = [NEEDED, pytest.mark.timeout(400)]


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.valkey = Valkey(folder)
        self.nodes = [Node(folder, self.valkey.url) for _ in range(3)]
        self._contents = 0

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def content(self, node: Node) -> str:
        """One more that is at home at a node."""
        self._contents += 1
        return content_at(node.url, self.urls, self._contents)

    async def whole(self) -> None:
        """All know all."""
        for node in self.nodes:
            await node.ready()
        homes = [node.url for _ in self.urls for node in self.nodes]
        while True:
            probes = [(url, self.content(node)) for url in self.urls for node in self.nodes]
            async with viewers(probes) as found:
                if [viewer.node for viewer in found] == homes:
                    return
            await asyncio.sleep(0.2)

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
        self.valkey.close()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture
async def cluster(processes: Cluster) -> Cluster:
    await processes.whole()
    return processes


async def meet(found: list[Viewer]) -> None:
    """Each of them has been introduced to somebody."""
    for viewer in found:
        await viewer.until(lambda viewer=viewer: viewer.paired > 0)  # type: ignore[misc]


async def test_viewers_of_a_swarm_find_each_other_wherever_they_come_in(cluster: Cluster) -> None:
    content = cluster.content(cluster.nodes[1])
    places = [(url, content) for url, _ in zip(cycle(cluster.urls), range(6), strict=False)]
    async with viewers(places) as found:
        assert [viewer.peers for viewer in found] == list(range(6))
        assert {viewer.node for viewer in found} == {cluster.nodes[1].url}
        await meet(found)


async def test_who_cannot_follow_is_passed_on(cluster: Cluster) -> None:
    content = cluster.content(cluster.nodes[2])
    async with viewers([(url, content) for url in cluster.urls], follows=False) as found:
        assert [viewer.node for viewer in found] == cluster.urls
        assert [viewer.peers for viewer in found] == [0, 1, 2]
        await meet(found)


async def test_viewers_of_a_node_that_is_killed_meet_at_another(cluster: Cluster) -> None:
    first, lost, _ = cluster.nodes
    content = cluster.content(lost)
    async with viewers([(first.url, content)] * 2) as found:
        assert {viewer.node for viewer in found} == {lost.url}
        lost.kill()
        for viewer in found:
            await viewer.until(lambda viewer=viewer: viewer.peers < 0)  # type: ignore[misc]
            viewer.paired = 0
        await meet(found)
        assert lost.url not in {viewer.node for viewer in found}
        lost.start()
        await lost.ready()
        for viewer in found:  # and they go home, once that is there again
            await viewer.until(
                lambda viewer=viewer: viewer.node == lost.url and viewer.peers >= 0  # type: ignore[misc]
            )


async def test_while_the_store_does_not_answer_all_goes_on(cluster: Cluster) -> None:
    content = cluster.content(cluster.nodes[0])
    async with viewers([(cluster.urls[1], content)]) as found:
        cluster.valkey.pause()
        try:
            await until(lambda: "The store of the nodes is of no use" in cluster.nodes[1].note)
            async with viewers([(url, content) for url in cluster.urls]) as others:
                assert [viewer.peers for viewer in others] == [1, 2, 3]
                await meet([*found, *others])
        finally:
            cluster.valkey.go_on()
        await until(lambda: "of no use" not in cluster.nodes[1].note)
        assert found[0].joins == 1, "nobody had to go anywhere"


async def test_a_store_that_has_forgotten_all_is_told_again(cluster: Cluster) -> None:
    content = cluster.content(cluster.nodes[0])
    async with viewers([(url, content) for url in cluster.urls]) as found:
        cluster.valkey.restart()
        await cluster.whole()
        assert [viewer.joins for viewer in found] == [1, 1, 1]
        await meet(found)


async def test_any_node_tells_what_all_have_counted(cluster: Cluster) -> None:
    places = [(cluster.urls[0], cluster.content(node)) for node in cluster.nodes]

    def told() -> list[int]:
        return [node.get("/api/v1/summary?scope=all")["viewers"] for node in cluster.nodes]

    async with viewers(places):
        await until(lambda: told() == [3, 3, 3])
        own = [node.get("/api/v1/summary")["joins"] for node in cluster.nodes]
        assert cluster.nodes[0].get("/api/v1/summary?scope=all")["joins"] == sum(own)
