"""What viewers give away: to whom they speak, and what they send."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aioice.ice import get_host_addresses
from playwright.async_api import Browser

from tests.coturn import NEEDED, coturn
from tests.e2e import netlog
from tests.e2e.cdp import chromium
from tests.e2e.conftest import SEVERAL
from tests.e2e.servers import BUNDLE, p2pcdn, peer
from tests.e2e.viewer import Stage, Viewer

SHORT_BUFFER = "window.playerConfig = { maxBufferLength: 8, maxMaxBufferLength: 8 }"
PEERS = "() => window.p2pcdn?.getStats().peerBytes > 0"


def connection(**values: object) -> str:
    """A script that makes a page believe in such a connection of its machine."""
    fields = json.dumps(values)
    return (
        f"Object.defineProperty(navigator, 'connection', {{"
        f" value: Object.assign(new EventTarget(), {fields}) }})"
    )


# What is sent


@SEVERAL
async def test_who_has_a_reason_to_gives_nothing_and_a_budget_is_kept(stage: Stage) -> None:
    """One viewer gives, up to its budget; others only take; one has not been asked yet."""
    budget = 2_000_000
    async with AsyncExitStack() as stack:

        async def open_(before: str = "", **attributes: str) -> Viewer:
            given = {f"data-{name.replace('_', '-')}": text for name, text in attributes.items()}
            viewer = stage.viewer(before=before or None, attributes=given)
            return await stack.enter_async_context(viewer)

        giver = await open_(upload_budget=str(budget))
        await giver.plays(2)
        takers = [
            await open_(connection(type="cellular")),
            await open_(connection(type="wifi", saveData=True)),
        ]
        listening = "addEventListener('p2pcdn:consentneeded', () => { window.asked = true })"
        # It is still to load something when it is asked: what a player has it need not be brought.
        silent = await open_(f"{listening}; {SHORT_BUFFER}", consent="required")
        await giver.until(f"() => window.p2pcdn.getStats().uploadedBytes >= {0.95 * budget}")
        await silent.until("() => window.asked")
        await asyncio.gather(*(viewer.plays(5) for viewer in (*takers, silent)))
        assert [(await taker.stats())["uploadedBytes"] for taker in takers] == [0, 0]
        assert (await giver.stats())["uploadedBytes"] <= budget
        stats = await silent.stats()
        assert (stats["peerBytes"], stats["uploadedBytes"], stats["linkAttempts"]) == (0, 0, 0)
        for viewer in (giver, *takers, silent):
            await viewer.assert_smooth()
        # More may be given, and the viewer says yes: nothing else has to be done.
        await giver.page.evaluate("() => window.p2pcdn.configure({ uploadBudget: 1e9 })")
        assert await silent.page.evaluate("() => window.p2pcdn.consent('any')") == "any"
        await silent.links()
        await silent.until(PEERS)
        taken = [await taker.stats() for taker in takers]
        assert [stats["uploadedBytes"] for stats in taken] == [0, 0]
        # One of them may have had all of the budget, and the other the whole film by then.
        assert sum(stats["peerBytes"] for stats in taken) > 0.9 * budget


@SEVERAL
async def test_without_a_proof_no_byte_of_a_peer_is_played(stage: Stage) -> None:
    """Whatever is wrong with the verifier, playback goes on to its end."""
    broken = {
        "throws": "crypto.subtle.digest = () => { throw new Error('no') }",
        "hangs": "crypto.subtle.digest = () => new Promise(() => {})",
        "is not there": "Object.defineProperty(crypto, 'subtle', { value: undefined })",
    }
    async with stage.viewer() as helper, AsyncExitStack() as stack:
        await helper.plays(2)
        viewers = {
            name: await stack.enter_async_context(stage.viewer(before=before))
            for name, before in broken.items()
        }
        for viewer in viewers.values():
            await viewer.plays(1)
            await viewer.page.evaluate("() => { video.currentTime = video.duration - 4 }")
        for name, viewer in viewers.items():
            await viewer.until("() => video.ended")
            assert (await viewer.probe())["errors"] == [], name
            assert (await viewer.stats())["peerBytes"] == 0, name


# What a page's policy allows


@SEVERAL
async def test_under_a_strict_policy(stage: Stage, content: Path) -> None:
    """With Trusted Types and Subresource Integrity; with the tracker away, a storage that throws,
    and without a player: no violation, no error, one global."""
    digest = base64.b64encode(hashlib.sha384((BUNDLE / "p2pcdn.js").read_bytes()).digest())
    socket = stage.server.replace("http", "ws", 1)
    away = "ws://127.0.0.1:9"
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {stage.site} {stage.server}",
            f"connect-src {stage.server} {socket} {away}",
            "media-src blob:",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
    common: dict[str, Any] = {
        "hls": "/bundle/hls.min.js",
        "integrity": f"sha384-{digest.decode()}",
        "policy": policy,
        "attributes": "",
    }
    storage = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })"
    cases = {
        "as it should be": stage.viewer("strict.html", **common),
        "no tracker": stage.viewer(
            "strict.html", **common | {"attributes": f'data-tracker="{away}/tracker/v1"'}
        ),
        "no storage": stage.viewer("strict.html", before=storage, **common),
        "no player": stage.viewer("strict.html", **common | {"hls": "/bundle/none.js"}),
    }
    async with stage.viewer() as helper, AsyncExitStack() as stack:
        await helper.plays(2)
        viewers = {name: await stack.enter_async_context(case) for name, case in cases.items()}
        for name, viewer in viewers.items():
            if name != "no player":
                await viewer.plays(3)
            await viewer.until("() => window.p2pcdn?.version")
        for name in ("as it should be", "no storage"):
            await viewers[name].until(PEERS)
            assert await viewers[name].assert_exact(content) >= 1
        for name, viewer in viewers.items():
            probe = await viewer.probe()
            assert (probe["violations"], probe["errors"]) == ([], []), name
            names = await viewer.page.evaluate("() => Object.getOwnPropertyNames(window)")
            assert set(names) - set(probe["globals"]) == {"p2pcdn"}, name
            # Chromium's own complaints about what the test has taken away.
            known = (away, "(Not Found)" if name == "no player" else away)
            errors = [line for line in viewer.console if line.startswith(("error", "pageerror"))]
            assert [line for line in errors if not any(text in line for text in known)] == [], name


# Who is spoken to


async def test_nobody_is_contacted_but_who_is_configured(stage: Stage, tmp_path: Path) -> None:
    """By Chromium's own log: requests, look-ups (of mDNS names, too), connections, datagrams."""
    log = tmp_path / "net.json"
    async with (
        peer(stage.media) as seeder,
        chromium(tmp_path / "profile", netlog.flags(log)) as browser,
    ):
        await seeder.printed("complete")
        for number in (1, 2):
            tab = await browser.open_tab(stage.page_url())
            await tab.until("window.p2pcdn?.getStats().peerBytes > 0")
            await tab.until(f"window.p2pcdn.getStats().links >= {number}")
    hosts = netlog.contacts(log)
    assert urlsplit(stage.server).hostname in hosts
    assert {host for host in hosts if not _is_own(host)} == set()


