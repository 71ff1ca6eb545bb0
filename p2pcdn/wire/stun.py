"""Where a tracker says that a STUN server answers (RFC 7064)."""

from __future__ import annotations


def stun_server(
    url: str | None, tracker_host: str | None, usual: int | None = None
) -> tuple[str, int] | None:
    """Host and port of a ``stun:`` URL as a tracker's `Welcome` gives it; None if it is none.

    An empty host stands for the one that the tracker was reached by. ``usual`` is the port of a URL
    that names none.
    """
    scheme, _, place = (url or "").partition(":")
    host, colon, port = place.rpartition(":")
    if not colon and usual is not None:
        host, port = place, str(usual)
    host = host.removeprefix("[").removesuffix("]") or (tracker_host or "")
    if scheme != "stun" or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        return None
    return host, int(port)
