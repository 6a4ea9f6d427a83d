"""A model of words alone makes the first chunk; its partner continues the film."""

import dataclasses

import pytest

from models.catalog import card as pocket
from studio.autopilot import film
from studio.checks import check_request
from studio.handover import continuing_card, handed_over, handed_over_film
from studio.timeline import ChunkRequest, LoraChoice

PARTNER = dataclasses.replace(
    pocket("pocket"), name="partner", num_frames=25, num_inference_steps=40, guidance_scale=6.0
)
WORDS = dataclasses.replace(PARTNER, name="words", takes_image=False, prefix_frames=0, partner="partner",
                            num_frames=17, num_inference_steps=20, guidance_scale=4.0)  # fmt: skip
CARDS = {each.name: each for each in (PARTNER, WORDS)}
REQUEST = ChunkRequest(prompt="a fox", model="words", height=128, width=192, num_frames=17,
                       num_inference_steps=20, guidance_scale=4.0)  # fmt: skip


def test_the_partner_continues_with_its_own_defaults_at_the_size_of_the_film():
    made = handed_over(REQUEST, CARDS.__getitem__)
    assert (made.model, made.prompt, made.seed) == ("partner", "a fox", REQUEST.seed)
    assert (made.num_frames, made.num_inference_steps, made.guidance_scale) == (25, 40, 6.0)
    assert (made.height, made.width) == (128, 192)


def test_what_was_chosen_by_hand_stands():
    chosen = {"num_inference_steps": 12, "negative_prompt": "snow"}
    made = handed_over(REQUEST.model_copy(update=chosen), CARDS.__getitem__)
    assert (made.num_inference_steps, made.negative_prompt) == (12, "snow")


def test_the_authors_negative_prompt_gives_way_to_that_of_the_partners_authors():
    cards = {
        "words": dataclasses.replace(WORDS, negative_prompt="blurry"),
        "partner": dataclasses.replace(PARTNER, negative_prompt="static"),
    }
    request = REQUEST.model_copy(update={"negative_prompt": "blurry"})
    assert handed_over(request, cards.__getitem__).negative_prompt == "static"


def test_what_the_partner_cannot_take_is_left_out():
    partner = dataclasses.replace(PARTNER, takes_negative=False, family="another")
    cards = {"words": WORDS, "partner": partner}
    request = REQUEST.model_copy(update={"negative_prompt": "snow", "loras": (LoraChoice(name="grain"),)})
    made = handed_over(request, cards.__getitem__)
    assert (made.negative_prompt, made.loras) == ("", ())


def test_lora_files_go_to_a_partner_of_the_same_family():
    request = REQUEST.model_copy(update={"loras": (LoraChoice(name="grain"),)})
    assert handed_over(request, CARDS.__getitem__).loras == request.loras


def test_a_size_that_the_partner_cannot_draw_becomes_its_own():
    cards = {**CARDS, "partner": dataclasses.replace(PARTNER, size_multiple=128)}
    made = handed_over(REQUEST, cards.__getitem__)
    assert (made.height, made.width) == (PARTNER.height, PARTNER.width)


@pytest.mark.parametrize(
    ("asked", "limits", "made"),
    [
        (
            {"num_frames": 13},
            {"prefix_frames": 17},
            {"num_frames": 25},
        ),  # it would only repeat the film's end
        ({"num_inference_steps": 12}, {"max_steps": 8, "num_inference_steps": 8}, {"num_inference_steps": 8}),
        (
            {"preview_steps": 18},
            {"num_inference_steps": 10},
            {"num_inference_steps": 10, "preview_steps": 10},
        ),
        ({"guidance_scale": 9.0}, {"takes_guidance": False}, {"guidance_scale": 6.0}),
    ],
)
def test_what_is_not_legal_for_the_partner_becomes_what_is(asked, limits, made):
    cards = {**CARDS, "partner": dataclasses.replace(PARTNER, **limits)}
    request = handed_over(REQUEST.model_copy(update=asked), cards.__getitem__)
    assert {name: getattr(request, name) for name in made} == made
    check_request(cards["partner"], request, continues=True)


@pytest.mark.parametrize("name", ["partner"])
def test_a_model_that_takes_images_continues_its_own_films(name):
    request = REQUEST.model_copy(update={"model": name})
    assert handed_over(request, CARDS.__getitem__) is request
    assert continuing_card(CARDS[name], CARDS.__getitem__) is CARDS[name]


def test_all_but_the_first_chunk_of_a_film_are_handed_over():
    made = handed_over_film([REQUEST] * 3, CARDS.__getitem__, continues=False)
    assert [each.model for each in made] == ["words", "partner", "partner"]
    going_on = handed_over_film([REQUEST], CARDS.__getitem__, continues=True)
    assert [each.model for each in going_on] == ["partner"]


def test_a_film_is_planned_with_the_length_and_rate_of_the_partners_chunks():
    cards = {**CARDS, "partner": dataclasses.replace(PARTNER, fps=16, prefix_frames=1)}
    planned = film(REQUEST, ["a fox"], cards.__getitem__, seconds=17 / 8 + 3 * 24 / 16)
    assert len(planned) == 4
