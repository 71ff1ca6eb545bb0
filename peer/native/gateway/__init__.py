"""The gateway: plain HTTP on this machine, for players and for pages that the viewer has paired.

::

    VLC, mpv, ffmpeg --/SECRET/media/...--+                +-- NativePeer -- peers, the store
                                          +--- media ------+
    a paired page ---/ITS SECRET/media/---+       |        +-- NativePeer
                                               playlists
    the owner --/SECRET/api/v1/...-- api       |
                                               '---- whatever no peer knows: the origin

Who is not admitted gets no byte (`admission`), so that no page learns whether a peer runs here.
"""

from peer.native.gateway.gateway import Gateway

__all__ = ["Gateway"]
