"""Who may come in and who has to go, over real sockets and with a configuration that changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog.testing
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from p2pcdn import settings
from p2pcdn.core.access import SKEW
from p2pcdn.core.swarm_ports import Said
from p2pcdn.errors import ErrorCode
from p2pcdn.model import content_id
from p2pcdn.wire.manifest import to_base64
from p2pcdn.wire.tracker import (
    Credentials,
    Invite,
    Joined,
    Offered,
    Refused,
    Renew,
    Renewed,
    Report,
    SendOffer,
    Welcome,
)
from tests.p2pcdn.core.minting import Signer, claims_for
from tests.p2pcdn.core.swarming import CONTENT, sdp
from tests.tracker.rig import Client, Rig, join
from tracker import mind, reload

SITE, OTHER = "pk_demo", "pk_other"
BACK_END, VIEWER = Signer.of("back end"), Signer.of("viewer")
KEY = to_base64(BACK_END.point)
CLOSED = f'[sites.pk_demo]\nkeys = ["{KEY}"]\n[sites.pk_other]\n'

LOOKS = reload.EVERY


def token(lasts: float = 120, **claims: Any) -> str:
    claims = {"content": CONTENT, "iat": None, "exp": int(time.time() + lasts), **claims}
    return BACK_END.token(claims_for(VIEWER, **claims))


def pem(signer: Signer) -> bytes:
    """Its public key, as a file has it."""
    public = signer.private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Changing(Rig):
    """A tracker whose configuration file can be written again."""

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        file.write_text(text)
        found = settings.load(flags={"listen": "127.0.0.1:0"}, environ={}, file=file)
        super().__init__(found.config, found)

    async def viewer(self, text: str, signer: Signer = VIEWER, **fields: Any) -> Client:
        """Somebody with a token, who is in."""
        client = await self.client()
        refused = await self.ask(client, text, signer, **fields)
        assert refused is None, refused
        return client

    async def ask(
        self, client: Client, text: str, signer: Signer = VIEWER, **fields: Any
    ) -> Refused | None:
        """Join with a token; why not, if not."""
        nonce = (await client.expect(Welcome)).nonce
        site, content = fields.get("site", SITE), fields.get("content", CONTENT)
        shown = signer.credentials(nonce, site, content, text)
        await client.send(join(credentials=shown, **fields))
        answer = await client.read()
        if isinstance(answer, Joined):
            client.peer = answer.peer
            return None
        assert isinstance(answer, Refused)
        return answer


@asynccontextmanager
async def tracker(tmp_path: Path, text: str = CLOSED) -> AsyncIterator[Changing]:
    made = Changing(tmp_path / "p2pcdn.toml", text)
    await made.server.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at more often than usual, so that tests take no time."""
    monkeypatch.setattr(reload, "EVERY", 0.02)


def test_a_change_is_seen_well_within_five_seconds() -> None:
    assert 2 * LOOKS <= 2.0


async def test_a_token_and_its_proof_are_good_on_their_own_socket_only(tmp_path: Path) -> None:
    async with tracker(tmp_path) as made:
        first = await made.client()
        nonce = (await first.expect(Welcome)).nonce
        shown = VIEWER.credentials(nonce, SITE, CONTENT, token())
        await first.send(join(credentials=shown))
        joined = await first.expect(Joined)
        assert joined.expires is not None
        assert 100 < joined.expires <= 120 + SKEW
        for credentials in (shown, None, Credentials(shown.token)):
            thief = await made.client()
            await thief.expect(Welcome)
            await thief.send(join(credentials=credentials))
            assert (await thief.last_words())[0] == "bad_token"
        assert await first.lives()


async def test_the_header_says_which_page_it_is(tmp_path: Path) -> None:
    text = '[sites.pk_demo]\norigins = ["https://www.example.com"]'
    async with tracker(tmp_path, text) as made:
        page = await made.client(headers={"Origin": "https://www.example.com"})
        await page.join()
        for headers in (
            {},
            {"Origin": "null"},
            {"Origin": "https://evil.example"},
            {"Origin": "https://www.example.com."},
        ):
            other = await made.client(headers=headers)
            await other.expect(Welcome)
            await other.send(join())
            assert (await other.last_words())[0] == "wrong_origin"
        two = [("Origin", "https://www.example.com"), ("Origin", "https://www.example.com")]
        other = await made.client(headers=two)
        await other.expect(Welcome)
        await other.send(join())
        assert (await other.last_words())[0] == "wrong_origin"
        assert await page.lives()


