"""The tracker by itself: ``python -m tracker``, configured by environment and file."""

from __future__ import annotations

import sys

from p2pcdn.core.ledger import Ledger
from p2pcdn.service.standalone import standalone
from tracker.app import Tracker

if __name__ == "__main__":
    sys.exit(standalone(lambda found: [Tracker(found.config, Ledger(), found)]))
