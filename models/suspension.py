"""A call in a thread of its own that stops at its marks until it is let on.

Suspending the ordinary call keeps every bit of state that it holds in local variables, random generators and
schedulers, so what comes out is exactly what the undisturbed call gives.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from models.errors import CancelledError

T = TypeVar("T")
Pause = Callable[[int], None]


class _Closed(BaseException):
    """Unwinds the call. Not an `Exception`, so that no handler on the way takes it for an error."""


class _Gate(Generic[T]):
    """What the two threads share. Every field is read and written under `changed`."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.mark = 0
        self.limit: float = 0
        self.closed = False
        self.ended = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def pause(self, mark: int) -> None:
        """Tell that `mark` is reached, and wait until the limit is beyond it."""
        with self.changed:
            self.mark = mark
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.closed or self.limit > mark)
            if self.closed:
                raise _Closed

    def work(self, call: Callable[[Pause], T]) -> None:
        """The body of the thread."""
        result: T | None = None
        error: BaseException | None = None
        try:
            result = call(self.pause)
        except _Closed:
            pass
        except BaseException as caught:  # the owner raises it in its own thread
            error = caught
        with self.changed:
            self.ended, self.result, self.error = True, result, error
            self.changed.notify_all()

    def close(self) -> None:
        """Let the call unwind at its next mark. Waits for nothing: a garbage collector may call it."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


class SuspendedCall(Generic[T]):
    """`call(pause)`, carried on from mark to mark.

    The thread begins with the first `run_to` or `result`. It ends with the call, with `close`, or when this
    object is garbage collected; it is a daemon, so it never holds up the end of the program.

    Args:
        call: is given `pause(mark)`, which it calls with rising marks from 1. It must not hold a reference to
            the owner of this object, or an abandoned call is never collected.
        name: of the thread.
    """

    def __init__(self, call: Callable[[Pause], T], name: str) -> None:
        self._gate: _Gate[T] = _Gate()
        self._thread = threading.Thread(target=self._gate.work, args=(call,), name=name, daemon=True)
        self._finalizer = weakref.finalize(self, self._gate.close)

    @property
    def mark(self) -> int:
        """The last mark that was reached."""
        return self._gate.mark

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._gate.closed

    def run_to(self, mark: float) -> None:
        """Let the call go on until it reaches `mark` or ends.

        Raises:
            ValueError: if it was closed before.
            CancelledError: if it is closed from another thread meanwhile.
            Exception: whatever the call raised, again at every later use.
        """
        gate = self._gate
        with gate.changed:
            if gate.closed:
                raise ValueError("this run was closed; begin another")
            gate.limit = max(gate.limit, mark)
            if self._thread.ident is None:
                self._thread.start()
            gate.changed.notify_all()
            gate.changed.wait_for(lambda: gate.ended or gate.closed or gate.mark >= mark)
            if gate.error is not None:
                raise gate.error
            if gate.closed:
                raise CancelledError("The run was cancelled.")

    def result(self) -> T:
        """Let the call go on to its end, and return what it returned.

        Raises:
            ValueError, CancelledError, Exception: as `run_to`.
        """
        self.run_to(math.inf)
        return self._gate.result  # type: ignore[return-value]

    def close(self) -> None:
        """End the call at its next mark, and wait for its thread to end. Safe to call twice."""
        self._gate.close()
        started = self._thread.ident is not None
        if started and self._thread is not threading.current_thread():
            self._thread.join()
        self._gate.result = self._gate.error = None