async def test_a_token_is_renewed_or_its_peer_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tracker(tmp_path) as made:
        exp = int(time.time()) + 120
        short, now = token(exp=exp), exp + SKEW - 1.0
        monkeypatch.setattr(mind, "time", SimpleNamespace(time=lambda: now))  # a second is left
        renewing, lazy = await made.client(), await made.client()
        nonce = (await renewing.expect(Welcome)).nonce
        await renewing.send(
            join(credentials=VIEWER.credentials(nonce, SITE, CONTENT, short)),
            Renew(VIEWER.credentials(nonce, SITE, CONTENT, token(lasts=250, jti="next"))),
        )
        renewed = await renewing.expect(Renewed)
        assert renewed.expires is not None
        assert renewed.expires > 100
        assert await made.ask(lazy, short) is None
        assert (await lazy.last_words())[0] == "expired"
        assert await renewing.lives()
        # Nobody is introduced to who is gone.
        newcomer = await made.viewer(token(lasts=250))
        assert (await newcomer.expect(Invite)).peer != lazy.peer


async def test_a_renewal_that_is_refused_ends_the_stay(tmp_path: Path) -> None:
    async with tracker(tmp_path) as made:
        viewer = await made.client()
        nonce = (await viewer.expect(Welcome)).nonce
        await viewer.send(join(credentials=VIEWER.credentials(nonce, SITE, CONTENT, token())))
        await viewer.expect(Joined)
        forged = Signer.of("stranger").token(claims_for(VIEWER, content=CONTENT))
        await viewer.send(Renew(VIEWER.credentials(nonce, SITE, CONTENT, forged)))
        assert (await viewer.last_words())[0] == "bad_token"


async def test_renewals_count_as_joins_do(tmp_path: Path) -> None:
    async with tracker(tmp_path, f"{CLOSED}[tracker]\njoins_per_second = 1") as made:
        viewer = await made.client()
        nonce = (await viewer.expect(Welcome)).nonce
        shown = VIEWER.credentials(nonce, SITE, CONTENT, token())
        await viewer.send(join(credentials=shown), *[Renew(shown)] * 20)
        assert (await viewer.last_words())[0] == "too_fast"


async def test_the_kill_switch_sends_all_peers_of_the_site_away_and_lets_them_back(
    tmp_path: Path,
) -> None:
    async with tracker(tmp_path) as made:
        viewers = [await made.viewer(token(jti=f"t{n}")) for n in range(3)]
        other = await made.joined(site=OTHER)
        made.file.write_text(CLOSED.replace("keys", "enabled = false\nkeys"))
        for viewer in viewers:
            while not isinstance(message := await viewer.read(), Refused):
                assert message is not None
            assert (message.code, message.fatal) == (ErrorCode.SITE_OFF, True)
            assert message.retry_after is not None
            assert 15 <= message.retry_after <= 45
            assert await viewer.read() is None
        assert await other.lives()
        refused = await made.ask(await made.client(), token())
        assert refused is not None
        assert (refused.code, refused.retry_after is not None) == (ErrorCode.SITE_OFF, True)
        made.file.write_text(CLOSED + "enabled = true\n")
        await made.until(lambda: made.tracker._sites[SITE].enabled)
        await made.viewer(token())


async def test_those_that_go_are_not_introduced_to_each_other_on_the_way(tmp_path: Path) -> None:
    async with tracker(tmp_path, "[sites.pk_demo]\n[sites.pk_other]\n") as made:
        viewers = [await made.joined() for _ in range(6)]
        heard = [await everything_so_far(viewer) for viewer in viewers]
        assert any(heard)
        made.file.write_text("[sites.pk_demo]\nenabled = false\n[sites.pk_other]\n")
        for viewer in viewers:
            while (message := await viewer.read()) is not None:
                assert not isinstance(message, Invite | Offered)


