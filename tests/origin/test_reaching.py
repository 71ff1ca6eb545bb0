"""What is said at the start of media that cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from structlog.testing import capture_logs

from origin.app import Origin
from origin.reaching import tell_who_is_away
from origin.sources.mounts import source_of
from p2pcdn.config import Config, MountConfig, OriginConfig, UpstreamConfig
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.service import Server
from p2pcdn.service.worker import Worker
from tests.e2e.servers import free_port
from tests.origin.conftest import Totals
from tests.origin.upstreams import fake_upstream, head, says
from tests.origin.waiting import until

LIMITS = OriginConfig(upstream=UpstreamConfig(private_networks=("127.0.0.1/32",)))


class Far:
    """A place that fails in a way."""

    def __init__(self, reason: SourceReason) -> None:
        self._reason = reason

    def reach(self) -> None:
        raise SourceError(self._reason, "It is so.")


class Several:
    """What consists of others."""

    def __init__(self, parts: Mapping[str, object]) -> None:
        self._parts = parts

    def parts(self) -> Mapping[str, object]:
        return self._parts


def config_of(content: str | Path, tmp_path: Path, **mounts: str | Path) -> Config:
    mounted = tuple(MountConfig(path=path, content=place) for path, place in mounts.items())
    return Config(content=content, mount=mounted, data=tmp_path / "data", origin=LIMITS)


async def test_who_is_away_is_named_with_what_would_be_right(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/"
    source = source_of(config_of(nobody, tmp_path, tv="https://10.0.0.1/tv/", here=tmp_path))
    with capture_logs() as logs:
        await tell_who_is_away(source)
    source.close()
    assert sorted(
        (each["log_level"], each["event"], each["why"], each["right"]) for each in logs
    ) == [
        (
            "warning",
            "not_reached",
            f"{nobody} cannot be had: connection refused.",
            "content has to be the URL of a place that answers this machine.",
        ),
        (
            "warning",
            "not_reached",
            "https://10.0.0.1/tv/ cannot be had: the address 10.0.0.1 is not public; if it is "
            "meant, its network has to be in origin.upstream.private_networks.",
            "The content of the mount 'tv' has to be the URL of a place that answers this machine.",
        ),
    ]


async def test_who_answers_is_not_named_whatever_it_answers(tmp_path: Path) -> None:
    async with fake_upstream() as server:  # to which its top is no file
        source = source_of(config_of(server.url, tmp_path))
        with capture_logs() as logs:
            await tell_who_is_away(source)
            await tell_who_is_away(Several({"": Far(SourceReason.STATUS)}))  # type: ignore[arg-type]
        source.close()
        assert [asked.method for asked in server.asked] == ["HEAD"]
    assert logs == []


async def test_nobody_waits_for_it(tmp_path: Path) -> None:
    async with fake_upstream() as server:
        server.plays["/"] = says(head(200, {})[:5], then="wait")
        origin = Origin(config_of(server.url, tmp_path), Totals())
        with capture_logs() as logs:
            async with Server([origin], host="127.0.0.1", port=0):
                await until(lambda: server.asked)
        assert [each for each in logs if each["event"] == "not_reached"] == []


async def test_of_several_workers_one_asks(tmp_path: Path) -> None:
    async with fake_upstream() as server:
        worker = Worker(index=1, count=2, directory=str(tmp_path), secret=b"s" * 32)
        origin = Origin(config_of(server.url, tmp_path), Totals(), worker=worker)
        await origin.start()
        assert origin._telling is None
        await origin.close()
