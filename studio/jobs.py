"""The queue of long work. It lives outside the page, so that a reload or a closed tab loses nothing.

- One job at a time: the model and its device are one.
- Anybody may look at a job, follow it, wait for it or cancel it, from any thread and as often as they like.
- Its state is on the disk: what a crash interrupted is told at the next start, and nobody waits for it.
- It runs in the context of whoever submitted it, so that a hosted GPU knows whose quota it is.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from studio.errors import CancelledError, InputError
from studio.sentences import sayable, sentence_of
from studio.store import JobRecord, Owner, Store
from studio.timeline import new_id, now

KEPT_DAYS = 30
ENDED = ("done", "failed", "cancelled", "interrupted")

_SAVE_EVERY = 2.0  # seconds between two notes of progress on the disk
_PACE_OVER = 16  # reports over which the pace is measured
_REMEMBERED = 100  # ended jobs that are not looked up on the disk
_LOG = logging.getLogger(__name__)


class JobView(JobRecord):
    """What anybody may know of a job at one moment.

    Attributes:
        eta_seconds: how long it will still take at its present pace, or None while that is not known.
        position: 0 unless it is queued; 1 is the next one.
    """

    eta_seconds: float | None = None
    position: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


@dataclass(eq=False)
class _Job:
    record: JobRecord
    work: Callable[[JobHandle], None]
    context: contextvars.Context
    cancelled: threading.Event = field(default_factory=threading.Event)
    version: int = 0
    saved: float = float("-inf")
    reports: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_PACE_OVER))


class JobHandle:
    """What the work sees of its job."""

    def __init__(self, jobs: Jobs, job: _Job) -> None:
        self._jobs = jobs
        self._job = job

    @property
    def id(self) -> str:
        """The job's id."""
        return self._job.record.id

    @property
    def cancelled(self) -> bool:
        """Whether the work should stop: somebody cancelled it, or the studio is closing."""
        return self._job.cancelled.is_set()

    def check(self) -> None:
        """Call between two steps.

        Raises:
            CancelledError: if the work should stop.
        """
        if self.cancelled:
            raise CancelledError("cancelled")

    def report(self, done: int, total: int, message: str = "") -> None:
        """Tell how far it is: `done` of `total` steps, and what happens now. Everybody who follows is told.

        An empty message leaves the last one.
        """
        self._jobs._report(self._job, done, total, message)


