"""How much we give away of somebody's line, battery and data plan: never more than was agreed.

::

    permitted, no metered line, no hidden tab on battery, budget left --> open, else closed
    a chunk is promised  if budget and ratio still allow it, with all that is promised already
    a frame is sent      if the rate allows it now

What is promised counts as given: so the caps hold whatever is on its way. A budget that is spent
closes for good; a ratio opens again with what comes in.
"""

from __future__ import annotations

from math import inf

from p2pcdn.core.ports import Caps, Device

BURST = 0.1
"""Seconds of silence that may be made up for: sending comes in turns."""
LEAST_RATE = 32_768.0
"""Bytes a second: a lower cap would keep who asked for a chunk waiting for more than two seconds,
so with it we give nothing."""
WAIT = 2.0
"""Seconds after which somebody may ask again whom the ratio or the budget did not allow for."""


class Governor:
    """What may be uploaded now."""

    def __init__(self) -> None:
        self.permitted = True
        """Whether site and viewer agree to any."""
        self.caps = Caps()
        self.device = Device()
        self._spent = False
        self._free_at = -inf
        """When the rate allows the next frame."""

    @property
    def open(self) -> bool:
        """Whether anything is given at all."""
        device = self.device
        return not (
            not self.permitted
            or self._spent
            or device.cellular
            or device.saving
            or (device.hidden and device.on_battery)
            or (self.caps.rate is not None and self.caps.rate < LEAST_RATE)
        )

    def limit(self, caps: Caps) -> None:
        """Other caps hold from now on; with a larger budget there may be something left again."""
        if caps.budget != self.caps.budget:
            self._spent = False
        self.caps = caps

    def wait(self, size: int, sent: int, owed: int, received: int) -> float | None:
        """How long somebody who asks for ``size`` bytes should wait before asking again; None if
        they may be promised, with so many bytes sent and promised before, and received."""
        budget, ratio = self.caps.budget, self.caps.ratio
        given = sent + owed + size
        if budget is not None and given > budget:
            # A promise may still be given back.
            self._spent = self._spent or not owed
            return WAIT
        if ratio is not None and given > ratio * received:
            return WAIT
        return None

    def has_room(self, now: float) -> bool:
        """Whether a frame may be sent now."""
        return self._free_at <= now

    def room_at(self) -> float:
        """When the next frame may be sent."""
        return self._free_at

    def sent(self, size: int, now: float) -> None:
        """A frame was sent."""
        if self.caps.rate is not None:
            self._free_at = max(self._free_at, now - BURST) + size / self.caps.rate
