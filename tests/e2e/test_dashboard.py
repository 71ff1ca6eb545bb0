"""The dashboard in a real browser: live, right, usable, and deaf to hostile names."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from playwright.async_api import Browser, Page, expect

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ledger_ports import Failure, Group, Reading
from p2pcdn.core.rollup import Rollup
from p2pcdn.service import Server
from tests.e2e.servers import ROOT
from tests.e2e.viewer import PATIENCE, Stage
from tracker import series
from tracker.api import KINDS
from tracker.app import Tracker
from tracker.storage.sqlite import Sqlite

AXE = ROOT / "peer" / "browser" / "node_modules" / "axe-core" / "axe.min.js"

HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</td></table><svg onload=window.hacked=1>",
    "javascript:window.hacked=1//'\"`--></style></title></textarea></script>",
    "{{constructor.constructor('window.hacked=1')()}}${window.hacked=1}",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe\u202c \u0000\u0007\ufeff\U0001f600",
    "a" * 300,
    "constructor",
    "__proto__",
)
"""Names that do something where they are taken for anything but text."""

WATCH = """
    window.refused = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
"""
"""Note what the content security policy refuses."""

COUNT = """
    window.events = 0;
    window.EventSource = class extends EventSource {
      constructor(url) {
        super(url);
        this.addEventListener("message", () => (window.events += 1));
      }
    };
    new MutationObserver(() => {
      const viewers = document.querySelector("#viewers")?.textContent;
      if (viewers === "1") window.shown ??= window.events;
    }).observe(document, { childList: true, characterData: true, subtree: true });
"""
"""Count the stream's events, and note after how many of them the first viewer was shown."""

FIGURES = """() => Object.fromEntries(
    [...document.querySelectorAll("data[id]")].map((data) => [data.id, Number(data.value)]))"""


