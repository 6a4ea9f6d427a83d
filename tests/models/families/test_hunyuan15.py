"""What is peculiar to HunyuanVideo 1.5, on tiny random pipelines of its classes."""

import inspect

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError


@pytest.fixture(scope="module")
def text(load):
    return load("hunyuan-1.5")


@pytest.fixture(scope="module")
def image(load):
    return load("hunyuan-1.5-i2v")


def test_a_finished_run_from_text_is_the_plain_call(text, begin, plain_call):
    card = text.card
    expected = plain_call(
        text._pipeline, prompt="a fox", height=card.height, width=card.width, num_frames=card.num_frames
    )
    np.testing.assert_array_equal(begin(text, text.encode("a fox")).finish().frames, expected)


def test_a_finished_run_from_an_image_is_the_plain_call(image, begin, picture, plain_call):
    guide = picture(image)
    expected = plain_call(
        image._pipeline,
        prompt="a fox",
        image=Image.fromarray(guide[0]),
        num_frames=image.card.num_frames,
    )
    np.testing.assert_array_equal(begin(image, image.encode("a fox", guide=guide)).finish().frames, expected)


def test_it_does_not_call_back_and_waits_in_its_scheduler(text, begin):
    assert "callback_on_step_end" not in inspect.signature(type(text._pipeline).__call__).parameters
    run = begin(text, text.encode("a fox"))
    run.advance(1)
    assert run.step == 1


def test_the_guidance_scale_is_the_run_s_own(text, begin):
    """It is a setting of the pipeline's guider, which also counts the steps."""
    weak, strong = (begin(text, text.encode("a fox", guidance_scale=scale)) for scale in (2, 9))
    weak.advance(1)
    strong.advance(1)
    assert (weak._clone.guider.guidance_scale, strong._clone.guider.guidance_scale) == (2, 9)
    assert text._pipeline.guider.guidance_scale == text.card.guidance_scale
    assert (weak.finish().frames != strong.finish().frames).any()


def test_a_size_that_the_image_pipeline_would_change_is_refused(image, picture):
    with pytest.raises(InputError, match="16x16"):
        image.encode("a fox", guide=picture(image), height=32, width=32)
