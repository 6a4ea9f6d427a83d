"""What is peculiar to HunyuanVideo, on tiny random pipelines of its classes."""

import inspect

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError


@pytest.fixture(scope="module")
def text(load):
    return load("hunyuan")


@pytest.fixture(scope="module")
def image(load):
    return load("hunyuan-i2v")


def call_arguments(card):
    return {
        "prompt": "a fox",
        "height": card.height,
        "width": card.width,
        "num_frames": card.num_frames,
        "guidance_scale": card.guidance_scale,
    }


def test_a_finished_run_from_text_is_the_plain_call(text, begin, plain_call):
    expected = plain_call(text._pipeline, **call_arguments(text.card))
    np.testing.assert_array_equal(begin(text, text.encode("a fox")).finish().frames, expected)


def test_a_finished_run_from_an_image_is_the_plain_call(image, begin, picture, plain_call):
    guide = picture(image)
    expected = plain_call(image._pipeline, **call_arguments(image.card), image=Image.fromarray(guide[0]))
    np.testing.assert_array_equal(begin(image, image.encode("a fox", guide=guide)).finish().frames, expected)


def test_guidance_is_an_input_of_the_network_and_costs_no_second_pass(text, begin, watch):
    calls = watch(text._pipeline.transformer)
    begin(text, text.encode("a fox", guidance_scale=4)).advance(2)
    assert [call["guidance"].tolist() for call in calls] == [[4000.0]] * 2


def test_the_image_is_the_first_latent_frame_and_the_scheduler_does_not_see_it(image, begin, picture):
    run = begin(image, image.encode("a fox", guide=picture(image)))
    run.advance(1)
    first = run._look.latents[:, :, :1].clone()
    assert run._look.predicted.shape[2] == run._look.latents.shape[2] - 1
    run.advance(2)
    assert (run._look.latents[:, :, :1] == first).all()


def test_the_pipeline_from_an_image_cannot_use_a_cache(image, text):
    """It does not name its passes to the network, and a cache refuses to work then."""
    assert "cache_context" in inspect.getsource(type(text._pipeline).__call__)
    assert "cache_context" not in inspect.getsource(type(image._pipeline).__call__)


def test_words_alone_are_continued_by_its_partner(text, image, picture):
    assert text.card.partner == image.card.name
    with pytest.raises(InputError, match="hunyuan-i2v"):
        text.encode("a fox", guide=picture(text))
