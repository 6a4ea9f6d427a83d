"""A model that animates images begins from words too: a text-to-image model draws the first frame."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from models.catalog import CARDS
from studio.errors import InputError
from studio.media import read_frames_png
from tests.tiny_image import tiny_stable_diffusion


@pytest.fixture(scope="module")
def image_model(tmp_path_factory):
    return tiny_stable_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture
def settings(settings, image_model, monkeypatch):
    monkeypatch.setitem(CARDS, "pocket", dataclasses.replace(CARDS["pocket"], takes_text=False))
    return settings.model_copy(update={"sources": {**settings.sources, "sd-1.5": str(image_model)}})


@pytest.fixture
def drawn(studio, monkeypatch):
    """What was asked of the text-to-image model."""
    asked, draw = [], studio.worker.draw

    def watched(model, prompt, seed, **how):
        asked.append((prompt, seed, how["size"]))
        return draw(model, prompt, seed, **how)

    monkeypatch.setattr(studio.worker, "draw", watched)
    return asked


def finished(studio, job):
    view = studio.wait(job)
    assert view.state == "done", view.error


def test_the_first_frame_is_drawn_from_the_prompt_and_the_seed(studio, request_, drawn):
    project = studio.create_project()
    finished(studio, studio.make(project.id, [request_, request_]))
    first, second = studio.project(project.id).branch()
    assert drawn == [("a fox runs", 7, (64, 64))]  # once for the whole film
    frame = read_frames_png(studio.media_path(project.id, first.request.guide))
    again = studio.worker.draw("pocket", "a fox runs", 7, negative_prompt="", size=(64, 64))
    np.testing.assert_array_equal(frame[0], again)
    assert first.scores["guide"] > 0
    assert second.request.guide is None


def test_a_pick_from_the_gallery_begins_with_the_frame_that_its_preview_began_with(studio, request_, drawn):
    project = studio.create_project()
    finished(studio, studio.search(project.id, request_))
    gallery = studio.project(project.id).gallery
    finished(studio, studio.pick(project.id, gallery.candidates[0].id))
    (segment,) = studio.project(project.id).branch()
    assert segment.request.guide == gallery.request.guide
    assert len(drawn) == 1


def test_it_is_known_as_soon_as_it_is_drawn(studio, request_):
    project = studio.create_project()
    assert studio.first_frame(project.id) is None
    finished(studio, studio.search(project.id, request_))
    guide = studio.project(project.id).gallery.request.guide
    assert studio.first_frame(project.id) == (guide, "a fox runs")


def test_another_start_of_the_studio_knows_what_it_was_drawn_from(open_studio, request_):
    studio = open_studio()
    project = studio.create_project()
    finished(studio, studio.search(project.id, request_))
    drawn = studio.first_frame(project.id)
    again = open_studio()
    assert again.first_frame(project.id) == drawn
    finished(again, again.search(project.id, request_.model_copy(update={"guide": drawn.name})))
    assert open_studio().first_frame(project.id) == drawn


def test_it_is_gone_with_the_only_ending_that_began_with_it_and_another_one_can_be_drawn(studio, request_):
    project, one = studio.create_project(), request_.model_copy(update={"strategy": "naive"})
    finished(studio, studio.search(project.id, one))
    ending = studio.project(project.id).head
    assert studio.first_frame(project.id) is not None
    studio.undo(project.id)
    studio.delete_ending(project.id, ending)
    assert studio.first_frame(project.id) is None
    finished(studio, studio.search(project.id, one))
    assert studio.first_frame(project.id) is not None


def test_every_step_of_the_drawing_is_told(studio, request_):
    job = studio.make(studio.create_project().id, [request_])
    told = {view.message for view in studio.follow(job)}
    assert any(message.startswith("Drawing the first frame, step") for message in told)


def test_an_image_that_is_given_is_taken_instead(studio, request_, drawn, tmp_path):
    Image.new("RGB", (64, 64), "orange").save(tmp_path / "guide.png")
    project = studio.create_project()
    guide = studio.add_guide(project.id, tmp_path / "guide.png")
    finished(studio, studio.make(project.id, [request_.model_copy(update={"guide": guide})]))
    assert drawn == []


def test_without_words_there_is_nothing_to_draw(studio, request_):
    project = studio.create_project()
    with pytest.raises(InputError, match="The prompt is empty"):
        studio.make(project.id, [request_.model_copy(update={"prompt": " "})])


def test_a_film_cancelled_while_its_first_frame_is_drawn_is_empty(studio, request_, monkeypatch):
    project = studio.create_project()
    draw = studio.worker.draw

    def cancelled(*given, tell, **how):
        studio.cancel(studio.active_job(project.id).id)
        return draw(*given, tell=tell, **how)

    monkeypatch.setattr(studio.worker, "draw", cancelled)
    assert studio.wait(studio.make(project.id, [request_])).state == "cancelled"
    assert studio.project(project.id).head is None


def test_missing_weights_end_the_job_with_a_sentence(studio, request_, monkeypatch, tmp_path):
    monkeypatch.setitem(studio.worker._sources, "sd-1.5", str(tmp_path / "none"))
    view = studio.wait(studio.make(studio.create_project().id, [request_]))
    assert view.state == "failed"
    assert "missing" in view.error
    assert "Or start from an image of your own." in view.error


def test_strangers_cannot_have_the_image_model_fetched(studio, request_, monkeypatch):
    monkeypatch.setattr(studio, "settings", studio.settings.model_copy(update={"shared": True}))
    assert studio.check([request_])
    monkeypatch.setattr(studio.worker, "is_here", lambda model: model != "sd-1.5")
    with pytest.raises(InputError, match="Give an image to begin with"):
        studio.check([request_])
    assert studio.check([request_.model_copy(update={"guide": "fox.png"})])
    assert studio.check([request_], continues=True)
    with pytest.raises(InputError, match="Give an image to begin with"):
        studio.check([request_, request_.model_copy(update={"cut": True})], continues=True)


def test_every_shot_of_a_film_begins_with_a_frame_drawn_from_its_words(studio, request_, drawn):
    project = studio.create_project()
    shot = request_.model_copy(update={"prompt": "a boat", "seed": 9, "cut": True})
    finished(studio, studio.make(project.id, [request_, request_, shot]))
    assert drawn == [("a fox runs", 7, (64, 64)), ("a boat", 9, (64, 64))]
    assert studio.project(project.id).branch()[-1].request.guide is not None
