"""One look at the studio: what a page that stands at some project has to show now. No Gradio in here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from studio.errors import InputError
from studio.studio import Studio
from studio.timeline import Gallery, Project

if TYPE_CHECKING:
    from studio.jobs import JobView
    from studio.making import FirstFrame, LiveView

Where = dict[str, Any]
"""What a browser holds: the open `project`, its `head`, the `job` under way, how many candidates are
`expected`, which one was `picked`, `stamps` of what it has drawn, and the `turn`, which counts what the
person did, so that an answer that comes late is told from the newest; `moved` says that the person goes
there from another place or from none, `begun` that the project began with what the inputs held, as it was not
`opened`. A `visit` is one page from its loading on, a `visitor` one browser;
`arrived` says that it has just been loaded; `settled` is the project whose settings the inputs took over,
`left` what the prompt box keeps when a chunk is done.
For one look only it may say in which format to `save` the film. It comes back with every event and is not
trusted."""


@dataclass(frozen=True)
class Look:
    """What the studio says about one project at one moment.

    Attributes:
        studio: asked for the media's places.
        where: what the browser shall hold from now on.
        project, job, live: as `Studio` gives them; None where there is none.
        first_frame: the guide image that was drawn for a film that has not begun, or None.
        film: address of the film, or None.
        saved: address of the film in the format that was asked for just now, or None.
        asked: the turn at which it was asked for, as the same file may be saved twice.
        trouble: a sentence about work that failed since the last look; empty if none did.
    """

    studio: Studio
    where: Where = field(default_factory=dict)
    project: Project | None = None
    job: JobView | None = None
    live: LiveView | None = None
    first_frame: FirstFrame | None = None
    film: str | None = None
    saved: str | None = None
    asked: int = 0
    trouble: str = ""

    def url(self, name: str) -> str:
        """Address of a media file of the open project."""
        return media_url(self.studio, self.project.id, name) if self.project else ""

    @property
    def gallery(self) -> Gallery | None:
        """The gallery that belongs to what is being done; not the one that a new search will replace."""
        gallery = self.project.gallery if self.project else None
        if gallery is None or self.job is None or self.job.kind == "pick" or self.job.started is None:
            return gallery
        return gallery if gallery.created >= self.job.started else None


def look(studio: Studio, where: Where) -> Look:
    """Ask the studio about the project that a browser stands at.

    Raises:
        InputError: if the project is no longer there.
    """
    project_id = str(where.get("project") or "")
    if not project_id:
        return Look(studio)
    job = studio.active_job(project_id)
    project = studio.project(project_id)
    job_id = job.id if job else ""
    now = {
        "project": project_id,
        "head": project.head or "",
        "job": job_id,
        "expected": where.get("expected", 0) if job else 0,
        "picked": where.get("picked", "") if job else "",
    }
    live = studio.live(project_id) if job else None
    first = None if project.head else studio.first_frame(project_id)
    film, saved, asked, trouble = None, None, 0, trouble_of(studio, str(where.get("job") or ""), job_id)
    try:
        film = file_url(studio.export(project_id)) if project.head else None
        if kind := str(where.get("save") or ""):
            saved, asked = file_url(studio.export(project_id, kind)), int(where.get("turn") or 0)
    except InputError as problem:
        trouble = trouble or str(problem)
    return Look(studio, now, project, job, live, first, film, saved, asked, trouble)


def elsewhere(where: Where, project_id: str = "") -> Where:
    """What a browser holds that goes to another project, or to none."""
    kept = {name: where.get(name) for name in ("visit", "visitor", "turn")}
    return {"project": project_id, "opened": True, **kept}


def trouble_of(studio: Studio, job_before: str, job_now: str) -> str:
    """Why the job that the browser was waiting for ended without a result, if it did."""
    if not job_before or job_before == job_now:
        return ""
    try:
        ended = studio.job(job_before)
    except InputError:
        return ""
    return ended.error or "" if ended.state in ("failed", "interrupted") else ""


def interruption(studio: Studio, project_id: str) -> str:
    """What to tell somebody who comes back to a project whose last work failed, or ended with the studio."""
    last = studio.last_job(project_id) if project_id else None
    return (last.error or "") if last is not None and last.state in ("failed", "interrupted") else ""


def file_url(path: Path) -> str:
    """Address of a file, relative to the page."""
    return "gradio_api/file=" + quote(str(path.resolve()))


def media_url(studio: Studio, project_id: str, name: str) -> str:
    """Address of a media file; empty if it is gone."""
    try:
        return file_url(studio.media_path(project_id, name))
    except InputError:
        return ""


def stamp(value: Any) -> str:
    """A short name of what a panel shows, to tell whether it has changed."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
