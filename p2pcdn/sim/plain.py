"""The plain player: the same player, for which HTTP loads and nobody else."""

from __future__ import annotations

from p2pcdn.sim.http import Request
from p2pcdn.sim.origin import Origin
from p2pcdn.sim.player import Player


class PlainLoader:
    """Loads whatever it is asked for from the origin."""

    player: Player

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def start(self) -> None:
        self.player.start()

    def load_playlist(self) -> None:
        self._origin.playlist(self.player.playlist)

    def load(self, sequence: int, within: float) -> None:
        def done(_: Request) -> None:
            self.player.arrived(sequence)

        self._origin.whole(sequence, done)

    def moved(self) -> None:
        """Nobody needs to know."""
