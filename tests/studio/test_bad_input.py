"""What cannot be done is said in a sentence, before anything has changed."""

from __future__ import annotations

import threading
from collections import namedtuple

import pytest

from models.catalog import card
from studio import checks
from studio.errors import InputError
from studio.studio import Studio
from studio.timeline import LoraChoice
from tests.studio.test_studio import made, searched

BAD = {
    "empty prompt": ({"prompt": "   "}, "prompt is empty"),
    "enormous prompt": ({"prompt": "fox " * 5000}, "takes at most"),
    "enormous negative prompt": ({"negative_prompt": "fox " * 5000}, "takes at most"),
    "half a character": ({"prompt": "a \ud83d fox"}, "no character"),
    "half a character to keep away from": (
        {"negative_prompt": "\ud83d", "guidance_scale": 4.0},
        "no character",
    ),
    "k above the steps": ({"preview_steps": 5}, "Lower k"),
    "k of zero": ({"preview_steps": 0}, "preview takes"),
    "no steps": ({"num_inference_steps": 0}, "steps"),
    "too many steps": ({"num_inference_steps": 10_000}, "steps"),
    "no candidates": ({"candidates": 0}, "1 to 32 candidates"),
    "too many candidates": ({"candidates": 33}, "1 to 32 candidates"),
    "illegal size": ({"width": 65}, "multiples of 64"),
    "enormous size": ({"height": 64 * 1000}, "at most"),
    "negative size": ({"height": -64}, "multiples of 64"),
    "illegal number of frames": ({"num_frames": 10}, "Try 9 or 13"),
    "too many frames": ({"num_frames": 4001}, "at most"),
    "negative seed": ({"seed": -1}, "whole number from 0"),
    "huge seed": ({"seed": 2**70}, "whole number from 0"),
    "no guidance": ({"guidance_scale": 0.5}, "guidance"),
    "guidance that is no number": ({"guidance_scale": float("nan")}, "guidance"),
    "missing guide": ({"guide": "0" * 32 + ".png"}, "Upload it again"),
    "guide from another place": ({"guide": "../../../etc/passwd"}, "Upload it again"),
    "missing last image": ({"last_image": "0" * 32 + ".png"}, "needs a first one"),
    "unknown model": ({"model": "sora"}, "Try pocket"),
}


@pytest.mark.parametrize("verb", ["search", "make"])
@pytest.mark.parametrize("bad", sorted(BAD))
def test_a_request_that_cannot_be_made_changes_nothing(studio: Studio, request_, bad, verb):
    choice, sentence = BAD[bad]
    project = studio.create_project("A film")
    request = request_.model_copy(update=choice)
    with pytest.raises(InputError, match=sentence):
        studio.search(project.id, request) if verb == "search" else studio.make(project.id, [request])
    assert studio.project(project.id) == project
    assert studio.active_job(project.id) is None
    assert not studio.store.media_dir(project.id).exists()


def test_one_bad_request_among_good_ones_stops_the_film_before_it_begins(studio, request_):
    project = studio.create_project()
    with pytest.raises(InputError, match="takes at most"):
        studio.make(project.id, [request_, request_.model_copy(update={"prompt": "fox " * 5000})])
    assert studio.project(project.id) == project


@pytest.mark.parametrize(
    ("continues", "guide", "too_few", "enough"), [(True, None, 9, 13), (False, "0" * 32 + ".png", 5, 9)]
)
def test_between_what_is_given_and_the_last_image_something_is_left_to_be_made(
    request_, continues, guide, too_few, enough
):
    led = request_.model_copy(
        update={"height": 256, "width": 256, "guide": guide, "last_image": "1" * 32 + ".png"}
    )
    with pytest.raises(InputError, match=r"between what is given and the last image\. Try 17"):
        checks.check_request(
            card("pocket"), led.model_copy(update={"num_frames": too_few}), continues=continues
        )
    checks.check_request(card("pocket"), led.model_copy(update={"num_frames": enough}), continues=continues)


def test_a_full_disk_is_told_before_any_work(studio, request_, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(2**30, 2**30, 0))
    project = studio.create_project()
    with pytest.raises(InputError, match="disk is nearly full"):
        studio.search(project.id, request_)


def test_a_missing_weight_file_is_named(settings, request_, tmp_path):
    settings = settings.model_copy(update={"sources": {"pocket": str(tmp_path / "nowhere")}})
    with Studio(settings) as studio:
        project = studio.create_project()
        with pytest.raises(InputError, match="nowhere"):
            studio.load("pocket")
        view = studio.wait(studio.search(project.id, request_))
        assert view.state == "failed"
        assert "nowhere" in view.error
        assert "nowhere" in studio.ready("pocket")
        assert studio.project(project.id) == project


def test_a_guide_is_for_where_a_shot_begins(studio, request_, tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "guide.png")
    project = made(studio, request_)
    guide = studio.add_guide(project.id, tmp_path / "guide.png")
    with pytest.raises(InputError, match="begins a film or a new shot"):
        studio.search(project.id, request_.model_copy(update={"guide": guide}))


