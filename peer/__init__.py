"""The peers: `peer.native` is a process, `peer/browser` the same thing in a tab.

`Peer` is the native one as a library.
"""

from peer.native.library import Peer
from peer.native.runner import PeerError

__all__ = ["Peer", "PeerError"]
