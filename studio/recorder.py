"""From what a worker yields to what the store keeps."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from studio import costs
from studio.errors import InputError
from studio.extend import Begun, Event, Kept, kept_frames
from studio.search import (
    Decoded,
    Finished,
    Live,
    Rough,
    Step,
    final_passes,
    passes_per_step,
    preview_passes,
)
from studio.store import Store
from studio.timeline import (
    Candidate,
    Frozen,
    Gallery,
    Project,
    Segment,
    with_candidate,
    with_gallery,
    with_head,
    with_segment,
)
from studio.workers.contract import Task, Worker

if TYPE_CHECKING:
    from models.clip import Clip
    from studio.jobs import JobHandle
    from studio.media.video import Quality

_LOG = logging.getLogger(__name__)


class LiveView(Frozen):
    """The newest look into a full run that is going on.

    Attributes:
        clip: media name of the predicted clip.
        seed: of the run.
        step, total: where it stands.
    """

    clip: str
    seed: int
    step: int
    total: int


class Recorder:
    """Follows the events of one job.

    Args:
        store, worker, handle: where things are kept, made and told.
        project_id: whose work it is.
        live: the newest look by project; shared with whoever shows it.
        total: denoising steps of the whole job.
        segments: how many segments the job makes.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        handle: JobHandle,
        project_id: str,
        *,
        live: dict[str, LiveView],
        total: int,
        segments: int = 1,
    ) -> None:
        self._store, self._worker, self._handle = store, worker, handle
        self._project_id, self._live = project_id, live
        self._total, self._segments = total, segments
        self._done, self._index, self._attempt = 0, 0, 0
        self._parent: str | None = None
        self._made: list[str] = []
        self._steps: dict[bool, list[float]] = {}
        self._searching = False
        self.candidates: tuple[Candidate, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the current segment has taken so far."""
        return time.perf_counter() - self._begun

    def begin(
        self, task: Task, parent: str | None, gallery: Gallery | None = None, seconds_before: float = 0.0
    ) -> None:
        """A new segment is begun.

        Args:
            task: what is made.
            parent: the segment it continues, or None.
            gallery: with its candidates, if they are made already.
            seconds_before: how long they took.
        """
        self._begun = time.perf_counter() - seconds_before
        self._task, self._parent = task, parent
        self._searching = gallery is None and task.request.strategy != "naive"
        self._gallery = gallery or Gallery(id=task.key, request=task.request, parent=parent)
        self.candidates = self._gallery.candidates
        card = self._worker.card(task.request.model)
        if self._worker.ready(card.name) is not None:
            self._tell(f"loading {card.title}")
            self._worker.load(card.name, self._tell_or_stop)
        self._tell_or_stop("reading the prompt")

    def follow(self, events: Iterable[Begun | Kept | Event], parent: str | None = None) -> None:
        """Keep everything that comes, until it ends or the job is cancelled.

        Args:
            events: of a worker or of `extend`.
            parent: the segment that the first chunk continues, where the events begin chunks themselves.

        Raises:
            CancelledError: between two denoising steps. What is paid for is kept before: a candidate that is
                done, a chunk whose last step is done.
        """
        for event in events:
            if isinstance(event, (Begun, Live)) or (isinstance(event, Step) and event.done < event.total):
                self._handle.check()
            if isinstance(event, Rough):
                self._keep_candidate(event)
                self._handle.check()
            elif isinstance(event, Begun):
                self._begin_attempt(event, parent)
            elif isinstance(event, Kept):
                parent = self._go_on_from(self._made[event.attempt])
            elif isinstance(event, Step):
                self._step(event)
            elif isinstance(event, Live):
                self._keep_look(event)
            elif isinstance(event, Decoded):
                self._begin_writing(event)
            elif isinstance(event, Finished):
                parent = self._keep_segment(event)
                self._made.append(parent)

    def _begin_attempt(self, begun: Begun, parent: str | None) -> None:
        """Another attempt continues what the first one continued, and comes on top of what was expected."""
        self._index, self._attempt = begun.index, begun.attempt
        if begun.attempt:
            parent = self._parent
            self._total += preview_passes(begun.task.request) + final_passes(begun.task.request)
        else:
            self._made = []
        self.begin(begun.task, parent)

    def _go_on_from(self, segment_id: str) -> str:
        """Let the film end at one of several attempts; the others stay as endings of their own."""
        self._store.update(self._project_id, lambda project: with_head(project, segment_id))
        return segment_id

    def close(self) -> None:
        """Take away what was only there while the job went on, however it ended."""
        self.forget_live()
        with suppress(InputError):  # a full disk, or a project that is gone: the job has told it already
            self._drop_left_over_gallery()

    def _drop_left_over_gallery(self) -> None:
        """Of another attempt that ended without a segment: a pick from it would replace the one before."""

        def without(project: Project) -> Project:
            gallery = project.gallery
            left_over = gallery is not None and gallery.parent != project.head
            return with_gallery(project, None) if left_over else project

        if self._attempt:
            self._store.update(self._project_id, without)

    def forget_live(self) -> None:
        """Take the last look away: the run it belongs to has ended."""
        view = self._live.pop(self._project_id, None)
        if view is not None:
            self._store.remove_media(self._project_id, [view.clip])

    def _step(self, step: Step) -> None:
        self._steps.setdefault(step.together > 1, []).append(step.seconds)
        self._done += 1
        left = step.total - step.done  # more than expected where a suspended run is gone
        self._total = max(self._total, self._done + left)
        asked = self._task.request.candidates if self._searching else 0
        nth = len(self.candidates) + 1
        what = f"candidate {nth} of {asked}" if nth <= asked else "full run"
        self._tell(f"{what}, step {step.done} of {step.total}")

    def _keep_candidate(self, rough: Rough) -> None:
        """Preview clip, then row."""
        candidate = Candidate(
            seed=rough.seed,
            steps=rough.steps,
            preview=self._write_clip(rough.clip, "preview"),
            scores=rough.scores,
            rank=rough.rank,
            problem=rough.problem,
        )
        replaced: list[str] = []

        def add(project: Project) -> Project:
            before = project.gallery
            if before is not None and before.id != self._gallery.id:
                replaced.append(before.id)
            return with_gallery(project, with_candidate(self._filled(), candidate))

        self._store.update(self._project_id, add)
        self.candidates = (*self.candidates, candidate)
        for key in replaced:
            self._worker.release(key)
        self._time("decode", rough.decode_seconds)
        if rough.problem:
            self._tell(f"candidate {len(self.candidates)} could not be judged. {rough.problem}")
        else:
            self._time("judge", rough.judge_seconds)
        self._time_steps()

    def _filled(self) -> Gallery:
        return self._gallery.model_copy(update={"candidates": self.candidates})

    def _keep_look(self, live: Live) -> None:
        """A look into the full run takes the place of the one before, if it can be written."""
        try:
            name = self._write_clip(live.clip, "preview")
            self.forget_live()
        except Exception:  # what is paid for goes on unseen
            _LOG.warning("a look after step %s cannot be shown", live.step, exc_info=True)
            return
        total = self._task.request.num_inference_steps
        self._live[self._project_id] = LiveView(clip=name, seed=live.seed, step=live.step, total=total)

    def _begin_writing(self, decoded: Decoded) -> None:
        """Clip, tail and poster, side by side with the judge, who needs about as long."""
        from studio.media import poster, write_frames_png

        begins = self._parent is None or self._task.request.cut
        clip = decoded.clip if begins else decoded.clip.without_first(decoded.num_guide_frames)
        tail = decoded.clip.tail(kept_frames(self._worker, self._task.request.model))
        write = partial(self._store.write_media, self._project_id)
        pool = ThreadPoolExecutor(1, thread_name_prefix="studio-files")
        self._files = (
            clip,
            pool.submit(self._write_clip, clip),
            pool.submit(write, ".png", lambda path: write_frames_png(tail, path)),
            pool.submit(write, ".jpg", lambda path: poster(clip.frames[len(clip) // 2], path)),
        )
        pool.shutdown(wait=False)

    def _keep_segment(self, finished: Finished) -> str:
        """The row, once its files are on the disk; gives the segment's id."""
        task, (clip, *files) = self._task, self._files
        clip_name, tail_name, poster_name = (file.result() for file in files)
        segment = Segment(
            request=task.request,
            seed=finished.seed,
            revision=self._worker.card(task.request.model).revision,
            parent=self._parent,
            clip=clip_name,
            tail=tail_name,
            poster=poster_name,
            num_frames=len(clip),
            fps=clip.fps,
            height=clip.height,
            width=clip.width,
            scores=finished.scores,
            candidates=tuple(
                each.model_copy(update={"picked": each.seed == finished.seed}) for each in self.candidates
            ),
            seconds_taken=self.seconds,
        )
        self._store.update(self._project_id, lambda project: with_segment(project, segment))
        if self._steps:  # a run that the search has finished already decodes nothing
            self._time("decode", finished.decode_seconds)
        self._time_steps()
        self.forget_live()
        self._tell(f"{clip.seconds:.1f} s finished")
        return segment.id

    def _write_clip(self, clip: Clip, quality: Quality = "full") -> str:
        from studio.media import write_clip

        return self._store.write_media(
            self._project_id, ".mp4", lambda path: write_clip(path, clip.frames, clip.fps, quality)
        )

    def _tell_or_stop(self, what: str) -> None:
        """Report progress, or end here if the job is cancelled: a download goes on for long."""
        self._handle.check()
        self._tell(what)

    def _tell(self, what: str) -> None:
        """Report progress, with the number of the segment where there are several."""
        if self._attempt:
            what = f"attempt {self._attempt + 1}, {what}"
        if self._segments > 1:
            what = f"Chunk {self._index + 1} of {self._segments}: {what}"
        self._handle.report(min(self._done, self._total), self._total, what[:1].upper() + what[1:])

    def _time_steps(self) -> None:
        """Seconds of one network evaluation; a run's first step also encodes and warms up."""
        request = self._task.request
        passes = passes_per_step(request, self._worker.card(request.model).evaluations)
        for together, seconds in self._steps.items():
            what = costs.TOGETHER if together else costs.ALONE
            self._time(what, median(seconds[1:] or seconds) / passes)
        self._steps = {}

    def _time(self, what: str, seconds: float) -> None:
        request = self._task.request
        self._store.record_timing(request.model, costs.key(what, request), seconds)
