"""A real server is looked at as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from p2pcdn.config import Config
from p2pcdn.doctor import Verdict, paths
from p2pcdn.doctor.examination import broken, examine
from p2pcdn.doctor.site import parse
from tests.p2pcdn.cli.calling import serving as serve
from tests.p2pcdn.doctor.servers import everything, healthy, not_good, serving


@pytest.fixture
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine of the tests may be a container, and may be in no network."""

    async def own() -> list[str]:
        return ["192.0.2.1"]

    monkeypatch.setattr(paths, "own_addresses", own)


@pytest.mark.usefixtures("_machine")
async def test_nothing_is_wrong_with_a_server_of_ours(tmp_path: Path) -> None:
    with serve("serve", "--content", str(tmp_path), "--data", str(tmp_path / "data")) as server:
        site = parse(server.read("Dashboard").removesuffix("/dashboard/"))
        found = await everything(examine(Config(), site, None, 10.0))
        assert not_good(found) == {}
        assert [*found][-4:] == ["tracker", "join", "stun", "addresses"]
        page = site._replace(path="/dashboard/")
        found = await everything(examine(Config(site="pk_other"), site, page, 10.0))
        assert found["tag"].verdict is Verdict.DOUBT


async def test_a_server_that_breaks_off() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serving(healthy() | {"GET /readyz": cut}) as url:
        found = await everything(examine(Config(), url, None, 10.0))
    assert not_good(found) == {"reach": Verdict.WRONG}
    assert "stops answering" in found["reach"].sentence


async def test_nobody_there_is_all_that_is_said() -> None:
    async with serving({}) as url:
        pass
    found = await everything(examine(Config(), url, None, 10.0))
    assert len(found) == 1
    assert broken(TimeoutError()).sentence.endswith("takes too long.")