def test_a_chunk_that_would_repeat_the_film_only_is_refused(studio, request_):
    project = made(studio, request_)
    with pytest.raises(InputError, match="nothing new"):
        studio.search(project.id, request_.model_copy(update={"num_frames": 5}))


def test_a_guide_that_is_no_image_is_refused(studio, tmp_path):
    (tmp_path / "guide.png").write_text("not a picture")
    project = studio.create_project()
    with pytest.raises(InputError):
        studio.add_guide(project.id, tmp_path / "guide.png")
    assert studio.project(project.id) == project


def test_a_candidate_that_is_gone_cannot_be_picked(studio, request_):
    empty = studio.create_project()
    with pytest.raises(InputError, match="gallery is empty"):
        studio.pick(empty.id, "nothing")
    project = searched(studio, request_)
    with pytest.raises(InputError, match="no longer in the gallery"):
        studio.pick(project.id, "nothing")


@pytest.mark.parametrize("title", ["  ", "x" * 1000, "a title \ud83d"])
def test_a_title_is_a_few_words(studio, title):
    project = studio.create_project("A film")
    with pytest.raises(InputError, match="title "):
        studio.rename_project(project.id, title)
    assert studio.project(project.id).title == "A film"


def test_a_film_without_segments_cannot_be_exported(studio):
    with pytest.raises(InputError, match="There is no film yet"):
        studio.export(studio.create_project().id)


def test_undo_of_nothing_is_told(studio):
    with pytest.raises(InputError, match="nothing to undo"):
        studio.undo(studio.create_project().id)


@pytest.mark.parametrize("number", [0, 501])
def test_a_film_has_a_number_of_segments(studio, request_, number):
    with pytest.raises(InputError, match="1 to 500 chunks"):
        studio.make(studio.create_project().id, [request_] * number)


def test_no_project_of_that_id(studio, request_):
    for verb in (
        lambda: studio.project("f" * 32),
        lambda: studio.search("f" * 32, request_),
        lambda: studio.delete_project("../.."),
        lambda: studio.media_path("../..", "studio.db"),
    ):
        with pytest.raises(InputError):
            verb()


@pytest.mark.parametrize(
    ("text", "name", "weight"),
    [("style", "style", 1.0), ("style:0.8", "style", 0.8), ("a/b: -1", "a/b", -1.0)],
)
def test_a_lora_is_written_as_its_name_and_weight(text, name, weight):
    assert checks.read_lora(text) == LoraChoice(name=name, weight=weight)


@pytest.mark.parametrize("text", ["", "style:strong", "style:9", ":1"])
def test_a_lora_that_is_written_otherwise_is_told_in_a_sentence(text):
    with pytest.raises(InputError, match="name:weight"):
        checks.read_lora(text)


def test_a_lora_that_is_not_there_is_told_before_the_work_begins(studio, request_):
    project = studio.create_project()
    request = request_.model_copy(update={"loras": (LoraChoice(name="nothing"),)})
    with pytest.raises(InputError, match="There is no LoRA called 'nothing'"):
        studio.make(project.id, [request_, request])
    assert studio.last_job(project.id) is None


def test_a_lora_that_is_gone_when_its_turn_comes_fails_the_job_in_a_sentence(studio, request_, monkeypatch):
    project, there = studio.create_project(), iter([["nothing"], []])
    monkeypatch.setattr(studio.worker, "loras", lambda: next(there))
    request = request_.model_copy(update={"loras": (LoraChoice(name="nothing"),)})
    view = studio.wait(studio.make(project.id, [request]))
    assert view.state == "failed"
    assert "There is no LoRA called 'nothing'" in view.error
    assert studio.project(project.id) == project


def test_where_strangers_share_the_studio_only_models_whose_weights_are_here_are_offered(
    studio, request_, monkeypatch
):
    monkeypatch.setattr(studio, "settings", studio.settings.model_copy(update={"shared": True}))
    assert [card.name for card in studio.cards()] == ["pocket"]
    with pytest.raises(InputError, match=r"is not offered by this studio\. Choose pocket"):
        studio.check([request_.model_copy(update={"model": "wan2.1-t2v-14b"})])


def test_where_strangers_share_the_studio_everybody_gets_a_turn(studio, request_, monkeypatch):
    monkeypatch.setattr(studio, "settings", studio.settings.model_copy(update={"shared": True}))
    go_on = threading.Event()
    for _ in range(3):
        project = studio.create_project(visitor="Ann")
        studio.jobs.submit("search", project.id, lambda handle: go_on.wait(20))
    with pytest.raises(InputError, match="3 of your films are at work or waiting"):
        studio.search(studio.create_project(visitor="Ann").id, request_)
    job = studio.search(studio.create_project(visitor="Bob").id, request_)
    assert studio.job(job).position == 3
    studio.cancel(job)
    go_on.set()
