"""What no algorithm can beat: the least that the origin has to send, in copies of the content.

N viewers, a share z that can do no peer-to-peer, a share p of the others that uploads, uplink u and
bitrate r: whoever is cut off needs a copy of his own, the others need one for all, and more if
their uplinks together are too small. *f* is what the origin sends of all that is watched.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp


def live(viewers: float, blocked: float, uploads: float, ratio: float) -> float:
    """Copies of a live stream; ``ratio`` is the mean uplink by the bitrate."""
    linked = (1 - blocked) * viewers
    if linked <= 0:
        return viewers
    return blocked * viewers + max(1.0, linked * (1 - uploads * ratio))


def flash(viewers: float, blocked: float, first: float, seconds: float) -> float:
    """The share f where everybody comes at once, and takes ``first`` seconds of the content's
    ``seconds`` by HTTP before there are peers."""
    one = 1 / viewers
    return blocked + (1 - blocked) * (one + (1 - one) * min(first / seconds, 1.0))


def poisson(concurrent: float) -> float:
    """The share f of a content that is watched from beginning to end by so many at a time, where
    nobody has anything but what he has watched."""
    return (1 - exp(-concurrent)) / concurrent if concurrent > 0 else 1.0


def prefetched(concurrent: float) -> float:
    """The same where everybody loads ahead from peers, and there is upload to spare."""
    return exp(-concurrent)


def lingering(rate: float, linger: float, seconds: float) -> float:
    """The share f of sequential viewers who come at ``rate`` a second and stay open for ``linger``
    seconds after the end."""
    return exp(-rate * linger) * poisson(rate * seconds)


def imports(viewers: float, ratio: float) -> float:
    """Copies of a content that a network of so many viewers has to get from elsewhere: one for all
    of them, and more if their uplinks together are too small. ``ratio`` is as in `live`."""
    return min(viewers, max(1.0, viewers * (1 - ratio)))


def weighted(shares: Iterable[tuple[float, float]]) -> float:
    """The mean of the second of each pair, by the weight of the first: what is attainable of all
    networks, from their viewers n and the (n - 1) / n or less of each."""
    pairs = list(shares)
    total = sum(weight for weight, _ in pairs)
    return sum(weight * share for weight, share in pairs) / total if total else 0.0
