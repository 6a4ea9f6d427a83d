"""The page shows the frame that was drawn for a film, and keeps it as long as its prompt is kept."""

import gradio as gr
import pytest

from studio.making import FirstFrame
from studio.ui import layout
from studio.ui.page import Page
from studio.ui.panels.search import guide_of

SHOWN = {"name": "a.png", "url": "a.png", "drawn": "a fox runs"}


@pytest.fixture
def page(studio):
    with gr.Blocks() as blocks:
        return Page(**vars(layout.place(studio)), studio=studio, examples=[], blocks=blocks)


def test_it_is_shown_once_it_is_drawn(page, studio, monkeypatch):
    where = {"project": studio.create_project().id}
    before = page.draw(where, "a fox runs")
    monkeypatch.setattr(studio, "first_frame", lambda _: FirstFrame("a.png", "a fox runs"))
    after = page.draw(before[page.where], "a fox runs", None)
    assert after[page.composer.guide] == {"name": "a.png", "url": "", "drawn": "a fox runs"}
    again = page.draw(after[page.where], "a fox runs", None)
    assert page.composer.guide not in again


def test_another_search_begins_with_it():
    assert guide_of(SHOWN, " a fox runs ") == "a.png"


def test_a_film_of_several_scenes_begins_with_what_was_drawn_for_the_first():
    assert guide_of(SHOWN, "a fox runs\nthe fox sleeps") == "a.png"
    assert guide_of(SHOWN, "the fox sleeps\na fox runs") is None


def test_another_prompt_gets_another_one():
    assert guide_of(SHOWN, "a dog runs") is None


def test_an_image_of_ones_own_stays_whatever_the_prompt_is():
    assert guide_of({"name": "b.png", "url": "b.png"}, "a dog runs") == "b.png"
    assert guide_of({}, "a dog runs") is None
