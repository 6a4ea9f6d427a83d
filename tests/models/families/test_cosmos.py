"""What is peculiar to Cosmos-Predict2.5, on a tiny random pipeline of its class."""

import numpy as np
import pytest
from diffusers.pipelines.cosmos.pipeline_cosmos2_5_predict import DEFAULT_NEGATIVE_PROMPT
from PIL import Image

from models import download, families
from models.catalog import load_model
from models.errors import InputError
from tests.contract.tiny.cosmos import REFUSED, install_checker


@pytest.fixture(scope="module")
def cosmos(load):
    with pytest.MonkeyPatch.context() as patch:
        install_checker(patch)
        yield load("cosmos-2.5-2b")


def call_arguments(card, **others):
    return {
        "prompt": "a fox",
        "negative_prompt": "snow",
        "height": card.height,
        "width": card.width,
        "num_frames": card.num_frames,
        "guidance_scale": card.guidance_scale,
        **others,
    }


def encode(cosmos, **others):
    return cosmos.encode("a fox", negative_prompt="snow", **others)


def test_a_finished_run_from_text_is_the_plain_call(cosmos, begin, plain_call):
    expected = plain_call(cosmos._pipeline, **call_arguments(cosmos.card))
    np.testing.assert_array_equal(begin(cosmos, encode(cosmos)).finish().frames, expected)


def test_a_finished_run_from_an_image_is_the_plain_call(cosmos, begin, plain_call, picture):
    guide = picture(cosmos)
    expected = plain_call(cosmos._pipeline, **call_arguments(cosmos.card, image=Image.fromarray(guide[0])))
    np.testing.assert_array_equal(begin(cosmos, encode(cosmos, guide=guide)).finish().frames, expected)


def test_five_frames_are_two_latent_frames_that_are_known(cosmos, begin, picture, watch):
    calls = watch(cosmos._pipeline.transformer)
    begin(cosmos, encode(cosmos, guide=picture(cosmos, 5))).finish()
    known = calls[0]["condition_mask"][0, 0, :, 0, 0]
    assert known.tolist() == [1, 1, 0]


def test_the_negative_prompt_of_the_card_is_that_of_the_pipeline(cosmos):
    assert cosmos.card.negative_prompt == DEFAULT_NEGATIVE_PROMPT


def test_a_prompt_that_the_safety_checker_refuses_is_told(cosmos):
    with pytest.raises(InputError, match="refuses the prompt"):
        cosmos.encode(REFUSED)


def test_previews_are_looked_over_as_clips_are(cosmos, begin):
    run = begin(cosmos, encode(cosmos))
    run.advance(1)
    assert (run.preview().frames[:, :4, :4] == 7).all()


def test_a_missing_safety_checker_is_told_before_anything_is_downloaded(monkeypatch):
    monkeypatch.setattr(families.cosmos, "checker_is_there", lambda: False)
    monkeypatch.setattr(download, "fetch", None)
    with pytest.raises(InputError, match=r"pip install -e .*\[cosmos\]"):
        load_model("cosmos-2.5-2b", device="cpu")
