"""A chunk that begins a new shot: from its words or an image, where a film goes on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from models.catalog import card
from studio.errors import InputError
from studio.extend import plan
from studio.handover import handed_over_film
from studio.media import read_frames
from studio.timeline import ChunkRequest

POCKET = card("pocket")  # 8 frames a second, chunks of 17 frames of which those that go on repeat 5
CUT = ChunkRequest(prompt="", cut=True)


def frames_of(studio, project, segment) -> np.ndarray:
    return np.stack(list(read_frames(studio.media_path(project.id, segment.clip))))


def made(studio, *requests, project_id=None):
    project_id = project_id or studio.create_project("shots").id
    job = studio.wait(studio.make(project_id, requests))
    assert job.state == "done", job.error
    return studio.project(project_id)


def test_every_prompt_of_a_film_begins_a_shot():
    assert [each.cut for each in plan(CUT, ["a", "b"], POCKET)] == [False, True]
    assert [each.cut for each in plan(CUT, ["a", "a"], POCKET, seconds=5)] == [False, False, True]
    assert [each.cut for each in plan(CUT, ["a", "b"], POCKET, continues=True)] == [True, True]


@pytest.mark.parametrize(("seconds", "chunks"), [(17 / 8 + 0.1, 2), (34 / 8, 2), (35 / 8, 3), (46 / 8, 3)])
def test_a_shot_adds_all_its_frames_to_the_length(seconds, chunks):
    assert len(plan(CUT, ["a", "b"], POCKET, seconds=seconds)) == chunks


def test_a_length_too_short_for_its_shots_says_which_would_do():
    with pytest.raises(InputError, match="at least 5 seconds"):
        plan(CUT, ["a", "b", "c"], POCKET, seconds=2)
    assert len(plan(CUT, ["a", "b", "c"], POCKET, seconds=5)) == 3


def test_a_shot_is_what_a_film_of_its_own_would_begin_with(studio, request_):
    shot = request_.model_copy(update={"prompt": "a boat", "seed": 20, "cut": True})
    project = made(studio, request_, shot)
    first, second = project.branch()
    alone = made(studio, shot)
    assert second.parent == first.id
    assert second.num_frames == request_.num_frames
    np.testing.assert_array_equal(
        frames_of(studio, project, second), frames_of(studio, alone, alone.branch()[0])
    )


def test_what_follows_a_shot_goes_on_from_it(studio, request_, monkeypatch):
    told, finish = [], studio.worker.finish
    monkeypatch.setattr(
        studio.worker, "finish", lambda task, seed: told.append(task.continues) or finish(task, seed)
    )
    shot = request_.model_copy(update={"cut": True})
    made(studio, request_, request_, shot, request_)
    assert told == [False, True, False, True]


def test_candidates_of_a_shot_are_searched_and_picked(studio, request_):
    project = made(studio, request_)
    shot = request_.model_copy(update={"cut": True})
    studio.wait(studio.search(project.id, shot))
    best = studio.project(project.id).gallery.ranked()[0]
    studio.wait(studio.pick(project.id, best.id))
    film = studio.project(project.id).branch()
    assert [each.num_frames for each in film] == [request_.num_frames] * 2


def test_an_image_begins_a_shot_but_not_a_chunk_that_goes_on(studio, request_, tmp_path):
    Image.new("RGB", (64, 64), (250, 250, 250)).save(tmp_path / "white.png")
    project = made(studio, request_)
    name = studio.add_guide(project.id, tmp_path / "white.png")
    guided = request_.model_copy(update={"guide": name})
    with pytest.raises(InputError, match="cut to a new shot"):
        studio.make(project.id, [guided])
    project = made(studio, guided.model_copy(update={"cut": True}), project_id=project.id)
    assert len(project.branch()) == 2
    assert project.branch()[-1].num_frames == request_.num_frames


def test_a_shot_stays_with_the_model_that_knows_words_alone():
    words = ChunkRequest(prompt="a fox", model="animatediff")
    film = [words, words, words.model_copy(update={"cut": True})]
    assert [each.model for each in handed_over_film(film, card, continues=False)] == [
        "animatediff",
        card("animatediff").partner,
        "animatediff",
    ]
