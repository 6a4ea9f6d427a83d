"""What is peculiar to Helios, on a tiny random pipeline of its class."""

import numpy as np
import pytest
import torch
from PIL import Image

from models.catalog import CARDS
from models.errors import InputError


@pytest.fixture(scope="module")
def helios(load):
    return load("helios")


def call_arguments(card, **others):
    return {
        "prompt": "a fox",
        "negative_prompt": "",
        "height": card.height,
        "width": card.width,
        "num_frames": card.num_frames,
        "guidance_scale": card.guidance_scale,
        **card.options,
        **others,
    }


def test_a_finished_run_from_text_is_the_plain_call(helios, begin, plain_call):
    expected = plain_call(helios._pipeline, **call_arguments(helios.card))
    np.testing.assert_array_equal(begin(helios, helios.encode("a fox")).finish().frames, expected)


def test_the_pipeline_does_not_repeat_its_image_so_it_is_put_first(helios, begin, picture, plain_call):
    guide = picture(helios)
    window = plain_call(helios._pipeline, **call_arguments(helios.card, image=Image.fromarray(guide[0])))
    clip = begin(helios, helios.encode("a fox", guide=guide)).finish()
    np.testing.assert_array_equal(clip.frames[0], guide[0])
    np.testing.assert_array_equal(clip.frames[1:], window[:-1])


def test_a_film_goes_on_from_the_window_before_whose_last_frame_is_put_first(
    helios, begin, picture, plain_call
):
    film = picture(helios, 5)
    video = [Image.fromarray(frame) for frame in film]
    window = plain_call(helios._pipeline, **call_arguments(helios.card, video=video))
    clip = begin(helios, helios.encode("a fox", guide=film)).finish()
    np.testing.assert_array_equal(clip.frames[0], film[-1])
    np.testing.assert_array_equal(clip.frames[1:], window[:-1])


def test_the_pipeline_ignores_latents_so_that_a_candidate_is_its_seed(helios, plain_call):
    asked = call_arguments(helios.card)
    np.testing.assert_array_equal(
        plain_call(helios._pipeline, **asked, latents=torch.zeros(1, 16, 2, 2, 2)),
        plain_call(helios._pipeline, **asked),
    )


def test_a_length_that_the_pipeline_would_round_up_is_refused(helios, plain_call):
    longer = plain_call(helios._pipeline, **call_arguments(helios.card, num_frames=6))
    assert len(longer) > 6
    with pytest.raises(InputError, match="Try 5"):
        helios.encode("a fox", num_frames=6)


def test_a_chunk_is_one_window_of_33_frames():
    card = CARDS["helios"]
    assert (card.min_frames, card.num_frames, card.max_frames) == (33, 33, 33)
    assert card.prefix_frames + card.looks_back == 33
