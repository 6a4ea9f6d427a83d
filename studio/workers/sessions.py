"""What galleries keep in memory: their encoded conditioning, and the suspended runs of their candidates."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from models.conditioning import Conditioning
from models.video_model import DenoisingRun

MAX_GALLERIES = 4
"""Galleries whose suspended runs are kept; of an older one a candidate starts again from its seed."""


@dataclass
class Session:
    """What one gallery keeps; runs by seed."""

    conditioning: Conditioning
    runs: dict[int, DenoisingRun] = field(default_factory=dict)

    def close(self) -> None:
        """Close its runs."""
        for run in self.runs.values():
            run.close()
        self.runs.clear()


class Sessions:
    """The sessions of the newest galleries, by key.

    A run that is closed unwinds its pipeline's call, whose end offloads the networks that all runs share. So
    none is closed while another thread makes something with them, but with the next work or release after it.

    Args:
        device: held by whoever makes something.
    """

    def __init__(self, device: threading.RLock) -> None:
        self._device = device
        self._kept: OrderedDict[str, Session] = OrderedDict()
        self._dropped: list[Session] = []

    def get(self, key: str) -> Session | None:
        """A gallery's session, which is the newest from now on; None if it keeps none."""
        self._close_dropped()
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def add(self, key: str, conditioning: Conditioning) -> Session:
        """A new session; the oldest goes for it."""
        session = self._kept[key] = Session(conditioning)
        while len(self._kept) > MAX_GALLERIES:
            self.release(next(iter(self._kept)))
        return session

    def release(self, key: str) -> None:
        """Let go of a gallery's session. Safe for a key that is not known; waits for nobody."""
        session = self._kept.pop(key, None)
        if session is not None:
            self._dropped.append(session)
            self._close_dropped()

    def clear(self) -> None:
        """Let go of all, at once: the model goes too."""
        for session in (*self._kept.values(), *self._dropped):
            session.close()
        self._kept.clear()
        self._dropped.clear()

    def _close_dropped(self) -> None:
        if self._device.acquire(blocking=False):
            try:
                while self._dropped:
                    self._dropped.pop().close()
            finally:
                self._device.release()
