"""Records that only the store gives: a line of the list of projects, and the stored state of a job."""

from datetime import datetime

from studio.timeline import Frozen


class ProjectSummary(Frozen):
    """One line of the list of projects.

    Attributes:
        seconds: length of the film; num_segments: segments in the film.
        poster: media name of a still of its first chunk, or None while there is no film.
        updated: UTC.
    """

    id: str
    title: str
    seconds: float
    num_segments: int
    poster: str | None
    updated: datetime


class JobRecord(Frozen):
    """What outlives the process about one piece of long work; `studio.jobs` adds what does not.

    Attributes:
        kind: what is done, in words that fit into a sentence, e.g. `search`.
        state: queued, running, done, failed, cancelled or interrupted.
        done, total: progress in steps; total is 0 while it is not known.
        message: what happens right now, or happened last.
        error: a sentence for the person; empty unless it failed or was interrupted.
        owner: name of who runs it; see `Owner`.
        created, started, finished: UTC.
    """

    id: str
    kind: str
    project_id: str | None = None
    state: str = "queued"
    done: int = 0
    total: int = 0
    message: str = ""
    error: str = ""
    owner: str = ""
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
