"""What the jobs do: drive a worker, and put what comes out of it into the store.

A candidate is written as preview clip, then row. A segment is written as clip, then its lossless tail, then a
poster, then the row, and only then the job is told: a crash leaves either nothing or a finished segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from studio.checks import draws_first_frame
from studio.errors import InputError
from studio.extend import RETRIES, extend, guide_for
from studio.recorder import LiveView, Recorder
from studio.search import final_passes, preview_passes
from studio.store import Store
from studio.timeline import ChunkRequest, Project, new_id
from studio.workers.contract import Task, Worker

if TYPE_CHECKING:
    from models.clip import Frames
    from studio.jobs import JobHandle


class FirstFrame(NamedTuple):
    """A guide image that was drawn for a project.

    Attributes:
        name: of the media file.
        prompt: that it was drawn from.
    """

    name: str
    prompt: str


class Maker:
    """The bodies of the jobs.

    Args:
        store: where everything goes.
        worker: where runs live.
    """

    def __init__(self, store: Store, worker: Worker) -> None:
        self._store, self._worker = store, worker
        self._live: dict[str, LiveView] = {}
        self._search_seconds: dict[str, float] = {}
        self._first_frames: dict[str, FirstFrame] = {}

    def live(self, project_id: str) -> LiveView | None:
        """The newest look into the full run that is going on for a project, or None."""
        return self._live.get(project_id)

    def first_frame(self, project_id: str) -> FirstFrame | None:
        """The guide image that was drawn for a project last, or None; it may have gone with an ending."""
        try:
            drawn = self._first_frames.get(project_id) or self._drawn_before(project_id)
            if drawn is not None:
                self._store.media_path(project_id, drawn.name)
        except InputError:
            return None
        return drawn

    def _drawn_before(self, project_id: str) -> FirstFrame | None:
        """The one that the candidates began with that wait for a pick: another process may have drawn it."""
        gallery = self._store.load(project_id).gallery
        if gallery is None or gallery.request.guide is None or gallery.request.guide_prompt is None:
            return None
        return FirstFrame(gallery.request.guide, gallery.request.guide_prompt)

    def search(self, handle: JobHandle, project_id: str, request: ChunkRequest) -> None:
        """Fill the gallery of a project; with the strategy `naive` make the segment at once."""
        if request.strategy == "naive":
            return self.make(handle, project_id, [request], retries=0)  # one is what was asked and told
        project = self._store.load(project_id)
        request = self._begun(handle, project, request)
        task = self._task(new_id(), project, request, project.head)
        recorder = self._recorder(handle, project_id, total=preview_passes(request))
        recorder.begin(task, project.head)
        try:
            with closing(self._worker.search(task)) as events:
                recorder.follow(events)
        finally:
            self._search_seconds[task.key] = recorder.seconds
            if not recorder.candidates:
                self._worker.release(task.key)
        return None

    def pick(self, handle: JobHandle, project_id: str, candidate_id: str) -> None:
        """Finish one candidate of the gallery; it becomes the last segment of the film."""
        project = self._store.load(project_id)
        gallery = project.gallery
        if gallery is None:
            raise InputError("The gallery is empty. Search for candidates first, then pick one.")
        request, seed = gallery.request, gallery.candidate(candidate_id).seed
        task = self._task(gallery.id, project, request, gallery.parent)
        recorder = self._recorder(handle, project_id, total=max(1, final_passes(request)))
        recorder.begin(task, gallery.parent, gallery, self._search_seconds.get(gallery.id, 0.0))
        try:
            with closing(self._worker.finish(task, seed)) as events:
                recorder.follow(events)
            self._worker.release(gallery.id)
        finally:
            recorder.forget_live()

    def make(
        self, handle: JobHandle, project_id: str, requests: Sequence[ChunkRequest], retries: int = RETRIES
    ) -> None:
        """The autopilot: one segment a request, each continuing the one before, made again if it drifts."""
        project = self._store.load(project_id)
        requests = [self._begun(handle, project, requests[0]), *requests[1:]]
        steps = sum(preview_passes(request) + final_passes(request) for request in requests)

        def begin(request: ChunkRequest) -> tuple[ChunkRequest, Frames | None]:
            request = self._begun(handle, project, request)
            return request, self._end(project, request, None)

        recorder = self._recorder(handle, project_id, total=steps, segments=len(requests))
        try:
            with closing(
                extend(
                    self._worker,
                    requests,
                    self._end(project, requests[0], project.head),
                    self._last_image(project, requests[-1]),
                    continues=project.head is not None,
                    begin=begin,
                    retries=retries,
                )
            ) as events:
                recorder.follow(events, parent=project.head)
        finally:
            recorder.close()

    def _begun(self, handle: JobHandle, project: Project, request: ChunkRequest) -> ChunkRequest:
        """The request with a guide image drawn from its prompt, if its model needs one and there is none.

        So begins the film of an image-to-video model in Zhang & Lim, section 4.1.
        """
        from studio.media import write_frames_png

        card, known = self._worker.card(request.model), self.first_frame(project.id)
        if known is not None and request.guide == known.name:
            return request.model_copy(update={"guide_prompt": known.prompt})
        if not draws_first_frame(card, request, continues=project.head is not None):
            return request

        def tell(what: str) -> None:
            handle.check()
            handle.report(0, 1, what[:1].upper() + what[1:])

        tell("drawing the first frame")
        try:
            picture = self._worker.draw(
                card.name,
                request.prompt,
                request.seed,
                negative_prompt=request.negative_prompt,
                size=(request.height, request.width),
                tell=tell,
            )
        except InputError as problem:
            raise InputError(f"{problem} Or start from an image of your own.") from problem
        name = self._store.write_media(project.id, ".png", lambda to: write_frames_png(picture[None], to))
        self._first_frames[project.id] = FirstFrame(name, request.prompt)
        return request.model_copy(update={"guide": name, "guide_prompt": request.prompt})

    def _task(self, key: str, project: Project, request: ChunkRequest, parent: str | None) -> Task:
        """What a chunk that continues `parent` is made from."""
        guide = guide_for(request, self._worker, self._end(project, request, parent))
        last_image = self._last_image(project, request)
        return Task(key, request, guide, last_image, continues=parent is not None and not request.cut)

    def _last_image(self, project: Project, request: ChunkRequest) -> Frames | None:
        """`[H, W, 3]` uint8: the picture that a chunk is led to, or None."""
        from studio.media import read_frames_png

        name = request.last_image
        return None if name is None else read_frames_png(self._store.media_path(project.id, name))[0]

    def _end(self, project: Project, request: ChunkRequest, parent: str | None) -> Frames | None:
        """`[n, H, W, 3]` uint8: the end of the parent, or where a shot begins its guide image, or None."""
        from studio.media import read_frames_png

        name = request.guide if parent is None or request.cut else project.segment(parent).tail
        return None if name is None else read_frames_png(self._store.media_path(project.id, name))

    def _recorder(self, handle: JobHandle, project_id: str, *, total: int, segments: int = 1) -> Recorder:
        return Recorder(
            self._store, self._worker, handle, project_id, live=self._live, total=total, segments=segments
        )
