"""The page without a browser: inputs that survive a reload, and downloads that are told beforehand."""

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from studio.errors import InputError
from studio.timeline import LoraChoice
from studio.ui import layout
from studio.ui.downloads import Downloads
from studio.ui.memory import recalled, remembered
from studio.ui.page import Page
from studio.ui.panels import autopilot, search
from studio.ui.panels.search import guide_of, remember_inputs, started


@pytest.fixture
def page(studio):
    with gr.Blocks() as blocks:
        return Page(**vars(layout.place(studio)), studio=studio, examples=[], blocks=blocks)


@pytest.fixture
def at(studio):
    return {"project": studio.create_project().id, "head": ""}


def value(updates, part):
    update = updates[part]
    return update["value"] if isinstance(update, dict) and "__type__" in update else update


def test_what_the_inputs_held_is_put_back(page, at, request_):
    wanted = request_.model_copy(update={"candidates": 7, "guidance_scale": 2.5, "negative_prompt": "rain"})
    updates = recalled(page, remembered(at, wanted, "42"), at)
    composer = page.composer
    parts = (composer.candidates, composer.guidance, composer.negative, composer.seed)
    assert [value(updates, part) for part in parts] == [7, 2.5, "rain", "42"]


def test_a_lora_that_is_not_here_can_be_seen_and_left_out(page, at, request_):
    wanted = request_.model_copy(update={"loras": (LoraChoice(name="grain"),)})
    update = recalled(page, remembered(at, wanted, ""), at)[page.composer.loras]
    assert (update["value"], update["visible"]) == (["grain"], True)


def test_an_image_is_put_back_until_its_chunk_is_made(page, studio, at, request_, tmp_path):
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "guide.png")
    name = studio.add_guide(at["project"], tmp_path / "guide.png")
    memory = remembered(at, request_.model_copy(update={"guide": name}), "")
    assert recalled(page, memory, at)[page.composer.guide]["name"] == name
    assert page.composer.guide not in recalled(page, memory, {**at, "head": "a chunk"})


def test_a_drawn_image_is_put_back_with_its_prompt(page, studio, at, request_, tmp_path):
    """After a restart the studio knows of it from the browser only; another prompt must not begin with it."""
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "guide.png")
    wanted = request_.model_copy(update={"guide": studio.add_guide(at["project"], tmp_path / "guide.png")})
    image = recalled(page, remembered(at, wanted, "", "a fox in the snow"), at)[page.composer.guide]
    assert guide_of(image, "a fox in the snow") == wanted.guide
    assert guide_of(image, "a boat on the sea") is None


def test_the_page_remembers_what_a_first_frame_was_drawn_from(page, at):
    with page.blocks:
        remember_inputs(page, {})
    remember = next(each.fn for each in page.blocks.fns.values() if each.name == "remember")
    values = [part.value for part in page.composer.choices()]
    values[:2] = ["a fox", {"name": "fox.png", "drawn": "a fox"}]
    entry = remember({**at, "visit": "1"}, 8, *values)[at["project"]]
    assert (entry["request"]["guide"], entry["drawn"]) == ("fox.png", "a fox")


def test_a_cut_is_put_back_until_its_chunk_is_made(page, at, request_):
    memory = remembered(at, request_.model_copy(update={"cut": True}), "")
    assert value(recalled(page, memory, at), page.composer.cut) is True
    assert page.composer.cut not in recalled(page, memory, {**at, "head": "a chunk"})


@pytest.mark.parametrize(
    "memory", [None, {}, {"": {}}, {"": {"request": {"seed": "x"}}}, {"": {"request": None}}]
)
def test_a_memory_that_says_nothing_changes_nothing(page, memory):
    assert recalled(page, memory, {}) == {}


def test_an_error_of_any_kind_is_told(page):
    told = {}

    def event(handler, **how):
        told["sentence"] = handler({}, "")[page.notice]["sentence"]

    def broken(where, prompt):
        raise RuntimeError("a cable is loose")

    page.listen(event, broken)
    assert "a cable is loose" in told["sentence"]


def test_the_same_words_are_news_at_the_next_turn(page):
    first = page.draw({}, "", "No prompt.")
    again = page.draw(first[page.where], "", "No prompt.")
    assert first[page.notice] != again[page.notice]