@asynccontextmanager
async def board(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """The page, of which the policy must have refused nothing at the end."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.add_init_script(WATCH + COUNT)
    await page.goto(f"{url}/dashboard/")
    await expect(page.locator("#status")).to_have_text("Live", timeout=PATIENCE)
    yield page
    assert await page.evaluate("() => window.refused") == []
    assert errors == []
    await context.close()


async def record(directory: Path) -> None:
    """Write ten minutes in which strangers have given names to everything."""
    storage, rollup = Sqlite(directory), Rollup()
    now = time.time()
    await storage.open(now - 600)
    for second in range(600, 0, -10):
        amounts = [
            Amounts(
                origin_bytes=1_000_000 * (index + 1),
                least_bytes=900_000,
                peer_bytes_confirmed=9_000_000,
                peer_bytes_claimed=70_000,
                peer_bytes_disputed=60_000,
                edge_bytes=50_000,
                relayed_bytes=40_000,
                waste_bytes=30_000,
                overhead_bytes=20_000,
                links_attempted=10,
                links_made=8,
                links_failed=1,
                link_ms=4000,
                played_ms=98_000,
                stalls=1,
                stalled_ms=2_000,
                startups_500=8,
                startups_2000=2,
                announce_ms=300,
                announce_count=3,
                first_chunk_ms=9000,
                first_chunk_count=3,
            )
            for index in range(len(HOSTILE))
        ]
        named = dict(zip(HOSTILE, amounts, strict=True))
        groups = {Group(kind, name): one for kind in KINDS for name, one in named.items()}
        failures = {Failure("link", name): index for index, name in enumerate(HOSTILE, 1)}
        viewers, members = dict.fromkeys(named, 3), dict.fromkeys(groups, 3)
        rollup.receive(Reading(named, viewers, groups, members, failures), now - second)
        batch = rollup.take_batch()
        assert batch is not None
        await storage.write(batch)
    await storage.close()


@asynccontextmanager
async def recorded(directory: Path) -> AsyncIterator[str]:
    """The address of a tracker with these ten minutes behind it."""
    await record(directory)
    config = Config(
        listen="127.0.0.1:0",
        data=directory,
        tracker=TrackerConfig(price_per_gb=0.08, currency="EUR", stun=False),
    )
    tracker = Tracker(config, Ledger(), storage=Sqlite(directory, config.ledger))
    async with Server.of(config, [tracker]) as server:
        yield server.url


def shown_as(table: str, name: str) -> str:
    """How the page writes a name: reasons, which are words of ours, have spaces."""
    return f"Links: {name.replace('_', ' ')}" if table == "failures" else name


async def figures(page: Page) -> dict[str, float]:
    """The page's figures, by their ids."""
    return cast("dict[str, float]", await page.evaluate(FIGURES))


async def told(page: Page, url: str) -> dict[str, float]:
    """What the API says of the page's quarter of an hour, by the same ids."""

    async def ask(path: str) -> Any:
        return json.loads(await (await page.request.get(url + path)).text())

    now = time.time()
    total = (await ask(f"/api/v1/series?from={now - 900}&to={now + 1}&step=10"))["total"]
    summary = await ask("/api/v1/summary")
    names = {
        "offload": "offload",
        "saved": "saved_bytes",
        "origin": "origin_bytes",
        "confirmed": "peer_bytes_confirmed",
        "claimed": "peer_bytes_claimed",
        "disputed": "peer_bytes_disputed",
        "edge": "edge_bytes",
        "relayed": "relayed_bytes",
        "waste": "waste_bytes",
        "overhead": "overhead_bytes",
        "startup": "startup_p50",
        "startup-p95": "startup_p95",
        "rebuffering": "rebuffer_ratio",
        "links": "link_success",
    }
    said = {id_: total[name] for id_, name in names.items() if total[name] is not None}
    return {**said, "viewers": summary["viewers"]}


async def agree(page: Page, url: str) -> None:
    """Wait until the page and the API say the same."""
    async with asyncio.timeout(PATIENCE / 1000):
        while not (await told(page, url)).items() <= (await figures(page)).items():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def assert_accessible(page: Page) -> None:
    """axe-core finds nothing, in light and in dark."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=cast("Any", scheme))
        if not await page.evaluate("() => 'axe' in window"):
            await page.evaluate(await asyncio.to_thread(AXE.read_text))
        found = await page.evaluate("() => axe.run({resultTypes: ['violations']})")
        assert [
            (scheme, fault["id"], [node["html"] for node in fault["nodes"]])
            for fault in found["violations"]
        ] == []


async def test_nobody_yet_and_then_somebody(stage: Stage) -> None:
    async with board(stage.browser, stage.server) as page:
        tag = f'<script defer src="{stage.server}/p2pcdn.js" data-site="pk_demo"></script>'
        await expect(page.locator("#tag")).to_have_text(tag)
        await expect(page.locator("#offload")).to_have_text("\N{EN DASH}")
        await assert_accessible(page)

        async with stage.viewer():
            while not (await told(page, stage.server))["viewers"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            known = await page.evaluate("() => window.events")
            await expect(page.locator("#viewers")).to_have_text("1", timeout=PATIENCE)
            assert await page.evaluate("() => window.shown") - known <= 2 / series.EVERY
            await expect(page.locator("#origin")).not_to_have_text("0 B", timeout=PATIENCE)
            await expect(page.locator("#tag")).to_be_hidden()
        await expect(page.locator("#viewers")).to_have_text("0", timeout=PATIENCE)
        await agree(page, stage.server)


async def test_what_was_recorded_is_shown_as_it_is(browser: Browser, tmp_path: Path) -> None:
    async with (
        recorded(tmp_path) as url,
        board(browser, url, viewport={"width": 1280, "height": 900}) as page,
    ):
        loaded = page.locator("#failures tbody tr")
        await expect(loaded).to_have_count(len(HOSTILE), timeout=PATIENCE)
        for table in ("contents", *KINDS, "failures"):
            more = page.locator(f"#{table} button")
            if await more.count():
                await more.click()
            names = await page.locator(f"#{table} tbody th bdi").all_text_contents()
            wanted = [shown_as(table, name) for name in HOSTILE]
            assert sorted(names) == sorted(wanted), table
        assert await page.evaluate("() => window.hacked") is None
        assert await page.locator("#board :is(script, svg, title, textarea, style)").count() == 0

        said, shown = await told(page, url), await figures(page)
        assert shown.pop("money") == said["saved"] / 1e9 * 0.08
        assert {id_: shown[id_] for id_ in said} == said
        samples = 60 * len(HOSTILE)
        assert (shown["stalls"], shown["played"]) == (samples, 98 * samples)
        assert len(said) == 15
        steps = page.locator("#steps tbody td")
        assert await steps.all_text_contents() == ["100 ms", *["\N{EN DASH}"] * 3, "3.00 s"]
        await expect(page.locator(".tile em")).to_have_text("acceptable")

        # By the keyboard alone.
        await page.locator("input[name=range]:checked").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page).to_have_url(f"{url}/dashboard/#1h")
        await page.locator("summary").focus()
        await page.keyboard.press("Enter")
        rows = page.locator("details tbody tr")
        await expect(rows.filter(has_text="MB/s").first).to_be_attached(timeout=PATIENCE)
        await assert_accessible(page)
        assert await page.evaluate("() => document.getAnimations().length") == 0

        await page.set_viewport_size({"width": 390, "height": 800})
        await assert_accessible(page)
        assert await page.evaluate("() => document.documentElement.scrollWidth") <= 390
