"""Who came in by what: expiry, renewal, and what is kept of those who went."""

from __future__ import annotations

import pytest

from p2pcdn.core.access import SKEW, Site, Sites, Visitor
from p2pcdn.core.passes import Passes
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.tracker import Join, Renew
from tests.p2pcdn.core.minting import NOW, Signer, claims_for
from tracker.sites import verifies

SITE, CONTENT, NONCE = "pk_demo", "c" * 32, "0" * 32
BACK_END, VIEWER = Signer.of("back end"), Signer.of("viewer")
CLOSED = Site(keys={"k": BACK_END.point}, tokens=True)


def passes(site: Site = CLOSED) -> tuple[Passes, Sites]:
    sites = Sites({SITE: site}, verifies)
    return Passes(sites), sites


def renewal(lasts: float) -> Renew:
    token = BACK_END.token(claims_for(VIEWER, exp=NOW + lasts))
    return Renew(VIEWER.credentials(NONCE, SITE, CONTENT, token))


def come(made: Passes, socket: int, lasts: float, now: float = 0.0) -> float | None:
    made.opened(socket, Visitor(NONCE))
    shown = renewal(lasts).credentials
    join = Join(PROTOCOL, SITE, CONTENT, "browser", True, credentials=shown)
    return made.admit(socket, join, now, NOW)


def test_passes_expire_in_their_order() -> None:
    made, _ = passes()
    assert made.timer_at() is None
    assert come(made, 1, 60, now=5.0) == 60 + SKEW
    assert come(made, 2, 30, now=5.0) == 30 + SKEW
    assert come(made, 3, 90, now=5.0) == 90 + SKEW
    assert made.timer_at() == 35 + SKEW
    assert made.expired(34.0 + SKEW) == []
    assert made.expired(65.0 + SKEW) == [2, 1]
    assert made.timer_at() == 95 + SKEW


def test_a_renewal_counts_from_when_it_comes() -> None:
    made, _ = passes()
    come(made, 1, 60)
    assert made.renew(1, renewal(100), 50.0, NOW + 50) == 50 + SKEW
    assert made.timer_at() == 100 + SKEW
    assert made.expired(60 + SKEW) == []
    assert made.expired(100 + SKEW) == [1]


def test_a_renewal_that_is_refused_changes_nothing() -> None:
    made, _ = passes()
    come(made, 1, 60)
    with pytest.raises(RemoteError):
        made.renew(1, renewal(1000), 50.0, NOW + 50)
    assert made.timer_at() == 60 + SKEW


def test_nothing_is_kept_of_a_socket_that_closed() -> None:
    made, _ = passes()
    come(made, 1, 60)
    made.closed(1)
    made.closed(1)
    assert made.timer_at() is None
    assert made.expired(1000.0) == []
    assert not made._visitors
    assert not made._passes
    assert not made._ends
    assert not made._queue


def test_a_site_without_tokens_lets_in_for_ever() -> None:
    made, _ = passes(Site())
    assert come(made, 1, 60) is None
    assert made.timer_at() is None


def test_a_pass_that_is_renewed_for_ever_expires_no_more() -> None:
    made, sites = passes()
    come(made, 1, 60)
    sites.put({SITE: Site()})
    assert made.renew(1, renewal(100), 50.0, NOW + 50) is None
    assert made.timer_at() is None
    assert made.expired(1000.0) == []


def test_those_who_may_not_be_there_any_more_are_named() -> None:
    made, sites = passes()
    come(made, 1, 60)
    made.opened(2, Visitor())
    assert list(made.unwelcome()) == []
    sites.put({SITE: Site(enabled=False)})
    [(socket, error)] = made.unwelcome()
    assert (socket, error.code) == (1, ErrorCode.SITE_OFF)
