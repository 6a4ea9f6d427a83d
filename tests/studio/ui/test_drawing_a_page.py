"""What the page draws for a film: what is left to be said, and the settings that it goes on with."""

from __future__ import annotations

import gradio as gr
import pytest

from studio.timeline import Gallery
from studio.ui import layout
from studio.ui.look import interruption, look
from studio.ui.page import Page
from tests.studio import samples


@pytest.fixture
def page(studio):
    with gr.Blocks() as blocks:
        return Page(**vars(layout.place(studio)), studio=studio, examples=[], blocks=blocks)


@pytest.fixture
def film(studio, request_):
    """A stored film of one chunk, made of `request_` with other settings than the page opens with."""
    request = request_.model_copy(update={"candidates": 3, "least_likeness": 0.5, "prompt": "the fox jumps"})
    project = samples.project_with_clips(studio.store, 1)
    chunk = project.segment(project.head).model_copy(update={"request": request})
    project = project.model_copy(update={"segments": {chunk.id: chunk}})
    studio.store.save(project)
    return project


@pytest.mark.parametrize(
    ("box", "left"),
    [
        ("the fox jumps", ""),
        ("a fox runs\nthe fox jumps\nthe fox sleeps\nit snows", "the fox sleeps\nit snows"),
        ("the fox eats", None),
    ],
)
def test_scenes_that_are_not_made_yet_stay_in_the_box(page, studio, film, box, left):
    seen = look(studio, {"project": film.id})
    assert page.unsaid(seen, box) == left


def test_an_open_film_sets_the_inputs_as_its_last_chunk_was_made(page, film):
    drawn = page.draw({"project": film.id}, "")
    composer = page.composer
    assert drawn[composer.candidates]["value"] == 3
    assert drawn[composer.least_likeness]["value"] == 0.5
    assert (drawn[composer.width]["value"], drawn[composer.frames]["value"]) == (64, 9)
    assert drawn[composer.width]["maximum"] == page.studio.card("pocket").max_side


def test_what_was_changed_since_then_stays(page, film):
    once = page.draw({"project": film.id}, "")
    again = page.draw(once[page.where], "")
    assert page.composer.candidates not in again


def test_a_film_of_a_model_that_is_not_known_here_leaves_the_inputs(page, studio, film):
    chunk = film.segment(film.head)
    request = chunk.request.model_copy(update={"model": "of-the-future"})
    changed = film.model_copy(update={"segments": {chunk.id: chunk.model_copy(update={"request": request})}})
    studio.store.save(changed)
    assert page.composer.model not in page.draw({"project": film.id}, "")


def test_who_comes_back_is_told_why_the_work_failed(studio, request_, monkeypatch):
    def broken(*inputs, **named):
        raise RuntimeError("the network fell over")

    project = studio.create_project()
    monkeypatch.setattr(studio.worker, "_load", broken)
    studio.wait(studio.search(project.id, request_))
    assert "the network fell over" in interruption(studio, project.id)


def test_candidates_come_back_with_undo(page, studio, film):
    drawn = page.draw({"project": film.id, "head": film.head}, "")
    studio.undo(film.id)
    assert isinstance(studio.project(film.id).gallery, Gallery)
    assert page.gallery in page.draw(drawn[page.where], "")


def test_a_format_that_is_saved_twice_is_told_twice(page, studio, film):
    where = page.draw({"project": film.id}, "")[page.where]
    once = page.draw({**where, "save": "frames"}, "")
    again = page.draw({**once[page.where], "save": "frames"}, "")
    assert once[page.player]["saved"] == again[page.player]["saved"]
    assert once[page.player] != again[page.player]
