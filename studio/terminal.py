"""How work looks in a terminal: a bar, the candidates as they come, the chunks as they are finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from studio import costs
from studio.sentences import score_name
from studio.timeline import Candidate, Segment

if TYPE_CHECKING:
    from studio.jobs import JobView
    from studio.studio import Studio

_LOOK_EVERY = 1.0  # seconds between two looks into the project


def watch(studio: Studio, job_id: str, project_id: str, console: Console) -> JobView:
    """Show a job until it has ended. Ctrl-C cancels it; what was finished stays in the project.

    Args:
        studio: started.
        job_id: to be shown.
        project_id: whose candidates and segments are told as they come.
        console: where to.

    Returns:
        The job's last view.
    """
    news = News(studio, project_id)
    with _bar(console) as progress:
        task = progress.add_task("Waiting", total=None, eta="")
        try:
            for view in studio.follow(job_id):
                for line in news.now_and_then():
                    progress.console.print(line, highlight=False, markup=False)
                eta = "" if view.eta_seconds is None else f"{costs.in_words(view.eta_seconds)} left"
                progress.update(
                    task, description=view.message, completed=view.done, total=view.total or None, eta=eta
                )
        except KeyboardInterrupt:
            progress.update(task, description="Stopping after this step", eta="")
            studio.cancel(job_id)
        view = studio.wait(job_id)
        for line in news.lines():
            progress.console.print(line, highlight=False, markup=False)
    return view


def candidate_line(candidate: Candidate, number: int) -> str:
    """One candidate with its scores, e.g. `candidate 2  seed 5  likeness 0.912  motion 0.034`."""
    begins = f"  candidate {number}  seed {candidate.seed}"
    if candidate.problem:
        return f"{begins}  could not be judged. {candidate.problem}"
    scores = "  ".join(f"{score_name(name)} {value:.3f}" for name, value in sorted(candidate.scores.items()))
    return f"{begins}  rank {candidate.rank:.3f}  {scores}"


def segment_line(segment: Segment, number: int, attempt: int = 1) -> str:
    """One finished chunk, e.g. `chunk 2  1.5 s  seed 5  likeness 0.912  made in 9 s  the fox jumps`.

    Args:
        segment: the chunk.
        number: its place in the film.
        attempt: of the drift guard, from 1.
    """
    made = costs.in_words(segment.seconds_taken)
    likeness = f"{score_name('guide')} {segment.scores['guide']:.3f}  " if "guide" in segment.scores else ""
    prompt = segment.request.prompt
    nth = f"chunk {number}" if attempt == 1 else f"chunk {number}, attempt {attempt}"
    return f"{nth}  {segment.seconds:.1f} s  seed {segment.seed}  {likeness}made in {made}  {prompt}"


class News:
    """What a project holds that has not been told yet.

    Args:
        studio, project_id: whose news.
        clock: seconds; only differences count.
    """

    def __init__(self, studio: Studio, project_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._studio, self._project_id = studio, project_id
        self._clock, self._looked = clock, float("-inf")
        project = studio.project(project_id)
        self._before = frozenset(project.segments)
        self._told = set(self._before)
        if project.gallery is not None:
            self._told |= {candidate.id for candidate in project.gallery.candidates}

    def now_and_then(self) -> list[str]:
        """The lines, or none if somebody looked just before: a long film takes its time to be read."""
        return self.lines() if self._clock() - self._looked >= _LOOK_EVERY else []

    def lines(self) -> list[str]:
        """A line for each candidate and chunk that is new, attempts that lose to a better one included."""
        self._looked = self._clock()
        project = self._studio.project(self._project_id)
        lines: list[str] = []
        made = [segment for segment in project.segments.values() if segment.id not in self._before]
        for segment in made:
            if segment.id not in self._told:
                lines += self._candidates(segment.candidates)
                attempts = [each.id for each in made if each.parent == segment.parent]
                number, attempt = len(project.branch(segment.id)), 1 + attempts.index(segment.id)
                lines.append(segment_line(segment, number, attempt))
                self._told.add(segment.id)
        if project.gallery is not None:
            lines += self._candidates(project.gallery.candidates)
        return lines

    def _candidates(self, candidates: tuple[Candidate, ...]) -> list[str]:
        lines = []
        for number, candidate in enumerate(candidates, 1):
            if candidate.id not in self._told:
                lines.append(candidate_line(candidate, number))
                self._told.add(candidate.id)
        return lines


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[eta]}"),
        console=console,
        transient=True,
    )