async def test_such_a_log_would_show_somebody_else(tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    ask = """new Promise(async (done) => {
      const iceServers = [{ urls: "stun:192.0.2.1:3478" }, { urls: "stun:stun.invalid:3478" }];
      const connection = new RTCPeerConnection({ iceServers });
      connection.createDataChannel("data");
      await connection.setLocalDescription(await connection.createOffer());
      setTimeout(done, 1000);
    })"""
    async with chromium(tmp_path / "profile", netlog.flags(log)) as browser:
        tab = await browser.open_tab("about:blank")
        await tab.evaluate(ask)
    found = {host for host in netlog.contacts(log) if not _is_own(host)}
    assert found == {"192.0.2.1", "stun.invalid"}


def _is_own(host: str) -> bool:
    """Whether it is this machine, or a question to its own network."""
    if host == "localhost" or host.endswith(".local"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    multicast = ("224.0.0.251", "ff02::fb")
    ours = get_host_addresses(use_ipv4=True, use_ipv6=True)
    return address.is_loopback or host in multicast or host in ours


@NEEDED
async def test_behind_a_relay(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    """What goes through the site's relay is shown, and saves nothing."""
    async with coturn(tmp_path) as turn:
        arguments = ("--content", str(content), "--data", str(tmp_path / "data"))
        settings = ("--set", "tracker.report_every=1", "--set", "tracker.mode=relay")
        async with p2pcdn("serve", *arguments, *settings, *turn.settings) as server:
            stage = Stage(browser, page_site, server.url, f"{server.url}/media/film/index.m3u8")
            # One knows from the page that it takes a relay, the other hears of it.
            async with (
                stage.viewer(attributes={"data-mode": "relay"}) as first,
                stage.viewer() as second,
            ):
                await asyncio.gather(first.links(), second.links())
                await second.until(PEERS)
                for _ in range(100):
                    summary = await server.json("/api/v1/summary")
                    assert summary["saved_bytes"] == 0
                    # What the origin sent ahead is taken off until the player is given it.
                    assert summary["peer_bytes_confirmed"] <= 0
                    if summary["relayed_bytes"] and summary["peer_bytes_confirmed"] == 0:
                        break
                    await asyncio.sleep(0.2)
                else:
                    pytest.fail(f"it is never all given: {summary}")
                await first.assert_smooth()
                await second.assert_smooth()
