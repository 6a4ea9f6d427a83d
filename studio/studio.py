"""All that the page, the command line and the API may call.

- projects are made, listed, renamed, deleted
- a search fills the gallery with candidates, a pick turns one of them into a segment of the film
- the machine alone makes a film from a list of requests
- undo, or restart from any segment: what comes after stays in the tree as a branch of its own
- long work is a job: `job`, `follow`, `wait`, `cancel`

Everything that comes in is checked here, and `InputError` is raised before anything has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from studio import checks, costs
from studio.costs import Cost
from studio.handover import handed_over_film
from studio.making import FirstFrame, Maker
from studio.recorder import LiveView
from studio.retiring import retire_from_now_on
from studio.settings import Settings, read_settings
from studio.timeline import ChunkRequest, Project, media_names, now, undo, with_head, without_ending

if TYPE_CHECKING:
    from models.video_model import ModelCard
    from studio.jobs import JobHandle, JobView
    from studio.store import ProjectSummary
    from studio.workers.contract import Worker


class Studio:
    """The studio. Safe to be called from several threads; `start` it before use and `close` it after.

    Args:
        settings: every option; None reads the environment.
        worker: runs the models; None runs them in this process.
    """

    def __init__(self, settings: Settings | None = None, worker: Worker | None = None) -> None:
        from studio.jobs import Jobs
        from studio.store import Store
        from studio.workers.local import local_worker

        self.settings = settings or read_settings()
        self.worker: Worker = worker or local_worker(self.settings)
        self.store = Store(self.settings.data_dir, self.settings.min_free_mb)
        self.jobs = Jobs(self.store)
        self._submitting, self._closing = threading.Lock(), threading.Event()
        self._maker = Maker(self.store, self.worker)

    def start(self) -> Studio:
        """Take up work: remove what a crash left behind, load the first model, retire old projects."""
        self.store.sweep()
        if self.settings.warm:
            threading.Thread(target=self._warm, name="studio-warm", daemon=True).start()
        if self.settings.keep_days:
            retire_from_now_on(self.store, self.settings.keep_days, self._closing)
        return self

    def close(self) -> None:
        """Cancel what runs, keep what is finished, free the models. Safe to call twice."""
        self._closing.set()
        self.jobs.close()
        self.worker.close()

    def __enter__(self) -> Studio:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def cards(self) -> list[ModelCard]:
        """Every model that can be chosen: where strangers share the studio, those whose weights are here."""
        return checks.offered(self.worker, self.settings)

    def card(self, name: str) -> ModelCard:
        """The card of that name.

        Raises:
            InputError: naming the known models.
        """
        return self.worker.card(name)

    def ready(self, model: str) -> str | None:
        """None if the model is loaded, else a sentence: that it is being loaded, or why it failed."""
        return self.worker.ready(model)

    def load(self, model: str) -> None:
        """Load a model now and wait for it.

        Raises:
            InputError: if the model is not known or a weight file is missing.
        """
        self.worker.load(self.card(model).name)

    def default_request(self, model: str, prompt: str = "") -> ChunkRequest:
        """The request that a model's card suggests.

        Raises:
            InputError: if the model is not known.
        """
        card = self.card(model)
        return ChunkRequest(
            prompt=prompt,
            model=card.name,
            height=card.height,
            width=card.width,
            num_frames=card.num_frames,
            num_inference_steps=card.num_inference_steps,
            guidance_scale=card.guidance_scale,
            negative_prompt=card.negative_prompt,
            preview_steps=card.preview_steps,
        )

    def cost(self, *requests: ChunkRequest, continues: bool = False, guarded: bool = False) -> Cost:
        """What segments will take, from timings measured on this machine; see `costs.film_cost`."""
        made = handed_over_film(requests, self.card, continues=continues)
        at_once = self.settings.at_once
        return costs.film_cost(made, self.store.timing, self.card, guarded=guarded, at_once=at_once)

    def create_project(self, title: str = "", visitor: str = "") -> Project:
        """A new, empty project, of a visitor's where strangers share the studio.

        Raises:
            InputError: if the title is very long.
        """
        project = Project(title=checks.check_title(title)) if title.strip() else Project()
        self.store.save(project, visitor)
        return project

    def projects(self, visitor: str | None = None) -> list[ProjectSummary]:
        """All projects, or all that a visitor began, the one that changed last first."""
        return self.store.list(visitor)

    def project(self, project_id: str) -> Project:
        """The project as it is now: its film, its tree of segments, the gallery that waits for a pick.

        Raises:
            InputError: if there is none of that id.
        """
        return self.store.load(project_id)

    def rename_project(self, project_id: str, title: str) -> Project:
        """The project with another title.

        Raises:
            InputError: if there is no such project, or the title is empty or very long.
        """
        title = checks.check_title(title)
        return self.store.update(
            project_id, lambda project: project.model_copy(update={"title": title, "updated": now()})
        )

    def delete_project(self, project_id: str) -> None:
        """Remove a project and all its media. What still runs for it is cancelled first.

        Raises:
            InputError: if there is no such project, or somebody asks for more of it meanwhile.
        """
        self.store.load(project_id)
        active = self.jobs.active(project_id)
        if active is not None:
            self.jobs.cancel(active.id)
            self.jobs.wait(active.id)
        with self._submitting:  # a job that begins in between would leave files that nobody knows
            project = self._idle(project_id)
            self.store.delete(project_id)
        if project.gallery is not None:
            self.worker.release(project.gallery.id)

    def restore(self, path: Path | str, visitor: str = "") -> Project | None:
        """A new project from a film that was exported, or None if the file is no such film.

        Raises:
            InputError: if the film does not fit the recipe in it.
        """
        from studio.extend import kept_frames
        from studio.restore import restore

        return restore(Path(path), self.store, partial(kept_frames, self.worker), visitor)

    def add_guide(self, project_id: str, path: Path | str) -> str:
        """Take an image, or a video's last frame, to be named as `ChunkRequest.guide` of a first segment.

        Returns:
            Its media name.

        Raises:
            InputError: if there is no such project, or the file is no image, is broken or too large.
        """
        from studio.media import VIDEOS, read_guide, read_last_frame, write_frames_png

        self.store.load(project_id)
        self.store.check_disk()
        at, limit = Path(path), self.settings.max_upload_mb
        image = read_last_frame(at) if at.suffix.lower() in VIDEOS else read_guide(at, limit)
        return self.store.write_media(project_id, ".png", lambda to: write_frames_png(image[None], to))

    def check(self, requests: Sequence[ChunkRequest], *, continues: bool = False) -> list[ChunkRequest]:
        """Check requests for a film that is not begun yet; guide images are not looked for, LoRA files are.

        Args:
            requests: one a segment.
            continues: whether the first one continues a film.

        Returns:
            The requests as they would be made, prompts trimmed.

        Raises:
            InputError: naming what is outside its limits.
        """
        checks.check_length(len(requests))
        made = handed_over_film(requests, self.card, continues=continues)
        checked = [
            checks.check_request(self.card(each.model), each, continues=continues or index > 0)
            for index, each in enumerate(made)
        ]
        checks.check_offered((each.model for each in made), self.cards())
        checks.check_first_frames(self.worker, self.settings, made, continues=continues)
        if loras := [lora for each in made for lora in each.loras]:
            checks.check_loras(loras, self.worker.loras(), self.settings.lora_dir)
        self.store.check_disk()
        return checked

    def search(self, project_id: str, request: ChunkRequest) -> str:
        """Make candidates for the next segment; they reach the project's gallery one by one.

        The first candidate replaces the gallery that was there. With the strategy `naive` there is nothing to
        choose from: the segment is made at once.

        Returns:
            The job's id.

        Raises:
            InputError: if the request cannot be made, or the project is at work already.
        """
        with self._submitting:
            request = self._checked(self._idle(project_id), [request])[0]
            work = partial(self._maker.search, project_id=project_id, request=request)
            return self._submit("search", project_id, work)

    def pick(self, project_id: str, candidate_id: str) -> str:
        """Pay for the full run of one candidate; it becomes the last segment of the film.

        A search that still fills the same gallery is cancelled; a candidate can be picked as soon as it is
        there, and after a restart too.

        Returns:
            The job's id.

        Raises:
            InputError: if the candidate is not in the gallery any more, or the project is at work already.
        """
        checks.check_pick(self.store.load(project_id), candidate_id)
        self.store.check_disk()
        active = self.jobs.active(project_id)
        if active is not None and active.kind == "search":
            self.jobs.cancel(active.id)
            self.jobs.wait(active.id)
        with self._submitting:
            self._idle(project_id)
            work = partial(self._maker.pick, project_id=project_id, candidate_id=candidate_id)
            return self._submit("pick", project_id, work)

    def make(self, project_id: str, requests: Sequence[ChunkRequest]) -> str:
        """The machine alone: search, take the best candidate, continue from its end with the next request.

        Every finished segment stays in the project, whatever happens to those after it.

        Returns:
            The job's id.

        Raises:
            InputError: if one of the requests cannot be made, or the project is at work already.
        """
        with self._submitting:
            checked = self._checked(self._idle(project_id), requests)
            work = partial(self._maker.make, project_id=project_id, requests=checked)
            return self._submit("make", project_id, work)

    def undo(self, project_id: str) -> Project:
        """Take the last segment out of the film; it stays in the tree, and its candidates wait for a pick.

        Raises:
            InputError: if there is nothing to undo, or the project is at work.
        """
        return self._cut(project_id, undo)

    def restart_from(self, project_id: str, segment_id: str | None) -> Project:
        """Let the film end at a segment; what comes after stays in the tree. None empties the film.

        Raises:
            InputError: if the project does not hold that segment, or is at work.
        """
        return self._cut(project_id, lambda project: with_head(project, segment_id))

    def delete_ending(self, project_id: str, segment_id: str) -> Project:
        """Remove one of the other endings, the segments that only led to it, and their media.

        Raises:
            InputError: if the film or another ending needs that segment, or the project is at work.
        """
        with self._submitting:
            before = self._idle(project_id)
            after = self.store.update(project_id, lambda project: without_ending(project, segment_id))
            self.store.remove_media(project_id, media_names(before) - media_names(after))
        return after

    def job(self, job_id: str) -> JobView:
        """How a job stands."""
        return self.jobs.view(job_id)

    def follow(self, job_id: str) -> Iterator[JobView]:
        """A job's view at every change, until it has ended."""
        return self.jobs.follow(job_id)

    def wait(self, job_id: str) -> JobView:
        """A job's view once it has ended."""
        return self.jobs.wait(job_id)

    def cancel(self, job_id: str) -> None:
        """Stop a job after the denoising step it is in. What is finished stays."""
        self.jobs.cancel(job_id)

    def active_job(self, project_id: str) -> JobView | None:
        """The job that runs or waits for a project, or None."""
        return self.jobs.active(project_id)

    def last_job(self, project_id: str) -> JobView | None:
        """The newest job of a project, whatever became of it, or None."""
        newest = self.store.newest_job(project_id)
        return None if newest is None else self.jobs.view(newest.id)

    def live(self, project_id: str) -> LiveView | None:
        """The newest look into the full run that is going on for a project, or None."""
        return self._maker.live(project_id)

    def first_frame(self, project_id: str) -> FirstFrame | None:
        """The guide image that was drawn for a project last, or None."""
        return self._maker.first_frame(project_id)

    def media_path(self, project_id: str, name: str) -> Path:
        """Where a clip, preview, poster or guide lies.

        Raises:
            InputError: if the project holds no such file.
        """
        return self.store.media_path(project_id, name)

    def export(self, project_id: str, kind: str = "mp4", to: Path | None = None) -> Path:
        """The film in a format: `mp4`, `webm`, `gif`, `frames` (a zip of stills), or `otioz` for editors.

        It is made when its segments have changed. With `to` it is written there, and not kept here.

        Raises:
            InputError: if the kind is unknown, the film has no segment yet, or a disk is full.
        """
        from studio.export import export

        return export(self.store.load(project_id), self.store, kind, to)

    def _warm(self) -> None:
        """Load the first model; why that failed is told by `ready` and by the first job."""
        with suppress(Exception):
            self.worker.load(self.settings.model)

    def _cut(self, project_id: str, change: Callable[[Project], Project]) -> Project:
        """A change that takes the gallery away."""
        with self._submitting:  # a job that begins in between would go on from what is cut
            project = self._idle(project_id)
            changed = self.store.update(project_id, change)
        if project.gallery is not None:
            self.worker.release(project.gallery.id)
        return changed

    def _submit(self, kind: str, project_id: str, work: Callable[[JobHandle], None]) -> str:
        """Put work into the queue, if it is this person's turn."""
        checks.check_turn(self.settings, self.store, self.jobs, project_id)
        return self.jobs.submit(kind, project_id, work)

    def _idle(self, project_id: str) -> Project:
        """The project, if nothing runs for it."""
        checks.check_idle(self.jobs, project_id)
        return self.store.load(project_id)

    def _checked(self, project: Project, requests: Sequence[ChunkRequest]) -> list[ChunkRequest]:
        """The requests, if they can be made here and now."""
        checked = self.check(requests, continues=project.head is not None)
        checks.check_images(self.store, project.id, checked)
        return checked