class Jobs:
    """One queue with one worker thread.

    Args:
        store: where the states are kept; jobs that a crash left there are marked as interrupted.
        clock: seconds; only differences count.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._changed = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        self._queue: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._unsaved: dict[str, JobRecord] = {}
        self._owner = Owner(store.data_dir)
        self._mark_interrupted()

    def submit(self, kind: str, project_id: str | None, work: Callable[[JobHandle], None]) -> str:
        """Put work at the end of the queue; returns the job's id at once.

        Args:
            kind: what it is, in words that fit into "the studio was closed while (it did) ...".
            project_id: what it works on.
            work: runs in the worker thread; calls `check` and `report` between its steps.

        Raises:
            InputError: if the studio is closing, the disk is full, or another process is at work on the
                project.
        """
        record = JobRecord(
            id=new_id(), kind=kind, project_id=project_id, owner=self._owner.name, created=now()
        )
        job = _Job(record, work, contextvars.copy_context())
        with self._changed:
            if self._closed:
                raise InputError("The studio is closing. Start it again to go on.")
            self._store.save_job(record, self._check_others)
            self._jobs[record.id] = job
            self._queue.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run_all, name="studio-jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return record.id

    def view(self, job_id: str) -> JobView:
        """How it stands with a job.

        Raises:
            InputError: if there is no such job.
        """
        with self._changed:
            return self._view(job_id)

    def follow(self, job_id: str, heartbeat: float | None = None) -> Iterator[JobView]:
        """Yield the job as it is, then at every change, and end with its last state.

        Whoever reads slowly sees the newest state and misses the ones between.

        Args:
            job_id: of the job.
            heartbeat: seconds after which a view is yielded even if nothing changed.

        Raises:
            InputError: if there is no such job.
        """
        seen = None
        while True:
            with self._changed:
                view, seen = self._next(job_id, seen, heartbeat)
            yield view
            if view.ended:
                return

    def wait(self, job_id: str, timeout: float | None = None) -> JobView:
        """Wait until the job has ended, at most `timeout` seconds; returns how it stands then.

        Raises:
            InputError: if there is no such job.
        """
        with self._changed:
            self._wait_for(lambda: self._view(job_id).ended, timeout)
            return self._view(job_id)

    def cancel(self, job_id: str) -> None:
        """Take a job out of the queue, or ask it to stop at its next step. Harmless once it has ended.

        Raises:
            InputError: if there is no such job.
        """
        with self._changed:
            if self._view(job_id).ended:
                return
            job = self._jobs.get(job_id)
            if job is None:
                raise InputError("Another program runs that job. Cancel it there.")
            job.cancelled.set()
            if job in self._queue:
                self._queue.remove(job)
                self._moved_up()
                self._end(job, "cancelled", message="Cancelled before it began.")
            else:
                self._change(job, message="Stopping after this step.")

    def active(self, project_id: str) -> JobView | None:
        """The job that runs for a project, else the first one queued for it, else None.

        Other processes over the same data are asked too.
        """
        with self._changed:
            of_project = [job for job in self._jobs.values() if job.record.project_id == project_id]
            for state in ("running", "queued"):
                for job in of_project:
                    if job.record.state == state:
                        return self._view(job.record.id)
            found = self._of_others(self._store.load_jobs("running", "queued", project_id=project_id))
        first = min(found, key=lambda each: each.state != "running", default=None)
        return None if first is None else JobView(**dict(first))

    def close(self, timeout: float = 30.0) -> None:
        """Stop the running job at its next step, forget the queued ones, end the thread. Safe to call twice.

        What did not end by itself is marked as interrupted.
        """
        with self._changed:
            self._closed = True
            while self._queue:
                self._interrupt(self._queue.popleft())
            for job in self._jobs.values():
                if job.record.state == "running":
                    job.cancelled.set()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        if thread is None or not thread.is_alive():  # else its job goes on until the process ends
            self._owner.close()

    # In the worker thread

    def _run_all(self) -> None:
        while True:
            with self._changed:
                self._wait_for_work()
                if not self._queue:
                    return
                job = self._queue.popleft()
                self._change(job, state="running", started=now())
                self._moved_up()
            job.context.run(self._run, job)

    def _wait_for_work(self) -> None:
        """Wait for the next job, and note meanwhile on a disk that was full how others ended."""
        while not self._changed.wait_for(
            lambda: self._queue or self._closed, _SAVE_EVERY if self._unsaved else None
        ):
            for record in list(self._unsaved.values()):
                with suppress(InputError):
                    self._store.save_job(record)
                    del self._unsaved[record.id]

    def _run(self, job: _Job) -> None:
        kind = job.record.kind
        try:
            job.work(JobHandle(self, job))
        except CancelledError:
            with self._changed:
                if self._closed:
                    self._interrupt(job)
                else:
                    self._end(job, "cancelled", message="Cancelled. What was finished is kept.")
        except BaseException as error:
            if not isinstance(error, InputError):
                _LOG.exception("the job %s (%s) failed", job.record.id, kind)
            with self._changed:
                self._end(job, "failed", error=sentence_of(error))
        else:
            with self._changed:
                record = job.record
                self._end(job, "done", done=record.total or record.done)

    def _report(self, job: _Job, done: int, total: int, message: str) -> None:
        with self._changed:
            if done < job.record.done:
                job.reports.clear()  # another stage has begun
            if not job.reports or done > job.reports[-1][1]:
                job.reports.append((self._clock(), done))
            self._change(job, done=done, total=total, message=message or job.record.message)

    # Under the lock

    def _moved_up(self) -> None:
        for job in self._queue:
            job.version += 1
        self._changed.notify_all()

    def _change(self, job: _Job, **update: Any) -> None:
        """Replace the record and tell everybody; a disk that is full never stops the work itself."""
        said = {name: sayable(value) for name, value in update.items() if isinstance(value, str)}
        job.record = job.record.model_copy(update={**update, **said})
        job.version += 1
        progressed = "state" not in update
        if not progressed or self._clock() - job.saved >= _SAVE_EVERY:
            if progressed:
                job.saved = self._clock()
            try:
                self._store.save_job(job.record)
            except InputError as error:
                _LOG.warning("the state of the job %s is not on the disk: %s", job.record.id, error)
                if job.record.state in ENDED:  # or other programs would see it at work
                    self._unsaved[job.record.id] = job.record
        self._changed.notify_all()

    def _end(self, job: _Job, state: str, **update: Any) -> None:
        job.work, job.context = _nothing, contextvars.Context()  # lets go of what they hold
        self._change(job, state=state, finished=now(), **update)
        ended = [job_id for job_id, other in self._jobs.items() if other.record.state in ENDED]
        for job_id in ended[:-_REMEMBERED]:
            del self._jobs[job_id]

    def _interrupt(self, job: _Job) -> None:
        job.record = _as_interrupted(job.record)
        self._end(job, "interrupted")

    def _next(self, job_id: str, seen: object, heartbeat: float | None) -> tuple[JobView, object]:
        """Wait until the version is not the one seen; the view and its version."""
        self._wait_for(lambda: self._version(job_id) != seen, heartbeat)
        return self._view(job_id), self._version(job_id)

    def _version(self, job_id: str) -> object:
        return self._jobs[job_id].version if job_id in self._jobs else self._stored(job_id)

    def _view(self, job_id: str) -> JobView:
        job = self._jobs.get(job_id)
        if job is None:
            return JobView(**dict(self._stored(job_id)))
        position = self._queue.index(job) + 1 if job in self._queue else 0
        return JobView(**dict(job.record), eta_seconds=self._eta(job), position=position)

    def _stored(self, job_id: str) -> JobRecord:
        """A job of another process, or of one that is gone."""
        record = self._store.load_job(job_id)
        if record is None:
            raise InputError("That job is not known any more. What it finished is in its project.")
        return record if record.state in ENDED or self._owner.alive(record.owner) else _as_interrupted(record)

    def _of_others(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Those that belong to other living processes."""
        return [each for each in records if each.id not in self._jobs and self._owner.alive(each.owner)]

    def _check_others(self, records: Sequence[JobRecord]) -> None:
        if self._of_others(records):
            raise InputError(
                "Another program works on this project. Wait until it is done, or cancel it there."
            )

    def _eta(self, job: _Job) -> float | None:
        if job.record.state != "running" or len(job.reports) < 2:
            return None
        (since, first), (at, last) = job.reports[0], job.reports[-1]
        if last <= first:
            return None
        left = (job.record.total - last) * (at - since) / (last - first)
        return max(0.0, left - (self._clock() - at))

    def _wait_for(self, happened: Callable[[], bool], timeout: float | None) -> None:
        """Wait in short turns, so that Ctrl-C reaches the main thread on every system."""
        end = None if timeout is None else time.monotonic() + timeout
        while not happened():
            left = 0.5 if end is None else min(0.5, end - time.monotonic())
            if left <= 0:
                return
            self._changed.wait(left)

    def _mark_interrupted(self) -> None:
        try:
            for record in self._store.load_jobs("queued", "running"):
                if not self._owner.alive(record.owner):
                    self._store.save_job(_as_interrupted(record))
            self._store.forget_jobs(now() - timedelta(days=KEPT_DAYS))
        except InputError as error:  # a full disk: who asks for such a job is told all the same
            _LOG.warning("jobs that a crash ended are not marked yet: %s", error)


def _nothing(_: JobHandle) -> None:
    """Work that is over."""


def _as_interrupted(record: JobRecord) -> JobRecord:
    far = f" ({record.done} of {record.total} steps)" if record.total else ""
    error = (
        f"The studio was closed while it was working on this: {record.kind}{far}. "
        "What was finished is kept; press the button again to go on."
    )
    if record.state == "queued":
        error = f"The studio was closed before it began with this: {record.kind}. Press the button again."
    return record.model_copy(update={"state": "interrupted", "error": error, "finished": now()})
