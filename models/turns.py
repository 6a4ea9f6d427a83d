"""Calls in threads of their own that take turns, so that what they ask of one network can be asked at once.

Only one of them runs at a time, until it asks the network; when all have asked, the last of them answers for
all. So nothing outside the network sees more than one call, and the order is the same every time.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

from models.joined_calls import Asked, answer_all

_here = threading.local()


class Turns:
    """Who is under way, and whose turn it is.

    Args:
        members: calls that will `enter`; each has to `leave`, or to `miss` its turn.
    """

    def __init__(self, members: int) -> None:
        self._changed = threading.Condition()
        self._members = members
        self._busy = False
        self._asked: list[Asked] = []

    def enter(self) -> None:
        """Wait for a turn; this thread's calls of joined networks go through here from now on."""
        self._take()
        _here.turns = self

    def leave(self) -> None:
        """Give the turn away for good."""
        _here.turns = None
        with self._changed:
            self._members -= 1
            self._busy = False
            self._changed.notify_all()

    def miss(self) -> None:
        """Be one fewer: a call that was to enter will not."""
        with self._changed:
            self._members -= 1
            self._changed.notify_all()

    def ask(self, call: Asked) -> Any:
        """Wait until everybody under way has asked, and return what the call gives.

        Raises:
            Exception: what the network raised, in every call that was answered with this one.
        """
        with self._changed:
            self._asked.append(call)
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: not self._busy and (call.done or len(self._asked) == self._members)
            )
            self._busy = True
        if not call.done:
            _here.turns = None  # what the network asks in its turn is not asked together
            answer_all(self._asked)
            self._asked.clear()
            _here.turns = self
        if call.error is not None:
            raise call.error
        return call.result

    def _take(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._busy)
            self._busy = True


def join_calls(network: Any) -> None:
    """Join a network's calls where the calling thread takes turns with others; elsewhere nothing changes.

    Safe to call again, and to be called again where accelerate has put the network's own call back.
    """
    forward = network.forward
    if getattr(forward, "joined", False):
        return

    @functools.wraps(forward)
    def joined(*args: Any, **kwargs: Any) -> Any:
        turns: Turns | None = getattr(_here, "turns", None)
        return forward(*args, **kwargs) if turns is None else turns.ask(Asked(forward, args, kwargs))

    joined.joined = True  # type: ignore[attr-defined]
    network.forward = joined
