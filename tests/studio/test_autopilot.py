"""A film without a person in between, and the guard that has a chunk made again when it drifts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from models.catalog import card
from studio import extend
from studio.autopilot import film, scenes
from studio.extend import RETRIES, Begun, Kept, drifted
from studio.search import Finished, Rough
from studio.studio import Studio
from studio.timeline import ChunkRequest, Project, media_names


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a fox runs", ["a fox runs"]),
        ("a fox runs\n\n  it jumps  \n", ["a fox runs", "it jumps"]),
        (" \n", [""]),
    ],
)
def test_every_line_is_a_scene(text: str, prompts: list[str]) -> None:
    assert scenes(text) == prompts


def test_a_film_has_its_length_and_all_its_prompts() -> None:
    requests = film(ChunkRequest(prompt=""), ["a", "b"], card, seconds=8)
    assert [request.prompt for request in requests] == ["a", "a", "a", "b", "b"]


def made(likeness: float | None, num_guide_frames: int = 5) -> Finished:
    scores = {} if likeness is None else {"guide": likeness}
    return Finished(0, None, num_guide_frames, scores)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("finished", "answer"),
    [(made(0.6), True), (made(0.8), False), (made(None), False), (made(0.2, num_guide_frames=0), False)],
)
def test_a_chunk_has_drifted_if_it_keeps_too_little_to_its_guide_frame(
    finished: Finished, answer: bool
) -> None:
    assert drifted(ChunkRequest(prompt="", least_likeness=0.7), finished) is answer


def test_without_a_guard_nothing_has_drifted() -> None:
    assert not drifted(ChunkRequest(prompt=""), made(-1))


def run(studio: Studio, first: ChunkRequest, chunks: int = 2) -> Project:
    """A film of so many chunks, made by the autopilot."""
    requests = [first.model_copy(update={"seed": first.seed + 10 * index}) for index in range(chunks)]
    project = studio.create_project("fox")
    view = studio.wait(studio.make(project.id, requests))
    assert view.state == "done", view.error
    assert view.done == view.total
    return studio.project(project.id)


def test_a_chunk_that_drifts_is_made_again_and_the_best_attempt_goes_on(
    studio: Studio, request_: ChunkRequest
) -> None:
    project = run(studio, request_.model_copy(update={"least_likeness": 1.0}), chunks=3)
    branch = project.branch()
    assert len(branch) == 3
    assert len(project.segments) == 1 + 2 * (1 + RETRIES)  # the first chunk has no guide to drift from
    for kept in branch[1:]:
        attempts = [each for each in project.segments.values() if each.parent == kept.parent]
        assert len({each.seed for each in attempts}) == len(attempts) == 1 + RETRIES
        assert kept.scores["guide"] == max(each.scores["guide"] for each in attempts)


def test_an_attempt_that_could_not_be_judged_does_not_beat_one_that_was(
    studio: Studio, request_: ChunkRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = studio.worker.finish

    def finish_unjudged(task: Any, seed: int) -> Iterator[Any]:
        again = task.request.seed >= extend.SEEDS_APART
        for event in finish(task, seed):
            yield replace(event, scores={}) if again and isinstance(event, Finished) else event

    monkeypatch.setattr(studio.worker, "finish", finish_unjudged)
    project = run(studio, request_.model_copy(update={"least_likeness": 1.0, "strategy": "naive"}))
    assert len(project.segments) == 3  # an attempt that nobody measured is not made again
    assert "guide" in project.branch()[-1].scores


def test_a_chunk_that_keeps_to_its_guide_is_made_once(studio: Studio, request_: ChunkRequest) -> None:
    project = run(studio, request_.model_copy(update={"least_likeness": 0.001}))
    assert len(project.segments) == 2


def test_one_candidate_that_a_person_asks_for_is_made_once_however_it_drifts(
    studio: Studio, request_: ChunkRequest
) -> None:
    project = run(studio, request_, chunks=1)
    one = request_.model_copy(update={"strategy": "naive", "least_likeness": 1.0})
    view = studio.wait(studio.search(project.id, one))
    assert (view.state, view.done) == ("done", one.num_inference_steps)
    project = studio.project(project.id)
    assert len(project.segments) == 2
    assert [tip.request for tip in project.tips()] == [one]  # the guard is on for the film that goes on


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_the_best_attempt_stays_the_end_of_the_film_if_the_next_one_is_broken_off(
    studio: Studio, request_: ChunkRequest, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    likeness = iter([0.9, 0.8, 0.7])
    monkeypatch.setattr(
        extend, "_likeness", cache(lambda made: 0.9 if made.num_guide_frames == 0 else next(likeness))
    )
    project, searched = studio.create_project("fox"), studio.worker.search

    def search(task: Any) -> Iterator[Any]:
        for event in searched(task):
            yield event
            if len(studio.project(project.id).segments) == 3 and isinstance(event, Rough):
                if how == "failed":
                    raise RuntimeError("the network fell over")
                studio.cancel(job)

    monkeypatch.setattr(studio.worker, "search", search)
    job = studio.make(project.id, [request_, request_.model_copy(update={"least_likeness": 1.0})])
    assert studio.wait(job).state == how
    left = studio.project(project.id)
    first, second = [each for each in left.segments.values() if each.parent is not None]
    assert left.head == first.id
    assert first.parent == second.parent
    assert left.gallery is None
    stored = {path.name for path in studio.store.media_dir(project.id).iterdir()}
    assert stored == media_names(left)


def test_an_attempt_says_which_one_it_is(
    studio: Studio, request_: ChunkRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    report = studio.jobs._report
    monkeypatch.setattr(
        studio.jobs,
        "_report",
        lambda job, done, total, message="": (said.append(message), report(job, done, total, message)),
    )
    run(studio, request_.model_copy(update={"least_likeness": 1.0, "strategy": "naive"}))
    assert any(message.startswith("Chunk 2 of 2: attempt 2, full run") for message in said)


def test_the_next_chunk_begins_where_the_kept_attempt_ends(studio: Studio, request_: ChunkRequest) -> None:
    first = request_.model_copy(update={"least_likeness": 1.0, "strategy": "naive"})
    requests = [first, first, first]
    guides: list[Any] = []
    ends: dict[tuple[int, int], Any] = {}
    kept: dict[int, int] = {}
    at = (0, 0)
    events: Iterator[Any] = extend.extend(studio.worker, requests, None)
    for event in events:
        if isinstance(event, Begun):
            at = event.index, event.attempt
            guides.append((at, event.task.guide))
        elif isinstance(event, Finished):
            ends[at] = event.clip.frames[-1]
        elif isinstance(event, Kept):
            kept[event.index] = event.attempt
    for (index, _), guide in guides:
        if index:
            assert (guide[-1] == ends[index - 1, kept.get(index - 1, 0)]).all()
