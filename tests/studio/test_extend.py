"""A film of a given length from a few prompts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from models.catalog import CARDS, card
from studio.checks import SEEDS
from studio.errors import InputError
from studio.extend import kept_frames, plan
from studio.timeline import ChunkRequest

POCKET = card("pocket")  # 8 frames a second, chunks of 17 frames of which later ones repeat 5
FIRST = ChunkRequest(prompt="", candidates=4, seed=1, guide="image.png")


def test_without_a_length_every_prompt_is_one_chunk():
    assert [each.prompt for each in plan(FIRST, ["a", "b"], POCKET)] == ["a", "b"]


@pytest.mark.parametrize(("seconds", "chunks"), [(0.1, 1), (17 / 8, 1), (18 / 8, 2), (29 / 8, 2), (8, 5)])
def test_a_length_is_rounded_up_to_whole_chunks(seconds, chunks):
    assert len(plan(FIRST, ["a"], POCKET, seconds=seconds)) == chunks


def test_chunks_that_only_repeat_what_was_are_refused_where_a_film_goes_on_and_made_where_one_begins():
    still = FIRST.model_copy(update={"num_frames": 5})
    assert len(plan(still, ["a"], POCKET)) == 1
    assert len(plan(still.model_copy(update={"cut": True}), ["a", "b"], POCKET)) == 2
    for going_on in ({"continues": True}, {"seconds": 8}):
        with pytest.raises(InputError, match="nothing new"):
            plan(still, ["a"], POCKET, **going_on)


def test_a_film_that_goes_on_has_new_frames_only():
    assert len(plan(FIRST, ["a"], POCKET, seconds=24 / 8, continues=True)) == 2


def test_prompts_get_equal_shares_of_the_chunks():
    prompts = [each.prompt for each in plan(FIRST, ["a", "b"], POCKET, seconds=8)]
    assert prompts == ["a", "a", "a", "b", "b"]


def test_no_two_chunks_draw_the_same_noise():
    requests = plan(FIRST, ["a"], POCKET, seconds=8)
    seeds = [request.seed + j for request in requests for j in range(request.candidates)]
    assert len(set(seeds)) == len(seeds)


def test_a_film_may_begin_with_the_last_seed_of_all():
    first = FIRST.model_copy(update={"seed": SEEDS - 1})
    assert [each.seed for each in plan(first, ["a", "b", "c"], POCKET)] == [first.seed, 3, 7]


def test_the_guide_is_for_the_first_chunk():
    assert [each.guide for each in plan(FIRST, ["a", "b"], POCKET)] == ["image.png", None]


def test_the_last_chunk_is_led_to_the_last_image():
    first = FIRST.model_copy(update={"last_image": "end.png"})
    assert [each.last_image for each in plan(first, ["a", "b"], POCKET)] == [None, "end.png"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_length_is_a_positive_number(seconds):
    with pytest.raises(InputError, match="Ask for a few seconds"):
        plan(FIRST, ["a"], POCKET, seconds=seconds)


@pytest.mark.parametrize("seconds", [1000, 3e7, 1.7e308])
def test_a_length_of_more_chunks_than_a_film_can_have_is_told_before_they_are_planned(seconds):
    with pytest.raises(InputError, match="1 to 500 chunks"):
        plan(FIRST, ["a"], POCKET, seconds=seconds)


def test_a_length_too_short_for_its_prompts_says_which_would_do():
    prompts = ["a", "b", "c"]
    with pytest.raises(InputError, match="at least 4 seconds, or take prompts away"):
        plan(FIRST, prompts, POCKET, seconds=2)
    assert len(plan(FIRST, prompts, POCKET, seconds=4)) == 3


def test_of_a_chunk_is_kept_what_any_model_repeats_and_what_its_own_looks_at():
    worker = SimpleNamespace(cards=lambda: list(CARDS.values()))
    longest = max(card.prefix_frames for card in CARDS.values())
    assert kept_frames(worker, "pocket") == longest
    assert kept_frames(worker, "helios") == 33 > longest