def test_the_size_of_a_download_is_asked_for_once(studio, request_, monkeypatch):
    asked = []
    monkeypatch.setattr(
        studio.worker, "plan", lambda model: asked.append(model) or (1, "8 GB to be downloaded.")
    )
    downloads, wanted = Downloads(studio), request_.model_copy(update={"model": "wan2.1-t2v-1.3b"})
    told = [downloads.words(wanted, wanted, continues=False) for _ in range(3)]
    assert told[0] == (
        "Wan 2.1 T2V 1.3B first: 8 GB to be downloaded. Wan 2.1 VACE 1.3B first: 8 GB to be downloaded"
    )
    assert asked == ["wan2.1-t2v-1.3b", "wan2.1-vace-1.3b"]
    assert downloads.words(request_, continues=False) == ""


@pytest.fixture
def nothing_here(studio, monkeypatch):
    monkeypatch.setattr(studio.worker, "is_here", lambda model: False)
    monkeypatch.setattr(studio.worker, "plan", lambda model: (1, "8 GB to be downloaded."))


@pytest.mark.usefixtures("nothing_here")
def test_the_download_of_the_model_that_draws_a_first_frame_is_told_too(studio, request_):
    downloads, wanted = Downloads(studio), request_.model_copy(update={"model": "svd"})
    video = "Stable Video Diffusion first: 8 GB to be downloaded"
    assert downloads.words(wanted, continues=False) == (
        f"Stable Diffusion 1.5 first: 8 GB to be downloaded. {video}"
    )
    assert downloads.words(wanted, continues=True) == video
    given = wanted.model_copy(update={"guide": "fox.png"})
    assert downloads.words(given, continues=False) == video


@pytest.mark.usefixtures("nothing_here")
def test_strangers_are_told_to_give_an_image_in_place_of_a_download(studio, request_, monkeypatch):
    monkeypatch.setattr(studio, "settings", studio.settings.model_copy(update={"shared": True}))
    said = Downloads(studio).words(request_.model_copy(update={"model": "svd"}), continues=False)
    assert "Give an image" in said
    assert "GB" not in said


def test_a_hub_out_of_reach_is_told_in_place_of_the_size(studio, request_, monkeypatch):
    def plan(model):
        raise InputError("The hub cannot be reached. Try again later.")

    monkeypatch.setattr(studio.worker, "plan", plan)
    wanted = request_.model_copy(update={"model": "svd"})
    assert Downloads(studio).words(wanted, continues=False) == "The hub cannot be reached. Try again later"


def test_what_is_set_while_the_first_candidates_are_made_is_left_alone(page, studio, request_):
    where = started(page, {"visit": "a", "turn": 1}, "a fox", lambda at: studio.search(at, request_))
    studio.wait(where["job"])
    assert page.composer.guidance not in page.draw(where, "a fox")
    another_tab = {"project": where["project"]}
    assert page.composer.guidance in page.draw(another_tab, "a fox")


@pytest.mark.parametrize(("title", "called"), [("", "a fox"), ("My holiday", "My holiday")])
def test_a_film_that_begins_with_an_image_is_called_after_its_first_words(page, studio, title, called):
    at = {"project": studio.create_project(title).id}  # as an image that is given makes it
    started(page, at, "a fox", lambda to: "job")
    assert studio.project(at["project"]).title == called


@pytest.fixture
def told_beforehand(page):
    """What stands under the two buttons, of a search and of a film, for words in the prompt box."""
    with page.blocks:
        search.bind(page)
        autopilot.bind(page)
    of_search, of_film = [each.fn for each in page.blocks.fns.values() if each.name == "price"][::2]

    def told(prompt, **others):
        parts = {
            page.composer.prompt: prompt,
            **{getattr(page.composer, name): others[name] for name in others},
        }
        values = [parts.get(part, part.value) for part in page.composer.choices()]
        return of_search({}, *values)[1], of_film({}, 8, *values)[1]

    return told


def test_a_prompt_that_is_too_long_is_told_in_place_of_the_price(told_beforehand):
    for hint in told_beforehand("a fox " * 100):
        assert hint["wrong"]
        assert "takes at most 500. Shorten it" in hint["sentence"]


def test_words_to_keep_away_from_that_are_too_long_are_told_in_place_of_the_price(told_beforehand):
    assert all(hint.get("wrong") for hint in told_beforehand("a fox", negative="rain " * 200))


def test_scenes_have_a_length_each(told_beforehand):
    assert not any(hint.get("wrong") for hint in told_beforehand("\n".join(["a fox " * 50] * 3)))


def test_what_is_told_of_scenes_is_a_sentence_under_both_buttons(told_beforehand):
    assert all(hint["sentence"].endswith(".") for hint in told_beforehand("a fox\na boat"))


def test_a_search_has_a_price_while_a_later_scene_is_too_long(told_beforehand):
    of_search, of_film = told_beforehand("a fox\n" + "a fox " * 100)
    assert not of_search.get("wrong")
    assert of_film["wrong"]