async def everything_so_far(client: Client) -> bool:
    """Read all that was sent to it before this; whether there was anything."""
    await client.send(SendOffer("0" * 16, sdp()))
    heard = False
    while not isinstance(await client.read(), Refused):
        heard = True
    return heard


@pytest.mark.parametrize(
    "revoked",
    ['revoked_tokens = ["bad"]', f'revoked_contents = ["{content_id(SITE, "/media/bad")}"]',
     'revoked_contents = ["/media/bad"]'],
)  # fmt: skip
async def test_a_token_or_a_content_that_is_revoked_takes_its_peers_with_it(
    tmp_path: Path, revoked: str
) -> None:
    bad = content_id(SITE, "/media/bad")
    async with tracker(tmp_path) as made:
        good = await made.viewer(token(jti="good"))
        going = await made.viewer(token(jti="bad", content="/media/bad"), content=bad)
        made.file.write_text(CLOSED.replace("keys", f"{revoked}\nkeys"))
        assert (await going.last_words())[0] == "revoked"
        assert await good.lives()
        again = await made.ask(
            await made.client(), token(jti="bad", content="/media/bad"), content=bad
        )
        assert again is not None
        assert again.code is ErrorCode.REVOKED


async def test_a_key_that_is_taken_away_takes_its_tokens_with_it(tmp_path: Path) -> None:
    async with tracker(tmp_path) as made:
        viewer = await made.viewer(token())
        made.file.write_text(CLOSED.replace(KEY, to_base64(Signer.of("next key").point)))
        assert (await viewer.last_words())[0] == "revoked"


async def test_a_file_with_a_key_counts_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "site.pem"
    file.write_bytes(pem(BACK_END))
    text = f"[sites.pk_demo]\nkeys = ['{file}']\n[sites.pk_other]\n"
    async with tracker(tmp_path, text) as made:
        viewer = await made.viewer(token())
        with structlog.testing.capture_logs() as logs:
            file.write_text("no key")
            await made.until(lambda: any(e["event"] == "configuration_refused" for e in logs))
        assert str(file) in next(e["error"] for e in logs if e["event"] == "configuration_refused")
        assert await viewer.lives()
        file.write_bytes(pem(Signer.of("next key")))
        assert (await viewer.last_words())[0] == "revoked"


@pytest.mark.parametrize(
    "text", ["[sites.pk_demo", "[sites.pk_demo]\nkeys = ['none.pem']", "x = 1"]
)
async def test_a_file_that_is_wrong_sends_nobody_away(tmp_path: Path, text: str) -> None:
    async with tracker(tmp_path) as made:
        viewer = await made.viewer(token())
        with structlog.testing.capture_logs() as logs:
            made.file.write_text(text)
            await made.until(lambda: any(e["event"] == "configuration_refused" for e in logs))
        assert await viewer.lives()
        await made.viewer(token())


async def test_what_is_open_is_said_in_the_log(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with tracker(tmp_path):
            pass
    assert [entry["site"] for entry in logs if entry["event"] == "open"] == [OTHER]


async def test_a_failure_loses_nothing_that_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the mind has decided is done for everybody, even if some of it fails."""
    async with tracker(tmp_path, "[sites.pk_demo]\n") as made:
        first, second = await made.joined(), await made.joined()
        ours = made.tracker._mind
        note = ours._note
        noted: list[str] = []

        def fail(event: Any, now: float) -> None:
            if isinstance(event.report, Report) and not noted:
                noted.append("failed")
                raise ZeroDivisionError
            note(event, now)

        for client in (first, second):
            socket = next(n for n, m in ours._swarms._members.items() if m.id == client.peer)
            ours._swarms.receive(Said(socket, Report(1)), 0.0)
        assert len(ours._swarms._outbox._events) == 2
        monkeypatch.setattr(ours, "_note", fail)
        taken: list[str] = []
        monkeypatch.setattr(made.ledger, "report", lambda peer, *_: taken.append(peer))
        with pytest.raises(ZeroDivisionError):
            ours._act(0.0)
        assert taken == [second.peer]
