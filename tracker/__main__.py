"""The tracker by itself: ``python -m tracker``, configured by environment and file."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Service
from p2pcdn.service.standalone import standalone
from p2pcdn.service.worker import ALONE, this_worker
from p2pcdn.settings import Settings
from tracker.app import Tracker
from tracker.storage import storage_of


def _services(found: Settings) -> Iterable[Service]:
    config = found.config
    yield Tracker(config, Ledger(), found, storage_of(config), this_worker() or ALONE)


if __name__ == "__main__":
    sys.exit(standalone(_services))
