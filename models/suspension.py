"""A call in a thread of its own that stops at its marks until it is let on.

Suspending the ordinary call keeps every bit of state that it holds in local variables, random generators and
schedulers, so what comes out is exactly what the undisturbed call gives.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from models.errors import CancelledError
from models.turns import Turns

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
        self.turns: Turns | None = None
        self.entered = False

    def pause(self, mark: int) -> None:
        """Tell that `mark` is reached, and wait until the limit is beyond it."""
        with self.changed:
            going = self.limit > mark
            if not going:
                self._leave()
            self.mark = mark
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.closed or self.limit > mark)
            if self.closed:
                raise _Closed
        if not going:
            self._enter()

    def work(self, call: Callable[[Pause], T]) -> None:
        """The body of the thread."""
        result: T | None = None
        error: BaseException | None = None
        self._enter()
        try:
            result = call(self.pause)
        except _Closed:
            pass
        except BaseException as caught:  # the owner raises it in its own thread
            error = caught
        with self.changed:
            self._leave()
            self.ended, self.result, self.error = True, result, error
            self.changed.notify_all()

    def _enter(self) -> None:
        """Wait for a turn, if this call takes turns with others."""
        if self.turns is not None:
            self.turns.enter()
            self.entered = True

    def _leave(self) -> None:
        """Let the others go on without this call."""
        if self.turns is not None:
            (self.turns.leave if self.entered else self.turns.miss)()
            self.turns, self.entered = None, False

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
    def ended(self) -> bool:
        """Whether nothing of the call is left."""
        return self._gate.ended

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
        if self._gate.closed:
            raise ValueError("this run was closed; begin another")
        self._let_on(mark, None)
        self._wait(mark)

    def _let_on(self, mark: float, turns: Turns | None) -> None:
        """Let the call go on, in turns with others or by itself."""
        gate = self._gate
        with gate.changed:
            if gate.ended and turns is not None:
                turns.miss()
                return
            gate.limit = max(gate.limit, mark)
            gate.turns = turns
            if self._thread.ident is None:
                self._thread.start()
            gate.changed.notify_all()

    def _wait(self, mark: float) -> None:
        """Wait until the call is there."""
        gate = self._gate
        with gate.changed:
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


def run_together(calls: Sequence[SuspendedCall[T]], mark: float) -> None:
    """Let several calls go on until all have reached `mark` or ended; they take turns, see `models.turns`.

    Raises:
        ValueError: if one of them was closed before; none has gone on then.
        CancelledError, Exception: as `SuspendedCall.run_to`, once the others are there.
    """
    if any(call.closed for call in calls):
        raise ValueError("one of these runs was closed; begin another")
    due = [call for call in calls if call.mark < mark and not call.ended]
    turns = Turns(len(due))
    for call in due:
        call._let_on(mark, turns)
    errors = []
    for call in due:
        try:
            call._wait(mark)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
